"""Which protocol somebody speaks, by the first bytes that were heard. Pure."""

import re

UNKNOWN = "unknown"

_BEGINNINGS: tuple[tuple[str, re.Pattern[bytes]], ...] = (
    ("tls", re.compile(rb"[\x14-\x17]\x03[\x00-\x04]")),
    ("imap", re.compile(rb"\* (?:OK|NO|BAD|BYE|PREAUTH)\b", re.IGNORECASE)),
    ("http", re.compile(rb"HTTP/\d|<(?:!doctype )?html", re.IGNORECASE)),
    ("ssh", re.compile(rb"SSH-\d")),
    ("pop3", re.compile(rb"\+OK\b|-ERR\b")),
    # FTP greets with 220 as well, and mostly says what it is.
    ("smtp", re.compile(rb"(?!.{0,120}\bFTP)(?:220|421|4[57]\d|5[0257]\d)(?:[ -]|\r?\n)", re.IGNORECASE)),
)
"""RFC 8446 §5.1, 9051 §7.1, 9112 §4, 4253 §4.2, 1939 §3, 5321 §4.2."""

_REFUSAL = re.compile(rb"\* BYE\b|[45]\d\d[ -]", re.IGNORECASE)


def spoken(first: bytes) -> str:
    """The protocol: ``imap``, ``smtp``, ``pop3``, ``http``, ``ssh``, ``tls`` or ``unknown``; "" of silence."""
    if not first:
        return ""
    return next((name for name, beginning in _BEGINNINGS if beginning.match(first)), UNKNOWN)


def is_refusal(first: bytes) -> bool:
    """Whether these are the words by which an IMAP or SMTP server turns somebody away before anything was asked."""
    return _REFUSAL.match(first) is not None


def as_text(first: bytes) -> str:
    """Those words, as far as they are some."""
    return first.decode("utf-8", "replace")
