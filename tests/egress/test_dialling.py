"""A dial that works: from the assigned source, in the ledger from before its SYN to its end."""

import asyncio
import socket
from ipaddress import ip_network

import pytest

from mooring.egress import Caller, DialledStream, Outcome
from mooring.egress.repository import assign_source
from mooring.errors import ConnectionRefused, ConnectTimeout, NameNotFound, Phase
from mooring.net.connect import KEEPALIVE, USER_TIMEOUT_MS
from tests.egress.exits import (
    DYNAMIC,
    LOOPBACK,
    OTHER_SERVER,
    SERVER,
    SOURCES,
    STATIC,
    TIMEOUTS,
    Exits,
    Names,
    Server,
    bound,
    dial_to,
    serving,
    serving_ipv6,
)
from tests.waiting import until_async

GRANT = Caller(application_id="application", subject="subject", grant_id="grant")


async def hello(stream: DialledStream) -> None:
    """The server's greeting came through."""
    assert await stream.receive(timeout_s=5) == b"hello\r\n"


@pytest.mark.parametrize("address", SOURCES)
async def test_a_connection_leaves_from_its_source(exits: Exits, server: Server, address: str) -> None:
    stream = await exits.dialer(bound(address)).dial(dial_to(SERVER, server.port))
    await hello(stream)
    assert server.seen == [address]
    assert stream.local.host == address
    assert server.listener.accepted == [stream.local]
    assert (stream.peer.host, stream.peer.port) == (SERVER, server.port)
    await stream.aclose()


async def test_what_is_bound_is_the_local_address_and_what_is_published_is_the_other(
    exits: Exits, server: Server
) -> None:
    stream = await exits.dialer(bound("203.0.113.50", local=SOURCES[1])).dial(dial_to(SERVER, server.port))
    await stream.aclose()
    entry = await exits.entry()
    assert server.seen == [SOURCES[1]]
    assert (entry.source_address, entry.via) == ("203.0.113.50", f"bind:{SOURCES[1]}")
    assert entry.local == str(stream.local)


async def test_an_ipv6_source_reaches_an_ipv6_server(exits: Exits) -> None:
    async with serving_ipv6() as port:
        stream = await exits.dialer(bound("::1")).dial(dial_to("::1", port))
        await hello(stream)
        await stream.aclose()
    entry = await exits.entry()
    assert (entry.remote, entry.local) == ("::1", str(stream.local))
    assert entry.local.startswith("[::1]:")


async def test_the_ledger_tells_the_whole_story(exits: Exits, server: Server) -> None:
    stream = await exits.dialer().dial(dial_to("127.0.513", server.port, caller=GRANT))
    opened = await exits.entry()
    assert opened.outcome == Outcome.OPENED
    assert opened.closed_at is None
    await stream.aclose()
    entry = await exits.entry()
    assert (entry.application_id, entry.grant_id) == ("application", "grant")
    assert (entry.traffic, entry.environment) == ("sync", "v3-us-static")
    assert (entry.source, entry.source_address) == (f"bind-{SOURCES[0]}", SOURCES[0])
    assert (entry.host, entry.remote, entry.port) == ("127.0.513", SERVER, server.port)
    assert entry.local == str(stream.local)
    assert "weighted rendezvous" in entry.reason
    assert entry.resolve_ms is not None
    assert entry.connect_ms is not None
    assert entry.tls_ms is None
    assert (entry.phase, entry.cause, entry.detail) == ("", "", "")
    assert entry.closed_at is not None
    assert entry.at <= entry.closed_at


async def test_the_intent_is_committed_before_the_syn_is_answered(exits: Exits) -> None:
    async with serving(admitted=()) as silent:
        under_way = asyncio.create_task(exits.dialer().dial(dial_to(SERVER, silent.port)))

        async def intended() -> bool:
            # On a connection of its own, so it is committed; while the dial is under way.
            rows = await exits.database.fetch("SELECT outcome, source_address, remote FROM ledger")
            assert not under_way.done()
            return [tuple(row) for row in rows] == [("intended", SOURCES[0], SERVER)]

        await until_async(intended, what="the intent is in the ledger")
        assert silent.seen == []
        with pytest.raises(ConnectTimeout) as caught:
            await under_way
    assert caught.value.phase is Phase.CONNECT
    entry = await exits.entry()
    assert (entry.outcome, entry.phase, entry.cause) == (Outcome.FAILED, "connect", "timeout")
    assert entry.connect_ms is not None
    assert entry.connect_ms > 500
    assert entry.closed_at is not None


