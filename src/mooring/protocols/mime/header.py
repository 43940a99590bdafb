"""Header fields: found, unfolded, decoded; tolerant of everything that mail programs have written."""

import binascii
import re
from calendar import timegm
from datetime import UTC, datetime
from email.utils import parsedate_tz

from mooring.protocols.mime.charset import clean, decode

MAX_FIELDS = 5_000  # fields that are looked at in one header; real mail has under 200
MAX_VALUE = 262_144  # bytes of one field that are looked at; a To of some 4,000 recipients
_MAX_DATE = 200  # characters of a Date field; RFC 5322 needs 37
_LAST_SECOND = 253_402_300_799  # 9999-12-31T23:59:59Z, the last that Python and PostgreSQL share

_START = re.compile(rb"(?:\xef\xbb\xbf)?(?:>?From (?![ \t]*:)[^\r\n]*\r?\n)?")
_END = re.compile(rb"\n\r?\n")
_FIELD = re.compile(rb"^([!-9;-~]+)[ \t]*:([^\n]*+(?:\n[ \t][^\n]*+)*+)", re.MULTILINE)
_FOLD = re.compile(r"\r?\n[ \t]*")
_WORD = re.compile(r"=\?([^?\s]{1,64})\?([bBqQ])\?([^?]*)\?=")
_ID = re.compile(r"<([^<>]+)")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]+")


def beginning(raw: bytes) -> int:
    """Where the header begins: behind a byte order mark or an mbox ``From `` line, if there is one."""
    match = _START.match(raw)
    return match.end() if match else 0


def raw_header_block(raw: bytes) -> bytes:
    """The header with the empty line that ends it; the body is not copied."""
    start = beginning(raw)
    for empty in (b"\r\n", b"\n"):
        if raw.startswith(empty, start):
            return empty
    end = _END.search(raw, start)
    return raw[start : end.end()] if end else raw[start:]


def fields(block: bytes) -> list[tuple[str, bytes]]:
    """Every field of a header block in order, with its raw folded value, cut at MAX_VALUE.

    Lines that are no field are passed over, so that one broken line does not hide the rest.
    """
    found: list[tuple[str, bytes]] = []
    for match in _FIELD.finditer(block):
        found.append((match[1].decode("ascii"), match[2][:MAX_VALUE]))
        if len(found) == MAX_FIELDS:
            break
    return found


def headers(raw: bytes) -> list[tuple[str, str]]:
    """All header fields of a message, decoded, in order."""
    return [(name, words(unfold(value)).strip()) for name, value in fields(raw_header_block(raw))]


def unfold(value: bytes) -> str:
    """The value on one line, encoded words left as they are."""
    return _FOLD.sub(" ", decode(value)[0]).replace("\r", " ").strip()


def words(text: str) -> str:
    """The text with its encoded words decoded; on one line.

    Neighbours in the same charset are joined before decoding, since some senders cut characters in two.

    Source: RFC 2047 section 6.2.
    """
    if "=?" not in text:
        return text
    out: list[str] = []
    pending: list[bytes] = []
    charset, last = "", 0
    for match in _WORD.finditer(text):
        gap = text[last : match.start()]
        label = match[1].partition("*")[0].lower()
        adjacent = bool(charset) and not gap.strip()
        if not (adjacent and label == charset):
            out.append(decode(b"".join(pending), charset)[0])
            pending.clear()
        if not adjacent:
            out.append(gap)
        pending.append(_payload(match[2], match[3]))
        charset, last = label, match.end()
    out += (decode(b"".join(pending), charset)[0], text[last:])
    return clean("".join(out).replace("\r", " ").replace("\n", " "))


def _payload(encoding: str, text: str) -> bytes:
    data = text.encode("utf-8", "replace")
    if encoding in "qQ":
        return binascii.a2b_qp(data, header=True)
    return lenient_base64(data)


def lenient_base64(data: bytes) -> bytes:
    """What can be had of base64: foreign characters are skipped, a cut end is completed.

    Source: RFC 2045 section 6.8 (ignore characters outside of the alphabet; padding ends the data).
    """
    letters = _NOT_BASE64.sub(b"", data.partition(b"=")[0])
    if len(letters) % 4 == 1:
        letters = letters[:-1]
    return binascii.a2b_base64(letters + b"=" * (-len(letters) % 4))


def ids(value: str) -> list[str]:
    """The message identifiers in a References, In-Reply-To or Message-ID value: each once, in order, without <>."""
    found = _ID.findall(value) or [token.strip("<>,;\"'") for token in value.split() if "@" in token]
    joined = ("".join(one.split()) for one in found)
    return list(dict.fromkeys(one for one in joined if one))


def unix_date(value: str) -> int | None:
    """A Date value in unix seconds, or None; a missing zone counts as UTC.

    Source: RFC 5322 section 3.3 and 4.3; ISO 8601 as some programs write it.
    """
    value = value[:_MAX_DATE]
    try:
        parsed = parsedate_tz(value)
        if parsed is not None:
            seconds = timegm((*parsed[:6], 0, 0, 0)) - (parsed[9] or 0)
        else:
            moment = datetime.fromisoformat(value)
            seconds = int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError, IndexError, TypeError):
        return None
    return seconds if 0 <= seconds <= _LAST_SECOND else None
