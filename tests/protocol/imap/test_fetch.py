"""UID FETCH as a stream: pipelined, bounded in memory, and complete."""

import tracemalloc

import pytest

from mooring.errors import ConnectionLost, InvalidRequest, RemoteProtocolError, ServerRefused
from mooring.protocols.imap import (
    ClientBusy,
    FetchedMessage,
    FlagChange,
    ImapClient,
    SaidGoodbye,
    StatusResponse,
    UidSet,
    Unparsed,
)
from mooring.protocols.imap.fetching import BATCH
from tests.protocol.imap.opened import selected
from tests.protocol.scripted import END, Step, heard, said

ITEMS = "(UID FLAGS INTERNALDATE RFC822.SIZE MODSEQ BODY.PEEK[])"


def message(uid: int, body: bytes) -> Step:
    return said(b"* %d FETCH (UID %d FLAGS (\\Seen) BODY[] {%d}\r\n%s)\r\n" % (uid, uid, len(body), body))


async def bodies(client: ImapClient, uids: list[int] | UidSet) -> dict[int, bytes | None]:
    return {message.uid: message.body async for message in client.fetch(uids)}


@pytest.mark.parametrize("chunk", [1, 13, 1 << 16])
async def test_messages_arrive_whole_in_any_chunking(chunk: int) -> None:
    client, stream = await selected(
        f"C: M3 UID FETCH 1:2,9 {ITEMS}",
        message(1, b"Subject: a\r\n\r\nM3 OK not the end\r\n"),
        message(2, b""),
        "S: M3 OK done",
        chunk=chunk,
    )
    assert await bodies(client, [9, 2, 1]) == {1: b"Subject: a\r\n\r\nM3 OK not the end\r\n", 2: b""}
    stream.assert_done()


async def test_two_batches_are_on_the_way_at_once() -> None:
    client, stream = await selected(
        f"C: M3 UID FETCH 1:{BATCH} {ITEMS}",
        f"C: M4 UID FETCH {BATCH + 1}:{2 * BATCH} {ITEMS}",
        message(1, b"one"),
        "S: M3 OK done",
        f"C: M5 UID FETCH {2 * BATCH + 1} {ITEMS}",
        message(BATCH + 1, b"two"),
        "S: M4 OK done",
        message(2 * BATCH + 1, b"three"),
        "S: M5 OK done",
    )
    found = await bodies(client, UidSet.between(1, 2 * BATCH + 1))
    assert list(found.values()) == [b"one", b"two", b"three"]
    stream.assert_done()


async def test_batches_that_end_together_do_not_end_the_fetch() -> None:
    client, stream = await selected(
        f"C: M3 UID FETCH 1:{BATCH} {ITEMS}",
        f"C: M4 UID FETCH {BATCH + 1}:{2 * BATCH} {ITEMS}",
        message(1, b"one"),
        "S: M3 OK done",
        "S: M4 OK done",
        f"C: M5 UID FETCH {2 * BATCH + 1}:{3 * BATCH} {ITEMS}",
        f"C: M6 UID FETCH {3 * BATCH + 1} {ITEMS}",
        "S: M5 OK done",
        "S: M6 OK done",
        "C: M7 NOOP",
        "S: M7 OK done",
    )
    found = await bodies(client, UidSet.between(1, 3 * BATCH + 1))
    assert found == {1: b"one"}
    await client.noop()
    stream.assert_done()


async def test_nothing_to_fetch_sends_nothing() -> None:
    client, stream = await selected()
    assert await bodies(client, []) == {}
    stream.assert_done()


async def test_a_body_beyond_the_limit_is_thrown_away_and_said_so() -> None:
    client, stream = await selected(
        f"C: M3 UID FETCH 1:3 {ITEMS}",
        message(1, b"x" * 11),
        message(2, b"y" * 10),
        message(3, b"z" * 5_000_000),
        "S: M3 OK done",
    )
    found = [(m.uid, m.body, m.truncated) async for m in client.fetch([1, 2, 3], max_literal=10)]
    assert found == [(1, None, True), (2, b"y" * 10, False), (3, None, True)]
    stream.assert_done()


