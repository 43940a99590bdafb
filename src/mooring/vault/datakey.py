"""A key for the data of one grant: with it gone, so is everything that it encrypted."""

import os
import threading
from functools import lru_cache
from typing import Self

import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import GCM

from mooring.large import WINDOW, windows
from mooring.vault.errors import VaultError
from mooring.vault.keyring import Vault

_KEY_BYTES = 32
_NONCE_BYTES = 12
_TAG_BYTES = 16
_PLAIN = b"\x01"
_PACKED = b"\x02"
# zstandard's levels go to 22; on mail, 3 gains half a percent over 1 for a seventh more work (measured).
_LEVEL = 1
# Ciphers that are kept ready: each weighs 2.4 KiB (measured), and of a thousand mailboxes few are at work at a time.
_READY = 64
# Larger than any message that a server takes, and small enough for the memory of a worker.
MAX_UNPACKED_BYTES = 256 * 1024 * 1024


class _Codecs(threading.local):
    """One compressor and one decompressor per thread: they are costly to make, and not to be shared."""

    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(level=_LEVEL)
        self.decompressor = zstandard.ZstdDecompressor()


_codecs = _Codecs()


@lru_cache(maxsize=_READY)
def _cipher(key: bytes) -> AESGCM:
    return AESGCM(key)


class DataKey:
    """Encrypts and packs a grant's data; usable from any thread.

    What it encrypts is ``version | nonce (12) | AES-256-GCM ciphertext and tag``; the version tells whether
    the plaintext is compressed, and is authenticated with the caller's data. Megabytes are encrypted a window at
    a time, to the same bytes.
    """

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        self._key = key

    @classmethod
    def generate(cls, vault: Vault, *, context: bytes) -> tuple[Self, bytes]:
        """A new key, and its sealed form, the only one to store.

        Args:
            context: whose key it is, such as ``b"grant:ID:key"``.
        """
        key = os.urandom(_KEY_BYTES)
        return cls(key), vault.seal(key, context=context)

    @classmethod
    def unseal(cls, vault: Vault, sealed: bytes, *, context: bytes) -> Self:
        """The key whose sealed form this is.

        Raises:
            VaultError: as for ``Vault.open``.
        """
        return cls(vault.open(sealed, context=context))

    def encrypt(self, plaintext: bytes, aad: bytes) -> bytes:
        """Encrypt, bound to what it belongs to.

        Args:
            aad: authenticated and not stored, such as the message's id; needed to decrypt.
        """
        return self._encrypt(_PLAIN, plaintext, aad)

    def decrypt(self, data: bytes, aad: bytes) -> bytes:
        """What ``encrypt`` was given.

        Raises:
            VaultError: it was changed, or belongs to something else, or to another key.
        """
        return self._decrypt(_PLAIN, data, aad)

    def pack(self, data: bytes, aad: bytes) -> bytes:
        """Compress, then encrypt."""
        return self._encrypt(_PACKED, _codecs.compressor.compress(data), aad)

    def unpack(self, packed: bytes, aad: bytes, *, max_output_size: int = MAX_UNPACKED_BYTES) -> bytes:
        """What ``pack`` was given.

        Args:
            max_output_size: bytes; more than that is refused before it is unpacked.

        Raises:
            VaultError: it was changed, belongs to something else or to another key, or is too large.
        """
        frame = self._decrypt(_PACKED, packed, aad)
        try:
            size = zstandard.frame_content_size(frame)
            if size > max_output_size:
                raise VaultError(f"a packed value unpacks to {size} bytes; at most {max_output_size} are allowed")
            return _codecs.decompressor.decompress(frame, max_output_size=max_output_size)
        except zstandard.ZstdError:
            raise VaultError("a packed value cannot be decompressed") from None

    def _encrypt(self, version: bytes, plaintext: bytes, aad: bytes) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        if len(plaintext) <= WINDOW:
            return b"".join((version, nonce, _cipher(self._key).encrypt(nonce, plaintext, version + aad)))
        encryptor = Cipher(AES256(self._key), GCM(nonce)).encryptor()
        encryptor.authenticate_additional_data(version + aad)
        pieces = [encryptor.update(plaintext[start:end]) for start, end in windows(len(plaintext))]
        return b"".join((version, nonce, *pieces, encryptor.finalize(), encryptor.tag))

    def _decrypt(self, version: bytes, data: bytes, aad: bytes) -> bytes:
        if data[:1] != version or len(data) < 1 + _NONCE_BYTES + _TAG_BYTES:
            raise VaultError("this is not an encrypted value of a known version")
        nonce, begin = data[1 : 1 + _NONCE_BYTES], 1 + _NONCE_BYTES
        try:
            if len(data) <= WINDOW:
                return _cipher(self._key).decrypt(nonce, data[begin:], version + aad)
            decryptor = Cipher(AES256(self._key), GCM(nonce, data[-_TAG_BYTES:])).decryptor()
            decryptor.authenticate_additional_data(version + aad)
            spans = windows(len(data) - _TAG_BYTES - begin)
            pieces = [decryptor.update(data[begin + start : begin + end]) for start, end in spans]
            return b"".join((*pieces, decryptor.finalize()))
        except InvalidTag:
            raise VaultError("an encrypted value was changed, or belongs somewhere else") from None
