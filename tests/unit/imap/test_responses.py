"""What servers say, as values; and that nothing they say can break the reader."""

from datetime import datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mooring.errors import ProtocolError, RemoteProtocolError
from mooring.protocols.imap.connection import Connection
from mooring.protocols.imap.framing import Framer
from mooring.protocols.imap.responses import parse_response
from mooring.protocols.imap.sequence import UidSet
from mooring.protocols.imap.types import (
    Capabilities,
    Continuation,
    Enabled,
    Event,
    Exists,
    Expunge,
    FetchedMessage,
    ListedMailbox,
    MailboxFlags,
    MailboxStatus,
    Namespace,
    Namespaces,
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
from mooring.steps import at_once

SEEN = frozenset({"\\Seen"})
CEST = timezone(timedelta(hours=2))
WITH_EVERYTHING = (
    b'* 1 FETCH (UID 9 FLAGS (\\Seen) INTERNALDATE " 1-Jul-2024 12:05:09 +0200" MODSEQ (5) '
    b"RFC822.SIZE 44 BODY[] {4}\r\na)\r\n)"
)


def parsed(data: bytes) -> Event:
    framer = Framer()
    framer.receive_data(data + b"\r\n")
    response = framer.next_response()
    assert response is not None
    return parse_response(response)


def uids(*numbers: int) -> UidSet:
    return UidSet.of(numbers)


@pytest.mark.parametrize(
    ("line", "event"),
    [
        (b"* 23 EXISTS", Exists(23)),
        (b"* 5 recent", Recent(5)),
        (b"* 44 EXPUNGE", Expunge(44)),
        (b"* VANISHED (EARLIER) 41,43:45", Vanished(uids(41, 43, 44, 45), earlier=True)),
        (b"* VANISHED 41", Vanished(uids(41), earlier=False)),
        (b"* CAPABILITY IMAP4rev1 idle", Capabilities(frozenset({"IMAP4REV1", "IDLE"}))),
        (b"* ENABLED CONDSTORE", Enabled(frozenset({"CONDSTORE"}))),
        (b"* ENABLED", Enabled(frozenset())),
        (b"* FLAGS (\\seen $Work)", MailboxFlags(frozenset({"\\Seen", "$Work"}))),
        (b"* FLAGS NIL", MailboxFlags(frozenset())),
        (b"* SEARCH 2 84 882", SearchResult(uids(2, 84, 882))),
        (b"* SEARCH", SearchResult(UidSet())),
        (b"* SEARCH 2 5 (MODSEQ 917162500)", SearchResult(uids(2, 5), 917162500)),
        (b'* ESEARCH (TAG "M1") UID COUNT 2 ALL 2,10:11 MODSEQ 7', SearchResult(uids(2, 10, 11), 7)),
        (b"* ESEARCH", SearchResult(UidSet())),
        (b'* ID ("name" "Cyrus" "version" NIL)', ServerId({"name": "Cyrus", "version": ""})),
        (b"* ID NIL", ServerId({})),
        (b"+ idling", Continuation(b"idling")),
        (b"+", Continuation(b"")),
    ],
)
def test_simple_responses(line: bytes, event: Event) -> None:
    assert parsed(line) == event


@pytest.mark.parametrize(
    ("line", "name", "wire", "delimiter", "attributes"),
    [
        (b'* LIST (\\HasNoChildren \\sent) "/" "Sent"', "Sent", b"Sent", "/", "\\HasNoChildren \\Sent"),
        (b"* LIST () NIL INBOX", "INBOX", b"INBOX", None, ""),
        (b'* LIST () "\\\\" "a\\"b\\\\c"', 'a"b\\c', b'a"b\\c', "\\", ""),
        (b'* LIST () "." {6}\r\nx "y"\n', 'x "y"\n', b'x "y"\n', ".", ""),
        (b'* LIST () "/" Entw&APw-rfe ("CHILDINFO" ("SUBSCRIBED"))', "Entwürfe", b"Entw&APw-rfe", "/", ""),
        (b'* LIST (\\Noselect)"/""no spaces"', "no spaces", b"no spaces", "/", "\\Noselect"),
        (b'* LIST () "/" "Entw\xfcrfe"', "Entwürfe", b"Entw\xfcrfe", "/", ""),
    ],
)
def test_list(line: bytes, name: str, wire: bytes, delimiter: str | None, attributes: str) -> None:
    assert parsed(line) == ListedMailbox(name, wire, delimiter, frozenset(attributes.split()))


def test_selectable() -> None:
    for line, expected in ((b'* LIST (\\noselect) "/" a', False), (b'* LIST () "/" a', True)):
        event = parsed(line)
        assert isinstance(event, ListedMailbox)
        assert event.is_selectable is expected


def test_status() -> None:
    line = b'* STATUS "a b" (MESSAGES 231 UIDNEXT 44292 X-NEW (1 2) HIGHESTMODSEQ NIL UNSEEN 3 SIZE 12345678901)'
    expected = MailboxStatus("a b", b"a b", messages=231, unseen=3, uid_next=44292, size=12345678901)
    assert parsed(line) == expected


def test_namespaces() -> None:
    line = b'* NAMESPACE (("" "/")("#mh/" NIL "X-PARAM" ("FLAG1" "FLAG2"))) NIL (("Public Folders." "."))'
    expected = Namespaces((Namespace("", "/"), Namespace("#mh/", None)), (), (Namespace("Public Folders.", "."),))
    assert parsed(line) == expected


@pytest.mark.parametrize(
    ("raw", "code", "arguments", "text"),
    [
        (b"OK done", None, "", "done"),
        (b"OK", None, "", ""),
        (b"OK [READ-WRITE] SELECT completed", "READ-WRITE", "", "SELECT completed"),
        (b"NO [alert] Quota: 95%", "ALERT", "", "Quota: 95%"),
        (b"OK [COPYUID 38505 304,319:320 3956:3958] Done", "COPYUID", "38505 304,319:320 3956:3958", "Done"),
        (b"OK [PERMANENTFLAGS (\\Deleted \\*)] ok", "PERMANENTFLAGS", "(\\Deleted \\*)", "ok"),
        (b'NO [BADCHARSET ("a]b")] no', "BADCHARSET", '("a]b")', "no"),
        (b"NO [unclosed bracket", None, "", "[unclosed bracket"),
        (b"NO pas trouv\xe9", None, "", "pas trouvé"),
    ],
)
def test_response_text_is_kept_whole(raw: bytes, code: str | None, arguments: str, text: str) -> None:
    said = ResponseText(code, arguments, text, raw)
    status = Status(raw[:2].decode())
    assert parsed(b"* " + raw) == StatusResponse(status, said)
    assert parsed(b"M7 " + raw) == Tagged("M7", status, said)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            WITH_EVERYTHING,
            FetchedMessage(9, 1, SEEN, datetime(2024, 7, 1, 12, 5, 9, tzinfo=CEST), 44, 5, b"a)\r\n"),
        ),
        (b"* 2 FETCH (FLAGS (\\SEEN))", FetchedMessage(0, 2, SEEN)),
        (b"* 2 FETCH (FLAGS NIL UID 3)", FetchedMessage(3, 2, frozenset())),
        (b'* 2 FETCH (UID 3 BODY[HEADER]<0> "short \\"text\\"")', FetchedMessage(3, 2, body=b'short "text"')),
        (b"* 2 FETCH (UID 3 BODY[] NIL)", FetchedMessage(3, 2)),
        (b"* 2 FETCH (UID 3 BODY[]NIL)", FetchedMessage(3, 2)),
        (b"* 2 fetch (uid 3flags(\\Seen)body[]{2}\r\nhi)", FetchedMessage(3, 2, SEEN, body=b"hi")),
        (b'* 2 FETCH (X-GM-LABELS ("a" (b {1}\r\nc) NIL) UID 3 BODY ("TEXT" "PLAIN"))', FetchedMessage(3, 2)),
        (b'* 2 FETCH (UID 3 INTERNALDATE "yesterday" RFC822.SIZE NIL MODSEQ NIL)', FetchedMessage(3, 2)),
        (b'* 2 FETCH (UID 3 INTERNALDATE "31-Feb-2024 12:05:09 +0200")', FetchedMessage(3, 2)),
        (b"* 2 FETCH ()", FetchedMessage(0, 2)),
    ],
)
def test_fetch(data: bytes, message: FetchedMessage) -> None:
    assert parsed(data) == message


