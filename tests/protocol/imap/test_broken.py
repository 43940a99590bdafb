"""Connections that break, servers that flood, and tasks that get in each other's way."""

import asyncio

import pytest

from mooring.errors import ConnectionLost, NetworkError, ReadTimeout, RemoteProtocolError
from mooring.protocols.imap import ClientBusy, FlagChange, WrongState
from mooring.protocols.imap.session import MAX_KEPT
from tests.protocol.imap.opened import logged_in, selected
from tests.protocol.scripted import END, FOREVER, RESET, SILENCE, Step, heard, said


@pytest.mark.parametrize(("mark", "error"), [(END, ConnectionLost), (RESET, ConnectionLost), (SILENCE, ReadTimeout)])
async def test_a_broken_client_says_so_every_time(mark: Step, error: type[NetworkError]) -> None:
    client, _ = await selected("C: M3 NOOP", mark)
    for _ in range(3):
        with pytest.raises(error):
            await client.noop()
    with pytest.raises(error):
        await client.store([1], FlagChange.ADD, ["\\Seen"])
    with pytest.raises(error):
        await anext(client.fetch([1]))


async def test_a_connection_that_breaks_while_we_send() -> None:
    client, _ = await selected(RESET)
    with pytest.raises(ConnectionLost):
        await client.noop()
    with pytest.raises(ConnectionLost):
        await client.noop()


async def test_a_server_that_drips_forever_meets_the_time_for_the_whole_command() -> None:
    client, _ = await selected("C: M3 NOOP", *["S: * OK still working"] * 10_000, chunk=8)
    with pytest.raises(ReadTimeout):
        await client.noop(timeout_s=0.01)


async def test_a_closed_client_says_so() -> None:
    client, stream = await selected()
    await client.aclose()
    assert stream.is_closed
    with pytest.raises(ConnectionLost, match="closed by us"):
        await client.noop()


async def test_a_line_without_end() -> None:
    client, _ = await selected("C: M3 NOOP", *[said(b"* OK " + b"x" * 60_000)] * 20)
    with pytest.raises(RemoteProtocolError, match="line of more than"):
        await client.noop()


async def test_a_flood_of_responses() -> None:
    client, _ = await selected("C: M3 NOOP", said(b"* 1 EXPUNGE\r\n" * (MAX_KEPT + 1)))
    with pytest.raises(RemoteProtocolError, match="at once"):
        await client.noop()


async def test_a_flood_of_long_responses() -> None:
    client, _ = await selected("C: M3 NOOP", *[said(b"* XYZZY " + b"x" * 900_000 + b"\r\n")] * 40)
    with pytest.raises(RemoteProtocolError, match="at once"):
        await client.noop()


@pytest.mark.parametrize("line", ["S: M4 OK what", "S: + more?", "S: nonsense", "S: M2 OK again"])
async def test_answers_to_nothing(line: str) -> None:
    client, _ = await selected("C: M3 NOOP", line, "S: M3 OK done")
    with pytest.raises(RemoteProtocolError):
        await client.noop()


async def test_empty_lines_are_passed_over() -> None:
    client, stream = await selected("C: M3 NOOP", "S: ", said(b"\n"), "S: M3 OK done")
    await client.noop()
    stream.assert_done()


async def test_one_task_at_a_time() -> None:
    client, stream = await selected("C: M3 NOOP", FOREVER, "S: M3 OK done", "C: M4 NOOP", "S: M4 OK done")
    first = asyncio.create_task(client.noop())
    await stream.waiting.wait()
    with pytest.raises(ClientBusy):
        await client.noop()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    await client.noop()
    stream.assert_done()


async def test_a_command_given_up_half_way_through_a_literal_ends_the_client() -> None:
    client, stream = await logged_in(heard(b'M2 APPEND "x" {3}\r\n'), FOREVER, offers="IMAP4rev1")
    upload = asyncio.create_task(client.append("x", b"abc"))
    await stream.waiting.wait()
    upload.cancel()
    with pytest.raises(asyncio.CancelledError):
        await upload
    with pytest.raises(ConnectionLost):
        await client.noop()


async def test_commands_out_of_place_are_not_sent() -> None:
    client, stream = await logged_in()
    with pytest.raises(WrongState):
        await client.search()
    with pytest.raises(WrongState):
        await client.login("ann", "secret")
    with pytest.raises(WrongState):
        await anext(client.fetch([1]))
    stream.assert_done()
