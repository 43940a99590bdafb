"""A dial takes a berth before its SYN, and the berth is free again when the connection has ended, however it does."""

import asyncio
import socket
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from mooring.egress import Berths, Outcome, Traffic
from mooring.errors import MooringError, SourceBusy
from mooring.net.listener import server_context
from mooring.net.tls import client_context
from tests.egress.exits import SERVER, SOURCES, TIMEOUTS, Exits, Names, bound, dial_to, serving, stay_silent
from tests.lab.certificates import Authority
from tests.waiting import until_async

HOST = "mail.test"
SOURCE = bound(SOURCES[0])
NAMES = Names({HOST: [[SERVER]]})


async def are_free(exits: Exits) -> None:
    async def is_free() -> bool:
        return exits.berths.counts() == {}

    await until_async(is_free, what="every berth has been given back")


async def test_synchronisation_waits_until_the_connection_before_has_ended(exits: Exits) -> None:
    exits.berths = Berths(1)
    async with serving(stay_silent) as server:
        dialer = exits.dialer(SOURCE)
        first = await dialer.dial(dial_to(SERVER, server.port))
        second = asyncio.create_task(dialer.dial(dial_to(SERVER, server.port)))

        async def waits() -> bool:
            return exits.berths.counts() == {SOURCE.name: (1, 1)}

        await until_async(waits, what="the second dial waits")
        assert len(await exits.entries()) == 1
        await first.aclose()
        await (await second).aclose()
        await are_free(exits)


async def test_people_are_told_busy_and_it_is_in_the_ledger_with_the_source(exits: Exits) -> None:
    exits.berths = Berths(1)
    exits.berths.set_limits({SOURCE.name: 0})
    async with serving() as server:
        dial = replace(dial_to(SERVER, server.port), traffic=Traffic.LIVE)
        with pytest.raises(SourceBusy):
            await exits.dialer(SOURCE, timeouts=replace(TIMEOUTS, total_s=0.05)).dial(dial)
        assert server.seen == []
    entry = await exits.undialled()
    assert (entry.cause, entry.source, entry.traffic) == ("busy", SOURCE.name, "live")
    await are_free(exits)


async def test_webhooks_take_none(exits: Exits) -> None:
    exits.berths = Berths(1)
    exits.berths.set_limits({SOURCE.name: 0})
    async with serving() as server:
        stream = await exits.dialer(SOURCE).dial(replace(dial_to(SERVER, server.port), traffic=Traffic.WEBHOOK))
        await stream.aclose()


@pytest.mark.parametrize("how", ["silent", "cancelled", "reset"])
@pytest.mark.parametrize("begins", ["at once", "later"])
async def test_a_handshake_that_fails_gives_the_berth_back_at_once(exits: Exits, how: str, begins: str) -> None:
    exits.berths = Berths(1)
    greeted = asyncio.Event()

    async def shake_badly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        greeted.set()
        if how == "reset":
            writer.transport.abort()
        else:
            await reader.read()

    async with serving(shake_badly) as server:
        dialer = exits.dialer(SOURCE)

        async def shake() -> None:
            if begins == "at once":
                await dialer.dial(dial_to(SERVER, server.port, tls=True))
                return
            stream = await dialer.dial(dial_to(SERVER, server.port))
            try:
                await stream.start_tls(timeout_s=0.6)
            finally:
                await stream.aclose()

        shaking = asyncio.create_task(shake())
        if how == "cancelled":
            await greeted.wait()
            shaking.cancel()
        with pytest.raises((MooringError, asyncio.CancelledError)):
            await shaking
        await are_free(exits)


@pytest.mark.parametrize("how", ["refused", "cancelled", "not TLS"])
async def test_what_opens_nothing_gives_the_berth_back(exits: Exits, how: str) -> None:
    exits.berths = Berths(1)
    async with serving(admitted=[] if how == "cancelled" else SOURCES) as server:
        port = 1 if how == "refused" else server.port
        dial = dial_to(SERVER, port, tls=how == "not TLS")
        dialling = asyncio.create_task(exits.dialer(SOURCE).dial(dial))
        if how == "cancelled":

            async def is_intended() -> bool:
                return [entry.outcome for entry in await exits.entries()] == [Outcome.INTENDED]

            await until_async(is_intended, what="the SYN is on its way")
            dialling.cancel()
        with pytest.raises((MooringError, asyncio.CancelledError)):
            await dialling
        await are_free(exits)


async def test_a_tls_connection_has_a_berth_until_the_server_has_closed_it_too(exits: Exits, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    client_context().load_verify_locations(authority.bundle)
    certificate = authority.good([HOST])
    may_close = threading.Event()
    listener = socket.create_server((SERVER, 0))

    def serve() -> None:
        """A server that hears nothing of the other side's end before it may."""
        with (
            listener.accept()[0] as plain,
            server_context(certificate.chain, certificate.key).wrap_socket(plain, server_side=True),
        ):
            may_close.wait()

    exits.berths = Berths(1)
    serving = asyncio.create_task(asyncio.to_thread(serve))
    dial = dial_to(HOST, listener.getsockname()[1], tls=True)
    stream = await exits.dialer(SOURCE, names=NAMES).dial(dial)
    try:
        await stream.aclose()
        await stream.aclose()
        with pytest.raises(SourceBusy):
            await exits.berths.take(SOURCE.name, HOST, patience_s=0.1)
    finally:
        may_close.set()
    await are_free(exits)
    await serving
    listener.close()
