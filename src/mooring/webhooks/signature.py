"""How an endpoint knows that a delivery is ours."""

import hashlib
import hmac

HEADER = "X-Nylas-Signature"
"""The name that the SDKs' users look for (contract 5.4)."""


def sign(secret: str, body: bytes) -> str:
    """The signature of a body as it is sent, compressed or not: HMAC-SHA256, in lower-case hexadecimal digits."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