def test_a_message_does_not_show_its_body_in_its_repr() -> None:
    assert "private words" not in repr(FetchedMessage(3, 2, body=b"private words"))


@pytest.mark.parametrize(
    "line",
    [
        b"* ",
        b"* \xff\xfe",
        b"* 1 FETCH",
        b"* 1 FETCH (UID",
        b"* 1 FETCH (UID x)",
        b"* 1 FETCH (UID 99999999999999999999999)",
        b"* 1 FETCH (MODSEQ (18446744073709551615))",
        b"* 1 FETCH (UID 3 FLAGS (\\Seen)",
        b"* 1 FETCH " + b"(" * 5000,
        b"* 1 FETCH (X " + b"(" * 5000 + b")" * 4000,
        b"* 1 UNHEARD",
        b"* 99999999999 EXISTS",
        b"* LIST (",
        b'* LIST () "/"',
        b'* LIST () "/" "open',
        b"* STATUS INBOX (MESSAGES)",
        b"* SEARCH 1 2 three",
        b"* SEARCH " + b"9" * 5000,
        b"* VANISHED 0",
        b"* NAMESPACE NIL",
        b'* ID ("name"',
        b"* XYZZY 1 2 3",
    ],
)
def test_what_cannot_be_read_is_kept_as_it_came(line: bytes) -> None:
    event = parsed(line)
    assert isinstance(event, Unparsed)
    assert event.raw == line
    assert event.reason


