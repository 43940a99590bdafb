"""Header lines that are seven-bit, folded and free of surprises."""

import base64
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote

from mooring.errors import InvalidRequest
from mooring.protocols.mime.charset import clean
from mooring.protocols.mime.recipients import mailbox
from mooring.protocols.mime.types import Address

_LINE = 76  # characters; RFC 5322 section 2.1.1 asks for 78, RFC 2047 section 2 for 76
_WORD_BYTES = 45  # of UTF-8 in one encoded word: 60 characters of base64 and 12 of frame, under 75 (RFC 2047)
_MAX_TOKEN = 900  # characters without a blank that stay as they are; RFC 5322 ends a line at 998
_FORBIDDEN = re.compile(r"[\r\n\0]")
_PLAIN = re.compile(r"(?:[!-~]+(?: [!-~]+)*)?")
_NAME = re.compile(r"[!-9;-~]{1,76}")
_MSG_ID = re.compile(r"[!-;=?-~]{1,900}")
_PARAM_PIECE = 60  # characters of one RFC 2231 section; each holds whole characters, as readers decode them one by one


def checked(field: str, value: str) -> str:
    """The value, if it cannot begin a new header line.

    Raises:
        InvalidRequest: it contains CR, LF or NUL; the message names the field.
    """
    if _FORBIDDEN.search(value):
        raise InvalidRequest(f"{field} must not contain line breaks or NUL characters")
    return clean(value)


def text_line(name: str, value: str, *, field: str = "") -> bytes:
    """``Name: value``, folded, as encoded words where it is not plain ASCII."""
    field = field or name.lower()
    if not _NAME.fullmatch(name):
        raise InvalidRequest(f"{field}: {clean(name)[:80]!r} cannot be the name of a header")
    value = checked(field, value)
    tokens = _tokens(value)
    lines = [f"{name}:"]
    for token in tokens:
        if len(lines[-1]) + 1 + len(token) > _LINE and lines[-1].strip():
            lines.append("")
        lines[-1] += f" {token}"
    return "\r\n".join(lines).encode("ascii") + b"\r\n"


def address_line(name: str, addresses: Iterable[Address], *, field: str) -> bytes:
    """``Name: "Display" <a@example.com>``, one address for each line."""
    listed = ",\r\n ".join(_address(one, field) for one in addresses)
    return f"{name}: {listed}\r\n".encode()


def id_line(name: str, ids: Iterable[str]) -> bytes:
    """``Name: <id>``; identifiers that are garbled are left out, since they only help threading."""
    listed = "\r\n ".join(f"<{one}>" for one in ids if _MSG_ID.fullmatch(one))
    return f"{name}: {listed}\r\n".encode("ascii") if listed else b""


def message_id(value: str) -> str:
    """A Message-ID without its brackets.

    Raises:
        InvalidRequest: it cannot be written into a header.
    """
    bare = checked("message_id", value).strip().removeprefix("<").removesuffix(">")
    if not _MSG_ID.fullmatch(bare):
        raise InvalidRequest("message_id must be printable ASCII without blanks and angle brackets")
    return bare


def parameter(name: str, value: str) -> str:
    """``; name="value"`` on lines of their own, as RFC 2231 has it where quotes do not suffice."""
    if value.isascii() and value.isprintable() and len(value) <= _PARAM_PIECE and "=?" not in value:
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f';\r\n {name}="{escaped}"'
    sections = [""]
    for char in value:
        encoded = quote(char, safe="")
        if len(sections[-1]) + len(encoded) > _PARAM_PIECE:
            sections.append("")
        sections[-1] += encoded
    sections[0] = f"utf-8''{sections[0]}"
    if len(sections) == 1:
        return f";\r\n {name}*={sections[0]}"
    return "".join(f";\r\n {name}*{number}*={section}" for number, section in enumerate(sections))


def _address(one: Address, field: str) -> str:
    email = mailbox(one.email, field).text
    name = " ".join(checked(field, one.name).split(" ")).strip()
    if not name:
        return email
    if _PLAIN.fullmatch(name) and "=?" not in name and len(name) <= _MAX_TOKEN:
        escaped = name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}" <{email}>'
    return "\r\n ".join((*_encoded_words(name), f"<{email}>"))


def _tokens(value: str) -> list[str]:
    if _PLAIN.fullmatch(value) and "=?" not in value:
        tokens = value.split(" ") if value else []
        if all(len(token) <= _MAX_TOKEN for token in tokens):
            return tokens
    return list(_encoded_words(value))


def _encoded_words(value: str) -> Iterator[str]:
    """The value as encoded words that each hold whole characters (RFC 2047 section 5)."""
    pending = bytearray()
    for char in value:
        data = char.encode()
        if len(pending) + len(data) > _WORD_BYTES:
            yield _word(pending)
            pending.clear()
        pending += data
    if pending:
        yield _word(pending)


def _word(data: bytes | bytearray) -> str:
    return f"=?utf-8?b?{base64.b64encode(data).decode('ascii')}?="
