"""SEARCH, STORE, COPY, MOVE, APPEND, EXPUNGE, each as a transcript."""

import asyncio
from datetime import UTC, date, datetime

import pytest

from mooring.errors import InvalidRequest, RemoteProtocolError, ServerRefused
from mooring.protocols.imap import (
    Appended,
    BadCommand,
    CopiedUids,
    Exists,
    Expunge,
    FlagChange,
    Moved,
    NotOffered,
    StatusResponse,
    UidSet,
    Unparsed,
    quoted,
)
from tests.protocol.imap.opened import selected
from tests.protocol.scripted import heard, said


async def test_search() -> None:
    client, stream = await selected(
        'C: M3 UID SEARCH UNSEEN SUBJECT "a \\"b\\"" SINCE 1-Feb-2024',
        "S: * SEARCH 5 3 4",
        "S: * 4 EXISTS",
        "S: M3 OK done",
        heard(b"M4 UID SEARCH CHARSET UTF-8 SUBJECT {7+}\r\nGr\xc3\xbc\xc3\x9fe\r\n"),
        "S: * ESEARCH (TAG M4) UID ALL 1:2",
        "S: M4 OK done",
        "C: M5 UID SEARCH ALL",
        "S: M5 OK done",
    )
    found = await client.search("UNSEEN SUBJECT " + quoted('a "b"'), since=date(2024, 2, 1))
    assert list(found) == [3, 4, 5]
    assert client.take_events() == [Exists(4)]
    assert list(await client.search(f"SUBJECT {quoted('Grüße')}")) == [1, 2]
    assert not await client.search()
    stream.assert_done()


async def test_a_search_answer_of_two_megabytes_is_read_and_the_limit_returns() -> None:
    numbers = " ".join(map(str, range(1_000_000, 1_250_000)))
    client, stream = await selected("C: M3 UID SEARCH ALL", f"S: * SEARCH {numbers}", "S: M3 OK done")
    found = await client.search()
    assert found == UidSet.between(1_000_000, 1_249_999)
    stream.assert_done()


@pytest.mark.parametrize(
    ("answer", "uids"),
    [
        ("SEARCH " + " ".join(map(str, range(1, 1_000_000, 2))), range(1, 1_000_000, 2)),
        ("ESEARCH UID ALL " + ",".join(map(str, range(1, 1_000_000, 2))), range(1, 1_000_000, 2)),
    ],
    ids=["search", "esearch"],
)
async def test_others_have_their_turn_while_a_search_answer_of_a_large_mailbox_is_read(
    answer: str, uids: range
) -> None:
    client, stream = await selected("C: M3 UID SEARCH ALL", f"S: * {answer}", "S: M3 OK done")
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    running = asyncio.create_task(others())
    found = await client.search()
    running.cancel()
    assert (found.top, len(found)) == (uids[-1], len(uids))
    assert turns > 200
    stream.assert_done()


@pytest.mark.parametrize("answer", ["SEARCH 1 2 x", "ESEARCH UID ALL 1:2:3", "search 1,2"])
async def test_an_answer_that_cannot_be_read_is_not_taken_for_nothing_found(answer: str) -> None:
    client, _ = await selected("C: M3 UID SEARCH ALL", f"S: * {answer}", "S: * ODD", "S: M3 OK done")
    with pytest.raises(RemoteProtocolError, match="cannot be read"):
        await client.search()


async def test_search_keys_that_the_server_does_not_know() -> None:
    client, _ = await selected(
        "C: M3 UID SEARCH X-NEW", "S: M3 BAD Unknown argument X-NEW", "C: M4 NOOP", "S: M4 OK done"
    )
    with pytest.raises(BadCommand) as caught:
        await client.search("X-NEW")
    assert caught.value.reply == "BAD Unknown argument X-NEW"
    await client.noop()


async def test_store() -> None:
    client, stream = await selected(
        "C: M3 UID STORE 1:2 +FLAGS.SILENT ($Work \\Seen)",
        "S: M3 OK done",
        "C: M4 UID STORE 1 -FLAGS (\\Seen)",
        "S: * 1 FETCH (UID 1 FLAGS ($Work) MODSEQ (60))",
        "S: * 2 EXPUNGE",
        "S: M4 OK done",
        "C: M5 UID STORE 1:2 (UNCHANGEDSINCE 50) FLAGS.SILENT ()",
        "S: * 1 FETCH (UID 1 MODSEQ (61))",
        "S: M5 OK [MODIFIED 2] conditional",
        "C: M6 UID STORE 1 (UNCHANGEDSINCE 50) FLAGS.SILENT ()",
        "S: M6 NO [MODIFIED 1] all of them",
    )
    await client.store([1, 2], FlagChange.ADD, ["\\Seen", "$Work"])
    stored = await client.store([1], FlagChange.REMOVE, ["\\Seen"], silent=False)
    assert [(message.uid, message.flags) for message in stored.changed] == [(1, {"$Work"})]
    assert client.take_events() == [Expunge(2)]
    stored = await client.store([1, 2], FlagChange.REPLACE, [], unchanged_since=50)
    assert [message.modseq for message in stored.changed] == [61]
    assert list(stored.refused) == [2]
    assert list((await client.store([1], FlagChange.REPLACE, [], unchanged_since=50)).refused) == [1]
    stream.assert_done()


async def test_a_flag_cannot_smuggle_a_command() -> None:
    client, stream = await selected()
    with pytest.raises(InvalidRequest):
        await client.store([1], FlagChange.ADD, ["\\Seen)\r\nM9 DELETE INBOX"])
    stream.assert_done()


