"""Mailbox names: text for callers, modified UTF-7 (or UTF-8, once enabled) on the wire.

Source: RFC 3501 §5.1.3, RFC 6855 §3.
"""

import base64
import binascii
import re

from mooring.errors import InvalidRequest

_SHIFTED = re.compile(rb"&([^&-]*)-")
_TO_ENCODE = re.compile(r"&|[^\x20-\x7e]+")


def encode_mailbox(name: str | bytes, *, utf8: bool = False) -> bytes:
    """The name as it goes over the wire, before quoting; bytes are a server's own spelling and stay as they are.

    Args:
        utf8: whether UTF8=ACCEPT is enabled on this connection.
    Raises:
        InvalidRequest: the text holds half a surrogate pair, or the name holds NUL, CR or LF where it cannot be sent.
    """
    if isinstance(name, bytes):
        return _sendable(name)
    try:
        return _sendable(name.encode()) if utf8 else _TO_ENCODE.sub(_shift_out, name).encode("ascii")
    except UnicodeEncodeError as e:
        raise InvalidRequest("the folder name is not valid Unicode text") from e


def decode_mailbox(wire: bytes, *, utf8: bool = False) -> str:
    """The name as text that any store can hold; never fails.

    A name that breaks the encoding is shown as the server spelt it. Such a name can only be given back to
    the server in its wire form, which therefore travels beside the text.
    """
    if wire.upper() == b"INBOX":
        return "INBOX"
    if not utf8:
        name = _strict(wire)
        if name is not None:
            return name
    return readable(wire)


def readable(raw: bytes) -> str:
    """A server's bytes as text without NUL: UTF-8, or else Latin-1, which knows every byte."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    return text.replace("\0", "\ufffd")


def _sendable(wire: bytes) -> bytes:
    if any(byte in wire for byte in (b"\0", b"\r", b"\n")):
        raise InvalidRequest("a folder name cannot hold NUL, CR or LF")
    return wire


def _shift_out(found: re.Match[str]) -> str:
    text = found[0]
    if text == "&":
        return "&-"
    packed = base64.b64encode(text.encode("utf-16-be")).rstrip(b"=").replace(b"/", b",")
    return f"&{packed.decode()}-"


def _shift_in(found: re.Match[bytes]) -> bytes:
    packed = found[1].replace(b",", b"/")
    if not packed:
        return b"&"
    return base64.b64decode(packed + b"=" * (-len(packed) % 4), validate=True).decode("utf-16-be").encode()


def _strict(wire: bytes) -> str | None:
    """The decoded name, provided that encoding it gives the same bytes again."""
    try:
        name = _SHIFTED.sub(_shift_in, wire).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    return name if "\0" not in name and encode_mailbox(name) == wire else None