@pytest.mark.parametrize("line", [b"HTTP/1.1 400 Bad Request", b"220 mx ESMTP", b"M1 MAYBE", b"*", b"\x00", b"M1"])
def test_what_is_no_imap_at_all_is_an_error(line: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        parsed(line)


_WORDS = st.sampled_from(
    [
        *(
            b"* ",
            b"1 ",
            b"(",
            b")",
            b'"',
            b"\\",
            b"\r\n",
            b"{3}\r\n",
            b"{0}\r\n",
            b"]",
            b"+ ",
            b"\x00",
            b"\xff",
            b"NIL ",
        ),
        *(b"FETCH ", b"UID ", b"FLAGS ", b"BODY[] ", b"INTERNALDATE ", b"MODSEQ ", b"99999999999999999999 "),
        *(b"* OK [", b"COPYUID ", b"LIST ", b"STATUS ", b"VANISHED ", b"NAMESPACE ", b"ID ", b"&2D0-"),
        *(b"* ESEARCH ", b"* SEARCH "),
    ]
)


@given(st.one_of(st.binary(max_size=300), st.lists(_WORDS, max_size=40).map(b"".join)))
@example(b'* ESEARCH UID ALL 1:*\r\n* LIST () "" &&\r\n')
def test_no_bytes_raise_anything_but_a_protocol_error(data: bytes) -> None:
    connection = Connection()
    connection.receive_data(data)
    try:
        while connection.next_event() is not None:
            pass
    except ProtocolError:
        pass


@given(st.lists(_WORDS, max_size=40).map(b"".join), st.lists(st.integers(0, 400), max_size=8))
def test_the_same_bytes_give_the_same_events_in_any_chunking(data: bytes, places: list[int]) -> None:
    assert _events([data]) == _events(_cut(data, places)) == _events([data[at : at + 1] for at in range(len(data))])


@given(st.lists(_WORDS, max_size=40).map(b"".join))
@example(b"* ESEARCH UID ALL 1:*\r\n* SEARCH 1 x\r\n* VANISHED 7\r\n* search 4 2\r\n")
def test_reading_in_steps_reads_the_same(data: bytes) -> None:
    connection = Connection()
    found: list[Event | str] = []
    try:
        connection.receive_data(data)
        while (response := connection.next_response()) is not None:
            assert connection.next_response() is response
            event = connection.follow(response, at_once(connection.reading(response)))
            found += [event] if event is not None else []
    except ProtocolError as e:
        found.append(str(e))
    assert found == _events([data])


def _cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


def _events(chunks: list[bytes]) -> list[Event | str]:
    connection = Connection()
    found: list[Event | str] = []
    try:
        for chunk in chunks:
            connection.receive_data(chunk)
            while (event := connection.next_event()) is not None:
                found.append(event)
    except ProtocolError as e:
        found.append(str(e))
    return found