async def test_copy_pairs_the_uids_in_the_order_of_the_server() -> None:
    client, stream = await selected(
        'C: M3 UID COPY 304,319:320 "Sent"',
        "S: M3 OK [COPYUID 38505 304,319:320 3956:3958] done",
        'C: M4 UID COPY 1 "Sent"',
        "S: M4 OK done",
        'C: M5 UID COPY 1 "Sent"',
        "S: M5 OK [COPYUID 1 1:4294967295 1:4294967295] nonsense",
        'C: M6 UID COPY 1 "Sent"',
        "S: M6 OK [COPYUID 1 1,2 x] nonsense",
        'C: M7 UID COPY 1 "Sent"',
        "S: M7 OK [COPYUID 1 1:2 5] nonsense",
        'C: M8 UID COPY 1 "nope"',
        "S: M8 NO [TRYCREATE] no such mailbox",
    )
    assert await client.copy([304, 319, 320], "Sent") == CopiedUids(38505, {304: 3956, 319: 3957, 320: 3958})
    for _ in range(4):
        assert await client.copy([1], "Sent") is None
    with pytest.raises(ServerRefused) as caught:
        await client.copy([1], "nope")
    assert caught.value.code == "TRYCREATE"
    stream.assert_done()


async def test_move() -> None:
    client, stream = await selected(
        'C: M3 UID MOVE 1 "Trash"',
        "S: * OK [COPYUID 9 1 77] moved",
        "S: * OK [ALERT] trash is nearly full",
        "S: * 1 EXPUNGE",
        "S: M3 OK done",
    )
    assert await client.move([1], "Trash") == Moved(CopiedUids(9, {1: 77}), expunged=True)
    kinds = [type(event) for event in client.take_events()]
    assert sorted(kind.__name__ for kind in kinds) == [Expunge.__name__, StatusResponse.__name__]
    assert client.mailbox is not None
    assert client.mailbox.exists == 2
    stream.assert_done()


async def test_move_where_it_is_not_offered() -> None:
    client, stream = await selected(
        'C: M3 UID COPY 1:2 "Trash"',
        "S: M3 OK [COPYUID 9 1:2 77:78] done",
        "C: M4 UID STORE 1:2 +FLAGS.SILENT (\\Deleted)",
        "S: M4 OK done",
        "C: M5 UID EXPUNGE 1:2",
        "S: * 1 EXPUNGE",
        "S: * 1 EXPUNGE",
        "S: M5 OK done",
        offers="IMAP4rev1 UIDPLUS",
    )
    assert await client.move([1, 2], "Trash") == Moved(CopiedUids(9, {1: 77, 2: 78}), expunged=True)
    stream.assert_done()


async def test_move_never_expunges_what_others_marked() -> None:
    client, stream = await selected(
        'C: M3 UID COPY 1 "Trash"',
        "S: M3 OK done",
        "C: M4 UID STORE 1 +FLAGS.SILENT (\\Deleted)",
        "S: M4 OK done",
        offers="IMAP4rev1",
    )
    assert await client.move([1], "Trash") == Moved(None, expunged=False)
    with pytest.raises(NotOffered):
        await client.expunge([1])
    stream.assert_done()


async def test_expunge() -> None:
    client, stream = await selected(
        "C: M3 EXPUNGE", "S: * VANISHED 2", "S: M3 OK done", "C: M4 UID EXPUNGE 5", "S: M4 OK done"
    )
    await client.expunge()
    await client.expunge([5])
    assert len(client.take_events()) == 1
    stream.assert_done()


async def test_append() -> None:
    message = b"Subject: x\r\n\r\nbody\r\n"
    when = datetime(2024, 7, 1, 2, 44, 25, tzinfo=UTC)
    client, stream = await selected(
        heard(b'M3 APPEND "Sent" (\\Seen) " 1-Jul-2024 02:44:25 +0000" {20+}\r\n' + message + b"\r\n"),
        "S: * 4 EXISTS",
        "S: M3 OK [APPENDUID 38505 3955] done",
        heard(b'M4 APPEND "Sent" {0+}\r\n\r\n'),
        "S: M4 OK [APPENDUID x] nonsense",
    )
    assert await client.append("Sent", message, flags=["\\Seen"], received_at=when) == Appended(38505, 3955)
    assert await client.append("Sent", b"") is None
    stream.assert_done()


async def test_append_waits_for_leave_and_sends_large_mail_in_pieces() -> None:
    message = b"x" * 1_000_000
    client, stream = await selected(
        heard(b'M3 APPEND "Sent" {1000000}\r\n'),
        "S: * 4 EXISTS",
        "S: + go on",
        heard(message + b"\r\n"),
        "S: M3 OK done",
        heard(b'M4 APPEND "Sent" {1000000}\r\n'),
        "S: M4 NO [OVERQUOTA] no room",
        "C: M5 NOOP",
        "S: M5 OK done",
        heard(b'M6 APPEND "Sent" {5+}\r\nsmall\r\n'),
        "S: M6 OK done",
        offers="IMAP4rev1 LITERAL-",
    )
    await client.append("Sent", message)
    with pytest.raises(ServerRefused) as caught:
        await client.append("Sent", message)
    assert caught.value.code == "OVERQUOTA"
    await client.noop()
    await client.append("Sent", b"small")
    stream.assert_done()


async def test_a_response_that_nobody_knows_is_kept() -> None:
    client, _ = await selected("C: M3 NOOP", said(b"* XYZZY {3}\r\nabc 1\r\n"), "S: M3 OK done")
    await client.noop()
    (odd,) = client.take_events()
    assert isinstance(odd, Unparsed)
