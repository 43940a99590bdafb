"""Waiting for news, and being interrupted while waiting."""

import asyncio
import tracemalloc

import pytest

from mooring.errors import ConnectionLost, ServerRefused
from mooring.protocols.imap import Exists, Expunge, FetchedMessage, SaidGoodbye, StatusResponse
from tests.protocol.imap.opened import selected
from tests.protocol.scripted import END, FOREVER, SILENCE, Step


async def test_news_end_the_wait_and_come_all_together() -> None:
    client, stream = await selected(
        "C: M3 IDLE",
        "S: + idling",
        "S: * OK Still here",
        "S: * 4 EXISTS",
        "S: * 1 RECENT",
        "C: DONE",
        "S: * 2 FETCH (UID 5 FLAGS ())",
        "S: M3 OK done",
    )
    events = await client.idle()
    assert Exists(4) in events
    assert any(isinstance(event, FetchedMessage) for event in events)
    assert client.mailbox is not None
    assert client.mailbox.exists == 4
    assert client.take_events() == []
    stream.assert_done()


async def test_the_time_is_over() -> None:
    client, stream = await selected(
        "C: M3 IDLE", "S: + idling", SILENCE, "C: DONE", "S: M3 OK done", "C: M4 NOOP", "S: M4 OK done"
    )
    assert await client.idle(timeout_s=1) == []
    await client.noop()
    stream.assert_done()


async def test_a_server_that_only_says_that_it_lives_does_not_wake_us() -> None:
    client, stream = await selected(
        "C: M3 IDLE", "S: + idling", "S: * OK Still here", SILENCE, "C: DONE", "S: M3 OK done"
    )
    (remark,) = await client.idle()
    assert isinstance(remark, StatusResponse)
    stream.assert_done()


async def test_news_from_before_are_not_waited_for() -> None:
    client, stream = await selected("C: M3 NOOP", "S: * 1 EXPUNGE", "S: M3 OK done")
    await client.noop()
    assert await client.idle() == [Expunge(1)]
    stream.assert_done()


async def test_cancelled_while_idling_the_next_command_ends_it_first() -> None:
    client, stream = await selected(
        "C: M3 IDLE",
        "S: + idling",
        FOREVER,
        "C: DONE",
        "S: * 4 EXISTS",
        "S: M3 OK done",
        "C: M4 NOOP",
        "S: M4 OK done",
    )
    waiting = asyncio.create_task(client.idle())
    await stream.waiting.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await client.noop()
    assert client.take_events() == [Exists(4)]
    stream.assert_done()


async def test_cancelled_before_the_server_began_to_idle() -> None:
    client, stream = await selected(
        "C: M3 IDLE", FOREVER, "S: + idling", "C: DONE", "S: M3 OK done", "C: M4 NOOP", "S: M4 OK done"
    )
    waiting = asyncio.create_task(client.idle())
    await stream.waiting.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await client.noop()
    stream.assert_done()


async def test_the_server_ends_the_idle_by_itself() -> None:
    client, stream = await selected("C: M3 IDLE", "S: + idling", "S: M3 OK enough", "C: M4 NOOP", "S: M4 OK done")
    assert await client.idle() == []
    await client.noop()
    stream.assert_done()


async def test_idle_refused() -> None:
    client, _ = await selected("C: M3 IDLE", "S: M3 NO not here")
    with pytest.raises(ServerRefused):
        await client.idle()


@pytest.mark.parametrize(
    ("line", "error"), [("S: * BYE Disconnected for inactivity.", SaidGoodbye), (END, ConnectionLost)]
)
async def test_the_connection_ends_while_idling(line: str | Step, error: type[Exception]) -> None:
    client, _ = await selected("C: M3 IDLE", "S: + idling", line, END)
    with pytest.raises(error):
        await client.idle()
    with pytest.raises(error):
        await client.idle()


async def test_an_idle_client_is_small() -> None:
    """At most 4 KiB, its scripted stream included: thousands of clients wait in one process."""
    count = 200
    await selected()
    tracemalloc.start()
    try:
        held = [await selected() for _ in range(count)]
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(held) == count
    assert size / count < 4096