async def test_a_hundred_megabytes_thrown_away_need_no_memory() -> None:
    size = 100 * 1024 * 1024
    piece = said(b"x" * 65536)
    client, _ = await selected(
        f"C: M3 UID FETCH 1 {ITEMS}",
        said(b"* 1 FETCH (UID 1 BODY[] {%d}\r\n" % size),
        *[piece] * (size // 65536),
        said(b")\r\nM3 OK done\r\n"),
    )
    tracemalloc.start()
    try:
        (only,) = [message async for message in client.fetch([1], max_literal=size - 1)]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert only.truncated
    assert peak < 1024 * 1024


async def test_thirty_megabytes_that_are_wanted_are_held_about_once() -> None:
    size = 30 * 1024 * 1024
    piece = said(b"x" * 65536)
    client, _ = await selected(
        f"C: M3 UID FETCH 1 {ITEMS}",
        said(b"* 1 FETCH (UID 1 BODY[] {%d}\r\n" % size),
        *[piece] * (size // 65536),
        said(b")\r\nM3 OK done\r\n"),
    )
    tracemalloc.start()
    try:
        (only,) = [message async for message in client.fetch([1])]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert only.body is not None
    assert len(only.body) == size
    assert peak < 1.5 * size


async def test_flag_news_in_between_is_news_and_no_message() -> None:
    client, _ = await selected(
        f"C: M3 UID FETCH 1:2 {ITEMS}",
        "S: * 3 FETCH (FLAGS (\\Deleted))",
        "S: * 2 FETCH (UID 2 FLAGS (\\Answered))",
        message(1, b"one"),
        "S: * 4 EXISTS",
        "S: M3 OK done",
    )
    assert await bodies(client, [1, 2]) == {1: b"one"}
    first, second, _ = client.take_events()
    assert isinstance(first, FetchedMessage)
    assert isinstance(second, FetchedMessage)
    assert (first.uid, first.sequence, first.flags) == (0, 3, {"\\Deleted"})
    assert (second.uid, second.flags) == (2, {"\\Answered"})
    assert client.mailbox is not None
    assert client.mailbox.exists == 4


async def test_one_unreadable_message_does_not_cost_the_others() -> None:
    client, _ = await selected(
        f"C: M3 UID FETCH 1:2 {ITEMS}", "S: * 1 FETCH (UID 1 FLAGS (((", message(2, b"two"), "S: M3 OK done"
    )
    assert await bodies(client, [1, 2]) == {2: b"two"}
    (odd,) = client.take_events()
    assert isinstance(odd, Unparsed)


async def test_a_refusal_comes_after_the_messages_that_came_before_it() -> None:
    client, stream = await selected(
        f"C: M3 UID FETCH 1:{BATCH} {ITEMS}",
        f"C: M4 UID FETCH {BATCH + 1} {ITEMS}",
        message(1, b"one"),
        "S: M3 NO [SERVERBUG] Some of the requested messages no longer exist",
        "S: * OK " + "." * 1000,
        message(BATCH + 1, b"two"),
        "S: M4 OK done",
        "C: M5 NOOP",
        "S: M5 OK done",
        chunk=64,
    )
    fetch = client.fetch(UidSet.between(1, BATCH + 1))
    assert [(await anext(fetch)).uid, (await anext(fetch)).uid] == [1, BATCH + 1]
    with pytest.raises(ServerRefused) as caught:
        await anext(fetch)
    assert caught.value.code == "SERVERBUG"
    assert [message async for message in fetch] == []
    await client.noop()
    stream.assert_done()


async def test_a_fetch_that_is_left_early_does_not_disturb_what_follows() -> None:
    client, stream = await selected(
        f"C: M3 UID FETCH 1:3 {ITEMS}",
        message(1, b"one"),
        *[message(2, b"two" * 100_000), "S: * 9 EXISTS", "S: M3 OK done"],
        "C: M4 UID STORE 1 +FLAGS.SILENT (\\Seen)",
        "S: M4 OK done",
        chunk=64,
    )
    fetch = client.fetch([1, 2, 3])
    async for _ in fetch:
        break
    await client.store([1], FlagChange.ADD, ["\\Seen"])
    with pytest.raises(ClientBusy):
        await anext(fetch)
    kept = [event for event in client.take_events() if isinstance(event, FetchedMessage)]
    assert [(event.uid, event.body, event.truncated) for event in kept] == [(2, None, False)]
    stream.assert_done()


@pytest.mark.parametrize("data", [b"* 1 FETCH (UID 1 BODY[] {100}\r\nhalf", b"* 1 FETCH (UID 1", b""])
async def test_the_connection_ends_in_the_middle(data: bytes) -> None:
    client, _ = await selected(f"C: M3 UID FETCH 1 {ITEMS}", *([said(data)] if data else []), END)
    with pytest.raises(ConnectionLost):
        await bodies(client, [1])
    with pytest.raises(ConnectionLost):
        await client.noop()


async def test_a_goodbye_in_the_middle_keeps_the_words() -> None:
    client, _ = await selected(f"C: M3 UID FETCH 1 {ITEMS}", "S: * BYE Server shutting down", END)
    with pytest.raises(SaidGoodbye) as caught:
        await bodies(client, [1])
    assert caught.value.reply == "BYE Server shutting down"


async def test_a_stranger_in_the_middle_ends_it() -> None:
    client, _ = await selected(f"C: M3 UID FETCH 1 {ITEMS}", "S: GET / HTTP/1.1", END)
    with pytest.raises(RemoteProtocolError):
        await bodies(client, [1])
    with pytest.raises(RemoteProtocolError):
        await client.noop()


async def test_the_last_message_that_a_star_drags_in_is_left_out() -> None:
    client, _ = await selected(
        "C: M3 UID FETCH 100:* (UID FLAGS MODSEQ)", "S: * 3 FETCH (UID 42 FLAGS ())", "S: M3 OK done"
    )
    assert [message async for message in client.fetch_flags(UidSet.since(100))] == []


async def test_a_message_that_nobody_asked_for_is_none_of_the_fetch() -> None:
    client, stream = await selected(
        f"C: M3 UID FETCH 1:2 {ITEMS}", message(7, b"seven"), message(2, b"two"), message(8, b"eight"), "S: M3 OK done"
    )
    assert await bodies(client, [1, 2]) == {2: b"two"}
    news = client.take_events()
    assert [(event.uid, event.body) for event in news if isinstance(event, FetchedMessage)] == [(7, None), (8, None)]
    stream.assert_done()


async def test_flags_that_changed_and_messages_that_vanished() -> None:
    client, stream = await selected(
        "C: M3 ENABLE QRESYNC",
        "S: * ENABLED QRESYNC",
        "S: M3 OK done",
        "C: M4 UID FETCH 1:* (UID FLAGS MODSEQ) (CHANGEDSINCE 40 VANISHED)",
        "S: * VANISHED (EARLIER) 3:5",
        "S: * 1 FETCH (UID 1 FLAGS (\\Seen) MODSEQ (45))",
        "S: * VANISHED 8",
        "S: * VANISHED (EARLIER) 7",
        "S: M4 OK done",
    )
    await client.enable("QRESYNC")
    fetch = client.fetch_flags(changed_since=40, vanished=True)
    assert [(message.uid, message.modseq) async for message in fetch] == [(1, 45)]
    assert str(fetch.vanished) == "3:5,7"
    assert len(client.take_events()) == 1, "what vanished just now is news"
    stream.assert_done()


async def test_a_flood_of_what_vanished() -> None:
    line = b"* VANISHED (EARLIER) " + b",".join(b"%d" % uid for uid in range(1, 200_000, 2)) + b"\r\n"
    client, _ = await selected(
        "C: M3 ENABLE QRESYNC",
        "S: * ENABLED QRESYNC",
        "S: M3 OK done",
        "C: M4 UID FETCH 1:* (UID FLAGS MODSEQ) (CHANGEDSINCE 40 VANISHED)",
        *[said(line)] * 11,
    )
    await client.enable("QRESYNC")
    with pytest.raises(RemoteProtocolError, match="lost messages"):
        await anext(client.fetch_flags(changed_since=40, vanished=True))


async def test_vanished_needs_qresync() -> None:
    client, _ = await selected()
    with pytest.raises(InvalidRequest):
        client.fetch_flags(changed_since=4, vanished=True)
    with pytest.raises(InvalidRequest):
        client.fetch_flags(vanished=True)


async def test_headers_alone_and_servers_without_modseq() -> None:
    client, stream = await selected(
        "C: M3 UID FETCH 1 (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER])",
        said(b"* 1 FETCH (UID 1 RFC822.SIZE 9 BODY[HEADER] {6}\r\na: b\r\n)\r\nM3 OK\r\n"),
        "C: M4 UID FETCH 1 (UID FLAGS)",
        "S: M4 OK done",
        offers="IMAP4rev1",
    )
    (only,) = [message async for message in client.fetch([1], section="HEADER")]
    assert (only.body, only.size, only.flags) == (b"a: b\r\n", 9, None)
    assert [message async for message in client.fetch_flags([1])] == []
    with pytest.raises(InvalidRequest):
        client.fetch([1], section="] FLAGS BODY[")
    stream.assert_done()


async def test_scattered_uids_travel_in_lines_of_a_sensible_length() -> None:
    uids = UidSet.of(range(1, 6001, 2))
    first, second, third = (str(batch) for batch in uids.batches())
    client, stream = await selected(
        f"C: M3 UID FETCH {first} (UID FLAGS MODSEQ)",
        f"C: M4 UID FETCH {second} (UID FLAGS MODSEQ)",
        "S: M3 OK done",
        heard(f"M5 UID FETCH {third} (UID FLAGS MODSEQ)\r\n".encode()),
        "S: M4 OK done",
        "S: M5 OK done",
    )
    assert [message async for message in client.fetch_flags(uids)] == []
    assert max(map(len, (first, second, third))) <= 7000
    stream.assert_done()


async def test_an_alert_in_between_is_kept() -> None:
    client, _ = await selected(f"C: M3 UID FETCH 1 {ITEMS}", "S: * NO [ALERT] quota", message(1, b""), "S: M3 OK done")
    await bodies(client, [1])
    (alert,) = client.take_events()
    assert isinstance(alert, StatusResponse)
    assert alert.text.code == "ALERT"