async def test_a_filter_lets_one_source_through_and_drops_the_other(exits: Exits) -> None:
    async with serving(admitted=SOURCES[:1]) as filtered:
        admitted = await exits.dialer(bound(SOURCES[0])).dial(dial_to(SERVER, filtered.port))
        await hello(admitted)
        await admitted.aclose()
        with pytest.raises(ConnectTimeout) as caught:
            await exits.dialer(bound(SOURCES[1])).dial(dial_to(SERVER, filtered.port))
        assert filtered.seen == [SOURCES[0]]
    assert getattr(caught.value.route, "source") == bound(SOURCES[1])  # noqa: B009 - untyped on purpose there


async def test_a_closed_port_is_refused_and_theirs(exits: Exits, server: Server) -> None:
    with pytest.raises(ConnectionRefused) as caught:
        await exits.dialer().dial(dial_to(OTHER_SERVER, server.port))
    assert caught.value.phase is Phase.CONNECT
    entry = await exits.entry()
    assert (entry.outcome, entry.phase, entry.cause) == (Outcome.FAILED, "connect", "refused")


async def test_a_name_without_an_address_is_theirs_and_in_the_ledger(exits: Exits) -> None:
    with pytest.raises(NameNotFound):
        await exits.dialer(names=Names({})).dial(dial_to("nowhere.test", 993))
    entry = await exits.entry()
    assert (entry.outcome, entry.phase, entry.cause) == (Outcome.FAILED, "resolve", "name_not_found")
    assert (entry.host, entry.remote, entry.source) == ("nowhere.test", "", "")


@pytest.mark.parametrize(
    "host", ["", "a..b", "x" * 64 + ".test", "a\0b.test", "\ud800.test", "127.0.2.1 ", "[::1]", "%"]
)
async def test_a_host_that_is_no_name_is_refused_and_in_the_ledger(exits: Exits, host: str) -> None:
    with pytest.raises(NameNotFound):
        await exits.dialer().dial(dial_to(host, 993))
    assert (await exits.entry()).cause == "name_not_found"


async def test_the_next_address_is_tried_and_each_has_its_entry(exits: Exits) -> None:
    async with serving(address=OTHER_SERVER) as second:
        names = Names({"mail.test": [[SERVER, OTHER_SERVER]]})
        stream = await exits.dialer(names=names).dial(dial_to("mail.test", second.port))
        await hello(stream)
        await stream.aclose()
    first, other = await exits.entries()
    assert (first.remote, first.outcome, first.cause) == (SERVER, Outcome.FAILED, "refused")
    assert (other.remote, other.outcome) == (OTHER_SERVER, Outcome.OPENED)


async def test_all_addresses_of_a_server_together_have_one_limit(exits: Exits) -> None:
    silent = [f"127.0.4.{n}" for n in range(1, 7)]
    async with serving(address="0.0.0.0", admitted=()) as everywhere:
        with pytest.raises(ConnectTimeout):
            await exits.dialer(names=Names({"mail.test": [silent]})).dial(dial_to("mail.test", everywhere.port))
    tried = await exits.entries()
    assert [entry.cause for entry in tried] == ["timeout"] * len(tried)
    assert len(tried) < len(silent)
    assert sum(entry.connect_ms or 0 for entry in tried) / 1000 < TIMEOUTS.total_s + 0.5


async def test_a_broken_source_of_one_family_leaves_the_other_family(exits: Exits, server: Server) -> None:
    names = Names({"mail.test": [["2001:db8::9", SERVER]]})
    allow = (*LOOPBACK, ip_network("2001:db8::/32"))
    dialer = exits.dialer(bound("2001:db8::1"), bound(SOURCES[0]), names=names, allow=allow)
    stream = await dialer.dial(dial_to("mail.test", server.port))
    await stream.aclose()
    broken, opened = await exits.entries()
    assert (broken.outcome, broken.cause) == (Outcome.NOT_DIALLED, "unplumbed")
    assert (opened.outcome, opened.source_address) == (Outcome.OPENED, SOURCES[0])


async def test_a_dial_that_is_given_up_says_so(exits: Exits) -> None:
    async with serving(admitted=()) as silent:
        under_way = asyncio.create_task(exits.dialer().dial(dial_to(SERVER, silent.port)))
        await until_async(exits.entries, what="the dial is under way")
        under_way.cancel()
        with pytest.raises(asyncio.CancelledError):
            await under_way
    entry = await exits.entry()
    assert (entry.outcome, entry.phase, entry.cause) == (Outcome.FAILED, "connect", "cancelled")
    assert entry.closed_at is not None


