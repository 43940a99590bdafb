"""What a server said, as it may be shown: one line, and without our own secrets. Pure."""

import base64
import binascii
import re
from collections.abc import Iterable

SERVER_SAID_MAX = 256
"""Characters of a server's words that are passed on."""

_LONGEST = 4096
"""Characters that are looked at: more than anybody is shown, and few enough to be looked through at once."""

_REMOVED = "***"
"""What stands where a secret stood."""

_BASE64 = re.compile(r"[A-Za-z0-9+/]{4,}={0,2}")
"""A word that may be Base64 (RFC 4648 §4)."""


def cleaned(text: str, secrets: Iterable[str] = ()) -> str:
    """The text without control characters, and without these secrets in any spelling that we send them in.

    Of a longer one the beginning, some 4,000 characters.
    """
    known = tuple(filter(None, secrets))
    if is_cut := len(text) > _LONGEST:
        text = text[:_LONGEST]
    for secret in known:
        quoted = secret.replace("\\", "\\\\").replace('"', '\\"')
        text = text.replace(quoted, _REMOVED).replace(secret, _REMOVED)
        text = _BASE64.sub(lambda word, secret=secret: _unless_it_holds(secret, word[0]), text)
    if is_cut:
        # What was cut in two is not recognised: neither a secret at the end, nor the Base64 of one.
        text = text[: -2 * max(map(len, known), default=0) or None]
        text = text.rpartition(" ")[0] or text
    return "".join(c if c.isprintable() else " " for c in text).strip()


def _unless_it_holds(secret: str, word: str) -> str:
    """The word, unless it is Base64 of something with the secret in it, as SASL sends it."""
    try:
        decoded = base64.b64decode(word + "=" * (-len(word) % 4), validate=True)
    except binascii.Error:
        return word
    return _REMOVED if secret.encode("utf-8", "replace") in decoded else word
