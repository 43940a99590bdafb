"""From framed responses to typed ones: a table from the word of a response to its reader.

What we do not know, or cannot read, comes out as Unparsed: one odd line must not cost a connection. Only a
line that belongs to no kind of response at all is an error.
"""

import re
from collections.abc import Callable

from mooring.errors import RemoteProtocolError
from mooring.protocols.imap.fetched import parse_fetch
from mooring.protocols.imap.framing import Response
from mooring.protocols.imap.names import readable
from mooring.protocols.imap.sequence import UidSet
from mooring.protocols.imap.types import (
    Capabilities,
    Continuation,
    Enabled,
    Event,
    Exists,
    Expunge,
    ListedMailbox,
    MailboxFlags,
    MailboxStatus,
    Namespace,
    Namespaces,
    News,
    Recent,
    ResponseText,
    SearchResult,
    ServerId,
    Status,
    StatusResponse,
    Tagged,
    Unparsed,
    Vanished,
)
from mooring.protocols.imap.wire import Cursor, bounded, capability_set, flag_set
from mooring.steps import Steps, at_once

_UNTAGGED = re.compile(rb"\* +(?:(\d{1,10}) +)?([A-Za-z0-9\-]+) ?")
_TAGGED = re.compile(rb"([^\s+*(){%\"\\]+) +(OK|NO|BAD)(?: |$)", re.IGNORECASE)
_CODE = re.compile(rb'\[([^\s\]"]+)(?: ((?:"(?:[^"\\]|\\.)*"|[^\]"])*))?\] ?')

STATUS_ITEMS = {
    b"MESSAGES": "messages",
    b"UNSEEN": "unseen",
    b"UIDNEXT": "uid_next",
    b"UIDVALIDITY": "uid_validity",
    b"HIGHESTMODSEQ": "highest_modseq",
    b"SIZE": "size",
}
"""STATUS items (RFC 9051 §6.3.11, RFC 7162 §3.1.7, RFC 8438) and our names for them."""


def parse_response(response: Response, *, utf8: bool = False) -> Event:
    """What this response says.

    Args:
        utf8: whether mailbox names come as UTF-8 (UTF8=ACCEPT is enabled).
    Raises:
        RemoteProtocolError: the line is neither untagged, nor tagged, nor a continuation.
    """
    line = response.line
    if line.startswith(b"* "):
        return _untagged(response, utf8=utf8)
    if line.startswith(b"+"):
        return Continuation(line[1:].lstrip(b" "))
    tagged = _TAGGED.match(line)
    if tagged is None:
        raise RemoteProtocolError(f"the server does not speak IMAP: it sent {readable(line[:60])!r}")
    return Tagged(readable(tagged[1]), Status(tagged[2].decode().upper()), parse_text(line[tagged.start(2) :]))


def reading(response: Response, *, utf8: bool = False) -> Steps[Event]:
    """``parse_response`` in steps; there are several for what holds many UIDs.

    Raises: as ``parse_response``.
    """
    head = _UNTAGGED.match(response.line)
    steps = _STEPWISE.get(head[2].upper()) if head is not None and head[1] is None else None
    if head is None or steps is None:
        return parse_response(response, utf8=utf8)
    try:
        return (yield from steps(Cursor(response, head.end(), utf8=utf8)))
    except RemoteProtocolError as e:
        return Unparsed(response.line, e.message)


def parse_text(raw: bytes) -> ResponseText:
    """The text of a status response, from its status word on (RFC 9051 §7.1)."""
    _, _, said = raw.partition(b" ")
    code = _CODE.match(said)
    if code is None:
        return ResponseText(None, "", readable(said), raw)
    return ResponseText(readable(code[1]).upper(), readable(code[2] or b""), readable(said[code.end() :]), raw)


def _untagged(response: Response, *, utf8: bool) -> News:
    head = _UNTAGGED.match(response.line)
    if head is None:
        return Unparsed(response.line, "no word that names the response")
    word = head[2].upper()
    try:
        if head[1] is not None:
            return _numbered(response, word, int(head[1]), head.end())
        if word in _STATUSES:
            return StatusResponse(_STATUSES[word], parse_text(response.line[head.start(2) :]))
        steps = _STEPWISE.get(word)
        if steps is not None:
            return at_once(steps(Cursor(response, head.end(), utf8=utf8)))
        read = _READERS.get(word)
        if read is not None:
            return read(Cursor(response, head.end(), utf8=utf8))
    except RemoteProtocolError as e:
        return Unparsed(response.line, e.message)
    return Unparsed(response.line, "unknown")


