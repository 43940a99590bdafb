"""Passwords as argon2id hashes (RFC 9106), made and compared in threads: each takes 64 MiB and some 50 ms by design."""

import asyncio

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from mooring.errors import InvalidRequest
from mooring.ids import new_secret

MINIMUM_CHARACTERS = 12
MAXIMUM_CHARACTERS = 1024
"""Nobody types more, and nobody has us hash more."""
AT_ONCE = 2
"""Hashes that are worked on at the same time: whoever sends many attempts takes no more of this machine than that."""


class Passwords:
    """Hashes and compares.

    Args:
        hasher: the costs; those that argon2-cffi recommends if left out.
    """

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._places = asyncio.Semaphore(AT_ONCE)
        self._nobodys: str | None = None

    async def hash(self, password: str) -> str:
        """What is stored of a new password.

        Raises:
            InvalidRequest: it is too short, too long, or no text.
        """
        if len(password) < MINIMUM_CHARACTERS:
            raise InvalidRequest(
                f"The password has {len(password)} characters; it needs at least {MINIMUM_CHARACTERS}.",
                hint="Some words in a row are easy to remember.",
            )
        if len(password) > MAXIMUM_CHARACTERS or not _is_text(password):
            raise InvalidRequest(f"The password must be text of at most {MAXIMUM_CHARACTERS} characters.")
        return await self.renew(password)

    async def renew(self, password: str) -> str:
        """What is stored, at today's costs, of a password that was accepted before."""
        async with self._places:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def matches(self, stored: str | None, password: str) -> bool:
        """Whether the password is this one; it takes as long when there is none to compare it with (None)."""
        async with self._places:
            if self._nobodys is None:
                self._nobodys = await asyncio.to_thread(self._hasher.hash, new_secret())
            shown = password if len(password) <= MAXIMUM_CHARACTERS and _is_text(password) else ""
            matches = await asyncio.to_thread(self._verify, stored or self._nobodys, shown)
        return matches and stored is not None

    def is_outdated(self, stored: str) -> bool:
        """Whether it was hashed at other costs than passwords are now."""
        return self._hasher.check_needs_rehash(stored)

    def _verify(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False


def _is_text(password: str) -> bool:
    """Whether it can be encoded: half of a surrogate pair cannot."""
    return not any("\ud800" <= c <= "\udfff" for c in password)
