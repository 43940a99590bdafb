"""The key ring: a file of keys, one of them active, and what it seals.

The file is the root of all secrets: whoever has it and the database reads everything, and without it
nothing can be read. A sealed value is

    version (1 byte) | key id (8) | nonce (12) | AES-256-GCM ciphertext and tag

and the version, the key id and the caller's context are authenticated with it, so that a value cannot
be moved to another row, or to another purpose.
"""

import base64
import fcntl
import hmac
import os
import secrets
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Self

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mooring.clock import Clock, SystemClock
from mooring.errors import ConfigError
from mooring.vault.errors import VaultError

_VERSION = b"\x01"
_KEY_ID_BYTES = 8
_KEY_BYTES = 32
# NIST SP 800-38D §8.2.2: random nonces of 96 bits, at most 2^32 values per key.
_NONCE_BYTES = 12
_TAG_BYTES = 16
_HEADER_BYTES = len(_VERSION) + _KEY_ID_BYTES


class _Key(msgspec.Struct, frozen=True, kw_only=True):
    id: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{16}$")]
    created_at: datetime
    key: str
    active: bool = False

    def __repr__(self) -> str:
        return f"<key {self.id}>"


class _Ring(msgspec.Struct, frozen=True):
    keys: tuple[_Key, ...]


class Vault:
    """Seals small secrets under the active key, and opens those of every key in the ring.

    Other processes may rotate the ring: a key that is not known yet is looked for in the file once more.
    """

    __slots__ = ("_active", "_ciphers", "_clock", "_fingerprint_key", "_path")

    def __init__(self, path: Path, keys: Sequence[_Key], clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._adopt(keys)

    @classmethod
    def load(cls, path: Path, *, create: bool = False, clock: Clock | None = None) -> Self:
        """Read the key ring.

        Args:
            create: make it with a first key where there is none; two processes that do so end up with the same.
            clock: tells the time that a new key bears.

        Raises:
            ConfigError: there is none, it is damaged, or others can read it.
        """
        clock = clock or SystemClock()
        if create and not path.exists():
            _write_new(path, _encode([_new_key(clock)]))
        return cls(path, _read(path), clock)

    def seal(self, plaintext: bytes, *, context: bytes) -> bytes:
        """Encrypt under the active key.

        Args:
            context: what the value is and whose, such as ``b"grant:ID:credential"``; needed to open it again.
        """
        header = _VERSION + self._active
        nonce = os.urandom(_NONCE_BYTES)
        return header + nonce + self._ciphers[self._active].encrypt(nonce, plaintext, header + context)

    def open(self, sealed: bytes, *, context: bytes) -> bytes:
        """Decrypt what was sealed for this context.

        Raises:
            VaultError: its key is not in the ring, it was sealed for another context, or it was changed.
        """
        header, body = sealed[:_HEADER_BYTES], sealed[_HEADER_BYTES:]
        if header[:1] != _VERSION or len(body) < _NONCE_BYTES + _TAG_BYTES:
            raise VaultError("this is not a sealed value of a known version")
        cipher = self._cipher(header[1:])
        try:
            return cipher.decrypt(body[:_NONCE_BYTES], body[_NONCE_BYTES:], header + context)
        except InvalidTag:
            raise VaultError("a sealed value was changed, or belongs somewhere else") from None

    def needs_reseal(self, sealed: bytes) -> bool:
        """Whether another key than the active one sealed this."""
        return sealed[:_HEADER_BYTES] != _VERSION + self._active

    def reseal(self, sealed: bytes, *, context: bytes) -> bytes:
        """The same secret under the active key.

        Raises:
            VaultError: as for ``open``.
        """
        return self.seal(self.open(sealed, context=context), context=context)

    def fingerprint(self, plaintext: bytes, *, context: bytes) -> bytes:
        """The same 16 bytes for the same value, which tell nothing of it to whoever lacks the key ring.

        With another active key they are others: for what is kept for minutes.
        """
        return hmac.digest(self._fingerprint_key, context + b"\0" + plaintext, "sha256")[:16]

    def rotate(self) -> str:
        """Add a new key and make it the active one; the old ones stay, for reading.

        Returns: the new key's id.

        Raises:
            ConfigError: the file is gone or damaged.
        """
        fresh = _new_key(self._clock)
        with _alone(self._path.parent):
            keys = [*(msgspec.structs.replace(key, active=False) for key in _read(self._path)), fresh]
            _write_draft(self._path, _encode(keys)).rename(self._path)
            _sync_folder(self._path.parent)
        self._adopt(keys)
        return fresh.id

    def _adopt(self, keys: Sequence[_Key]) -> None:
        self._ciphers = {bytes.fromhex(key.id): AESGCM(base64.b64decode(key.key)) for key in keys}
        active = next(key for key in keys if key.active)
        self._active = bytes.fromhex(active.id)
        # Another key than the one that seals, though of the same root.
        self._fingerprint_key = hmac.digest(base64.b64decode(active.key), b"mooring fingerprint", "sha256")

    def _cipher(self, key_id: bytes) -> AESGCM:
        if key_id not in self._ciphers:
            self._adopt(_read(self._path))
        try:
            return self._ciphers[key_id]
        except KeyError:
            raise VaultError(
                f"a secret was sealed with key {key_id.hex()}, which is not in {self._path}",
                hint="Restore the key ring that belongs to this database.",
            ) from None


def _new_key(clock: Clock) -> _Key:
    return _Key(
        id=secrets.token_hex(_KEY_ID_BYTES),
        created_at=clock.now(),
        key=base64.b64encode(os.urandom(_KEY_BYTES)).decode(),
        active=True,
    )


def _encode(keys: Sequence[_Key]) -> bytes:
    return msgspec.json.format(msgspec.json.encode(_Ring(tuple(keys)))) + b"\n"


def _read(path: Path) -> tuple[_Key, ...]:
    """The keys of the file, checked.

    Raises:
        ConfigError: it is not there, not readable by us alone, or not a key ring.
    """
    try:
        mode, data = path.stat().st_mode, path.read_bytes()
    except OSError as e:
        raise ConfigError(
            f"the key ring {path} cannot be read: {e.strerror}",
            hint="Restore it from your backup: without it, no stored secret can be opened.",
        ) from e
    if mode & 0o077:
        raise ConfigError(f"the key ring {path} can be read by others", hint=f"chmod 600 {path}")
    try:
        keys = msgspec.json.decode(data, type=_Ring).keys
        sound = all(len(base64.b64decode(key.key, validate=True)) == _KEY_BYTES for key in keys)
    except ValueError:
        # Without its cause, which may quote a key.
        sound, keys = False, ()
    if not sound or sum(key.active for key in keys) != 1 or len({key.id for key in keys}) != len(keys):
        raise ConfigError(f"the key ring {path} is damaged", hint="Restore it from your backup.")
    return keys


def _write_new(path: Path, data: bytes) -> None:
    """Create the file whole, unless somebody else has just done so."""
    draft = _write_draft(path, data)
    try:
        os.link(draft, path)
    except FileExistsError:
        return
    finally:
        draft.unlink()
    _sync_folder(path.parent)


@contextmanager
def _alone(folder: Path) -> Generator[None]:
    """No other process changes the ring meanwhile: a key that was lost so might have sealed something already."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _write_draft(path: Path, data: bytes) -> Path:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return draft


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