def _numbered(response: Response, word: bytes, number: int, start: int) -> News:
    match word:
        case b"FETCH":
            return parse_fetch(response, number, start)
        case b"EXISTS":
            return Exists(number)
        case b"EXPUNGE":
            return Expunge(number)
        case b"RECENT":
            return Recent(number)
        case _:
            return Unparsed(response.line, "unknown")


def _list(cursor: Cursor) -> ListedMailbox:
    """RFC 9051 §7.3.1; extended data after the name is left alone."""
    attributes = flag_set(cursor.words())
    delimiter = cursor.nullable_string()
    name, wire = cursor.mailbox()
    return ListedMailbox(name, wire, readable(delimiter) if delimiter else None, attributes)


def _status(cursor: Cursor) -> MailboxStatus:
    name, wire = cursor.mailbox()
    values: dict[str, int] = {}
    cursor.expect(b"(")
    while not cursor.accept(b")"):
        item = STATUS_ITEMS.get(cursor.word().upper())
        if item is None:
            cursor.skip_value()
        elif not cursor.accept_nil():
            values[item] = cursor.number()
    return MailboxStatus(name, wire, **values)


def _flags(cursor: Cursor) -> MailboxFlags:
    return MailboxFlags(flag_set(cursor.words()))


def _capability(cursor: Cursor) -> Capabilities:
    return Capabilities(capability_set(cursor.rest()))


def _enabled(cursor: Cursor) -> Enabled:
    return Enabled(capability_set(cursor.rest()))


def _search(cursor: Cursor) -> Steps[News]:
    """RFC 3501 §7.2.5, with RFC 7162's ``(MODSEQ n)`` at the end."""
    numbers, _, modseq = cursor.rest().partition(b"(")
    found = re.match(rb"MODSEQ (\d{1,20})\)", modseq, re.IGNORECASE)
    uids = yield from UidSet.reading_numbers(numbers)
    return SearchResult(uids, bounded(found[1]) if found else None)


def _esearch(cursor: Cursor) -> Steps[News]:
    """RFC 4731 §3: the same answer, as IMAP4rev2 servers give it."""
    uids, modseq = UidSet(), None
    if cursor.is_at(b"("):
        cursor.skip_value()
    while not cursor.is_at_end():
        match cursor.word().upper():
            case b"UID":
                pass
            case b"ALL":
                uids = yield from UidSet.reading(cursor.long_word())
            case b"MODSEQ":
                modseq = cursor.number()
            case _:
                cursor.skip_value()
    return SearchResult(uids, modseq)


def _vanished(cursor: Cursor) -> Steps[News]:
    earlier = cursor.is_at(b"(") and b"EARLIER" in cursor.words().upper()
    uids = yield from UidSet.reading(cursor.long_word())
    return Vanished(uids, earlier)


def _namespace(cursor: Cursor) -> Namespaces:
    return Namespaces(_prefixes(cursor), _prefixes(cursor), _prefixes(cursor))


def _prefixes(cursor: Cursor) -> tuple[Namespace, ...]:
    if cursor.accept_nil():
        return ()
    found: list[Namespace] = []
    cursor.expect(b"(")
    while not cursor.accept(b")"):
        cursor.expect(b"(")
        prefix, _ = cursor.mailbox()
        delimiter = cursor.nullable_string()
        found.append(Namespace(prefix, readable(delimiter) if delimiter else None))
        while not cursor.accept(b")"):
            cursor.skip_value()
    return tuple(found)


def _id(cursor: Cursor) -> ServerId:
    fields: dict[str, str] = {}
    if not cursor.accept_nil():
        cursor.expect(b"(")
        while not cursor.accept(b")"):
            key, value = cursor.string(), cursor.nullable_string()
            fields[readable(key).lower()] = readable(value or b"")
    return ServerId(fields)


_STATUSES = {status.encode(): status for status in Status}
_READERS: dict[bytes, Callable[[Cursor], News]] = {
    b"CAPABILITY": _capability,
    b"ENABLED": _enabled,
    b"FLAGS": _flags,
    b"ID": _id,
    b"LIST": _list,
    b"NAMESPACE": _namespace,
    b"STATUS": _status,
}
_STEPWISE: dict[bytes, Callable[[Cursor], Steps[News]]] = {
    b"ESEARCH": _esearch,
    b"SEARCH": _search,
    b"VANISHED": _vanished,
}
