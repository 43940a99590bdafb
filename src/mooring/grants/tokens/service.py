"""Access tokens, each of one grant, and the codes that they are exchanged for. Only hashes are kept."""

from datetime import datetime, timedelta

from mooring.applications import Application
from mooring.errors import InvalidRequest, NotFound, Unauthorized
from mooring.grants.repository import by_id, by_token
from mooring.grants.tokens import repository
from mooring.grants.types import Grant
from mooring.ids import new_secret
from mooring.store import Database
from mooring.vault import hash_api_key

CODE_LIFE = timedelta(minutes=10)
"""How long an authorization code is good for (RFC 6749 §4.1.2 recommends at most this)."""


class Tokens:
    """Issues and revokes what opens one grant alone."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def issue(self, grant: Grant) -> str:
        """A new access token for this grant; nobody can read it again."""
        token = new_secret()
        await repository.insert_token(self._db, hash_api_key(token), grant.id)
        return token

    async def grant_of(self, token: str) -> Grant:
        """The grant that this token opens.

        Raises:
            Unauthorized: none.
        """
        grant = await by_token(self._db, hash_api_key(token))
        if grant is None:
            raise Unauthorized("This access token belongs to no account.")
        return grant

    async def issued_at(self, grant: Grant, token: str) -> datetime:
        """When this token of the grant was issued.

        Raises:
            NotFound: the grant has no such token, or no more.
        """
        at = await repository.token_issued_at(self._db, grant.id, hash_api_key(token))
        if at is None:
            raise NotFound("This access token is none of the account's.")
        return at

    async def revoke(self, token: str) -> None:
        """Have this token open nothing any more."""
        await repository.delete_token(self._db, hash_api_key(token))

    async def revoke_all(self, grant: Grant, *, keep: str | None) -> None:
        """Have every token of the grant open nothing any more, but this one.

        Raises:
            InvalidRequest: the one to keep is none of the grant's; then all stay.
        """
        kept = hash_api_key(keep) if keep else None
        if kept is not None and await repository.token_issued_at(self._db, grant.id, kept) is None:
            raise InvalidRequest(
                "keep_access_token is no access token of this account.",
                hint="Nothing was revoked. Leave it out to revoke all.",
            )
        await repository.delete_tokens(self._db, grant.id, but=kept)

    async def issue_code(self, grant: Grant) -> str:
        """A code that can be exchanged for a token once, within ten minutes."""
        code = new_secret()
        await repository.insert_code(self._db, hash_api_key(code), grant, CODE_LIFE)
        return code

    async def redeem_code(self, application: Application, code: str) -> Grant:
        """The grant of a code, which is used up by this.

        Raises:
            Unauthorized: it is unknown, used, expired, or another application's.
        """
        grant_id = await repository.take_code(self._db, application.id, hash_api_key(code))
        grant = await by_id(self._db, grant_id) if grant_id is not None else None
        if grant is None:
            raise Unauthorized("This code is unknown, was used already, or has expired.")
        return grant