async def test_every_socket_is_kept_alive_and_gives_up(exits: Exits, server: Server) -> None:
    stream = await exits.dialer().dial(dial_to(SERVER, server.port))
    sock: socket.socket = stream.transport.get_extra_info("socket")
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == USER_TIMEOUT_MS
    for option, value in KEEPALIVE:
        assert sock.getsockopt(socket.IPPROTO_TCP, option) == value
    assert sock.getsockopt(socket.IPPROTO_IP, socket.IP_BIND_ADDRESS_NO_PORT) == 1
    await stream.aclose()


async def test_a_grant_keeps_its_source_when_the_pool_grows_and_a_stranger_does_not(
    exits: Exits, server: Server
) -> None:
    async def source_of(caller: Caller, count: int) -> str:
        # A new dialer each time, as after a restart: only what is stored can be remembered.
        sources = [bound("203.0.113.1", name=f"s{n}", local=SOURCES[0]) for n in range(count)]
        dialer = exits.dialer(*sources, environment=DYNAMIC)
        stream = await dialer.dial(dial_to(SERVER, server.port, environment=DYNAMIC, caller=caller))
        await stream.aclose()
        return stream.route.source.name

    callers = [Caller("application", f"subject-{n}", grant_id=f"grant-{n}") for n in range(8)]
    before = [await source_of(caller, 1) for caller in callers]
    assert [await source_of(caller, 6) for caller in callers] == before
    strangers = [Caller("application", f"subject-{n}-new") for n in range(8)]
    assert len({await source_of(caller, 6) for caller in strangers}) > 1


async def test_an_account_that_comes_back_after_its_source_was_forgotten_is_assigned_one_again(
    exits: Exits, server: Server
) -> None:
    dialer = exits.dialer(*(bound("203.0.113.1", name=f"s{n}", local=SOURCES[0]) for n in range(8)))

    async def source_of(grant_id: str) -> str:
        caller = Caller("application", "subject", grant_id)
        stream = await dialer.dial(dial_to(SERVER, server.port, caller=caller))
        await stream.aclose()
        return stream.route.source.name

    # Not the one that it would be given today: the pool was another once.
    chosen = await source_of("")
    kept = next(f"s{n}" for n in range(8) if f"s{n}" != chosen)
    await assign_source(exits.database, "subject", str(STATIC), 4, kept)
    assert [await source_of(grant_id) for grant_id in ("", "before", "before")] == [kept] * 3
    await exits.database.execute("DELETE FROM assignments")
    assert [await source_of(grant_id) for grant_id in ("", "after", "after")] == [chosen] * 3
    assert await exits.database.fetchval("SELECT source FROM assignments") == chosen


async def test_the_authentication_leaves_by_the_source_that_the_grant_then_keeps(exits: Exits, server: Server) -> None:
    dialer = exits.dialer(*(bound("203.0.113.1", name=f"s{n}", local=SOURCES[0]) for n in range(8)))
    for number in range(6):
        before = await dialer.dial(dial_to(SERVER, server.port, caller=Caller("application", f"s-{number}")))
        after = await dialer.dial(dial_to(SERVER, server.port, caller=Caller("application", f"s-{number}", "grant")))
        assert before.route.source == after.route.source
        await before.aclose()
        await after.aclose()


async def test_explain_says_what_the_dial_then_does_and_dials_nothing(exits: Exits, server: Server) -> None:
    dialer = exits.dialer(*(bound("203.0.113.1", name=f"s{n}", local=SOURCES[0]) for n in range(8)))
    (told,) = await dialer.explain(dial_to(SERVER, server.port, caller=GRANT))
    assert server.seen == []
    assert await exits.entries() == []
    assert await exits.database.fetchval("SELECT count(*) FROM assignments") == 0
    stream = await dialer.dial(dial_to(SERVER, server.port, caller=GRANT))
    await stream.aclose()
    assert stream.route == told


async def test_a_source_can_be_asked_for_by_name_and_nothing_is_assigned(exits: Exits, server: Server) -> None:
    sources = [bound(address) for address in SOURCES]
    dialer = exits.dialer(*sources)
    for source in sources:
        stream = await dialer.dial_from(dial_to(SERVER, server.port, caller=GRANT), source)
        await stream.aclose()
    assert server.seen == list(SOURCES)
    assert [entry.source_address for entry in await exits.entries()] == list(SOURCES)
    assert await exits.database.fetchval("SELECT count(*) FROM assignments") == 0
