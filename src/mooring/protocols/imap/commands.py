"""From what a caller wants to the bytes that say it; how literals travel is decided here (RFC 9051 §4.3)."""

import re
from collections.abc import Iterable
from datetime import date, datetime
from enum import Enum, StrEnum

from mooring.errors import InvalidRequest

MAX_MINUS = 4096
"""Bytes of a literal that LITERAL- sends without asking first (RFC 7888 §5)."""

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_QUOTABLE = re.compile(rb"[\x20-\x7e]*")
_ATOM = re.compile(r"[^\x00-\x20\x7f-\U0010ffff()\{%*\"\\\]]+")
_FLAG = re.compile(r"\\?[^\x00-\x20\x7f-\U0010ffff()\{%*\"\\\]]+")
_CRITERIA = re.compile(r'"((?:[^"\\]|\\.)*)"|([^"]+)', re.DOTALL)
_PLAIN_CRITERIA = re.compile(r"[\x20-\x7a|}~]*")
_MAX_QUOTED = 1_000
"""Bytes of a quoted string; servers limit the length of a line, and a longer one travels as a literal."""


class Verb(StrEnum):
    """The commands that we send."""

    APPEND = "APPEND"
    AUTHENTICATE = "AUTHENTICATE"
    CAPABILITY = "CAPABILITY"
    CLOSE = "CLOSE"
    COMPRESS = "COMPRESS"
    CREATE = "CREATE"
    DELETE = "DELETE"
    ENABLE = "ENABLE"
    EXAMINE = "EXAMINE"
    EXPUNGE = "EXPUNGE"
    ID = "ID"
    IDLE = "IDLE"
    LIST = "LIST"
    LOGIN = "LOGIN"
    LOGOUT = "LOGOUT"
    NAMESPACE = "NAMESPACE"
    NOOP = "NOOP"
    RENAME = "RENAME"
    SELECT = "SELECT"
    STARTTLS = "STARTTLS"
    STATUS = "STATUS"
    SUBSCRIBE = "SUBSCRIBE"
    UID_COPY = "UID COPY"
    UID_EXPUNGE = "UID EXPUNGE"
    UID_FETCH = "UID FETCH"
    UID_MOVE = "UID MOVE"
    UID_SEARCH = "UID SEARCH"
    UID_STORE = "UID STORE"
    UNSELECT = "UNSELECT"
    UNSUBSCRIBE = "UNSUBSCRIBE"


class LiteralMode(Enum):
    """Whether a literal may be sent without waiting for the server's leave (RFC 7888)."""

    SYNCHRONISING = "ask first"
    MINUS = "small ones at once"
    PLUS = "all at once"


class Literal:
    """Bytes that are sent as they are; shown as a count only."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data

    def __repr__(self) -> str:
        return f"Literal({len(self.data)} bytes)"


class Command:
    """A verb and its arguments. Its repr is the verb alone, since arguments can be secret."""

    __slots__ = ("_pieces", "verb")

    def __init__(self, verb: Verb, *arguments: "str | bytes | Literal") -> None:
        """
        Args:
            arguments: text and bytes go out as they are, one space apart but for brackets; literals as literals.
        """
        self.verb = verb
        self._pieces = arguments

    def __repr__(self) -> str:
        return f"Command({self.verb})"

    def encode(self, tag: str, mode: LiteralMode) -> list[list[bytes]]:
        """The command in stages; before each stage but the first, the server must have said ``+``.

        Each stage is a list, so that a large literal is not copied to sit beside its neighbours.
        """
        stage: list[bytes] = []
        stages = [stage]
        text = f"{tag} {self.verb}".encode()
        for piece in self._pieces:
            if not isinstance(piece, Literal):
                data = piece.encode() if isinstance(piece, str) else piece
                text += data if data.startswith(b")") or text.endswith(b"(") else b" " + data
                continue
            waits = mode is LiteralMode.SYNCHRONISING or (mode is LiteralMode.MINUS and len(piece.data) > MAX_MINUS)
            stage.append(text + b" {%d%s}\r\n" % (len(piece.data), b"" if waits else b"+"))
            if waits:
                stage = []
                stages.append(stage)
            stage.append(piece.data)
            text = b""
        stage.append(text + b"\r\n")
        return stages


def octets(text: str) -> bytes:
    """The text as UTF-8.

    Raises:
        InvalidRequest: it holds NUL or half a surrogate pair; the text, which may be secret, is not in the error.
    """
    if "\0" in text:
        raise InvalidRequest("a NUL cannot be sent to an IMAP server")
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise InvalidRequest("a text for an IMAP server is not valid Unicode") from None


def string(value: bytes | str) -> bytes | Literal:
    """A value of any content as one argument: quoted where the grammar allows it, else a literal.

    Raises:
        InvalidRequest: see ``octets``.
    """
    data = octets(value) if isinstance(value, str) else value
    if len(data) > _MAX_QUOTED or not _QUOTABLE.fullmatch(data):
        return Literal(data)
    return b'"' + data.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def nullable_string(value: str | None) -> bytes | Literal:
    return b"NIL" if value is None else string(value)


def atom(value: str) -> str:
    """The value itself, made sure that it is one word and nothing else.

    Raises:
        InvalidRequest.
    """
    if not _ATOM.fullmatch(value):
        raise InvalidRequest(f"{value!r} is not a word of IMAP's")
    return value


def flag_list(flags: Iterable[str]) -> str:
    """``(\\Seen $Work)``.

    Raises:
        InvalidRequest: one of them cannot be a flag.
    """
    words = sorted(flags)
    for word in words:
        if not _FLAG.fullmatch(word):
            raise InvalidRequest(f"{word!r} cannot be a flag")
    return f"({' '.join(words)})"


def date_text(day: date) -> str:
    """``1-Feb-1994``, for SEARCH; never in the machine's language."""
    return f"{day.day}-{_MONTHS[day.month - 1]}-{day.year:04}"


def date_time(moment: datetime) -> str:
    """``"17-Jul-1996 02:44:25 -0700"``, for APPEND (RFC 9051 §9, date-time).

    Raises:
        InvalidRequest: the moment has no zone.
    """
    offset = moment.utcoffset()
    if offset is None:
        raise InvalidRequest("the date of a message needs a time zone")
    minutes = round(offset.total_seconds() / 60)
    sign = "-" if minutes < 0 else "+"
    hours, minutes = divmod(abs(minutes), 60)
    day = f"{moment.day:2}-{_MONTHS[moment.month - 1]}-{moment.year:04}"
    return f'"{day} {moment:%H:%M:%S} {sign}{hours:02}{minutes:02}"'


def quoted(text: str) -> str:
    """Any text as one quoted word of search criteria."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def criteria(text: str) -> list[str | bytes | Literal]:
    """Search keys as arguments, quoted words of any script among them.

    Raises:
        InvalidRequest: a quote is open, or what is not quoted is not plain ASCII.
    Source: RFC 9051 §6.4.4.
    """
    arguments: list[str | bytes | Literal] = []
    at = 0
    for found in _CRITERIA.finditer(text):
        if found.start() != at:
            break
        at = found.end()
        if found[1] is not None:
            arguments.append(string(re.sub(r"\\(.)", r"\1", found[1], flags=re.DOTALL)))
        elif not _PLAIN_CRITERIA.fullmatch(found[2]):
            raise InvalidRequest("search words other than plain ASCII need quotes")
        elif found[2].strip():
            arguments.append(found[2].strip())
    if at != len(text) or not arguments:
        raise InvalidRequest("these search criteria cannot be read")
    return arguments
