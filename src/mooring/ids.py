"""Identifiers: every one matches ``[A-Za-z0-9_-]+``, since the SDKs put some of them into paths unquoted."""

import base64
import hashlib
import secrets
import uuid


def new_id() -> str:
    """A random identifier, 32 hexadecimal digits of a UUID 4."""
    return uuid.uuid4().hex


def new_secret(bits: int = 256) -> str:
    """A random secret in URL-safe letters, with at least the given entropy."""
    return secrets.token_urlsafe((bits + 7) // 8)


def digest_id(*parts: bytes | str) -> str:
    """The same identifier for the same parts: 144 bits of SHA-256, as 24 URL-safe letters.

    The parts are length-prefixed, so that ("ab", "c") and ("a", "bc") differ.
    """
    h = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        h.update(len(data).to_bytes(8, "big"))
        h.update(data)
    return base64.urlsafe_b64encode(h.digest()[:18]).decode()
