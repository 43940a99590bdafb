"""Whatever keeps a connection from leaving as meant: nothing is dialled, and the ledger says why."""

import asyncio
import re
import resource
import socket
import threading
from dataclasses import replace
from ipaddress import IPv4Address, ip_address, ip_network

import pytest
from structlog.testing import capture_logs

from mooring.config import Carrier, EnvironmentName, Generation, IPAddress, PoolConfig, SourceConfig
from mooring.egress import (
    Caller,
    Dialer,
    DialerPolicy,
    MixedName,
    Outcome,
    SharedResolver,
    check_plumbing,
    database_endpoints,
)
from mooring.egress.dialer import ADDRESSES_TRIED
from mooring.egress.targets import MOST_ADDRESSES
from mooring.errors import (
    ConfigError,
    ConnectionRefused,
    NoSource,
    ResolverBusy,
    ResolverTimeout,
    SourceUnavailable,
    TargetNotAllowed,
)
from mooring.net.listener import free_port
from mooring.store import DatabaseUrl
from tests.egress.exits import (
    DYNAMIC,
    OTHER_SERVER,
    PROXY,
    SERVER,
    SOURCES,
    STATIC,
    TIMEOUTS,
    UNPLUMBED,
    Exits,
    Names,
    Server,
    bound,
    dial_to,
    proxied,
    serving,
)


@pytest.mark.parametrize(
    "asked",
    [DYNAMIC, replace(STATIC, region="eu"), replace(STATIC, generation=Generation.V2)],
    ids=str,
)
async def test_an_unknown_pool(exits: Exits, server: Server, asked: EnvironmentName) -> None:
    with pytest.raises(NoSource, match=f"no pool {asked}"):
        await exits.dialer(environment=STATIC).dial(dial_to(SERVER, server.port, environment=asked))
    assert server.seen == []
    entry = await exits.undialled()
    assert (entry.cause, entry.environment, entry.source) == ("unknown_pool", str(asked), "")


async def test_an_empty_pool(exits: Exits, server: Server) -> None:
    policy = DialerPolicy((PoolConfig(STATIC, ()),))
    dialer = Dialer(
        exits.database, exits.ledger, exits.clock, policy, resolve=Names({SERVER: [[SERVER]]}), berths=exits.berths
    )
    with pytest.raises(NoSource, match="has no source"):
        await dialer.dial(dial_to(SERVER, server.port))
    assert server.seen == []
    assert (await exits.undialled()).cause == "empty_pool"


@pytest.mark.parametrize(
    "source", [bound(UNPLUMBED), bound("203.0.113.8", local=UNPLUMBED)], ids=["bind", "bind:LOCAL"]
)
async def test_a_source_that_is_not_plumbed(exits: Exits, server: Server, source: SourceConfig) -> None:
    with pytest.raises(SourceUnavailable, match=f"{UNPLUMBED} is not an address of this host") as caught:
        await exits.dialer(source).dial(dial_to(SERVER, server.port))
    assert UNPLUMBED in caught.value.hint
    assert server.seen == []
    entry = await exits.undialled()
    assert (entry.cause, entry.source, entry.source_address) == ("unplumbed", source.name, str(source.address))


async def test_a_source_without_a_way_to_the_target(exits: Exits) -> None:
    # The kernel never sends from loopback to the outside.
    with pytest.raises(SourceUnavailable, match="no route"):
        await exits.dialer(allow=()).dial(dial_to("8.8.8.8", 993))
    assert (await exits.undialled()).cause == "no_route"


async def test_a_process_without_sockets_left(exits: Exits, server: Server) -> None:
    dialer, dial = exits.dialer(), dial_to(SERVER, server.port)
    await dialer.explain(dial)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.socket() as lowest:
        # Descriptors are given out from the lowest that is free: there is none below the limit any more.
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest.fileno() + 1, hard))
        try:
            with pytest.raises(SourceUnavailable) as caught:
                await dialer.dial(dial)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert caught.value.reason == "no_sockets"
    assert server.seen == []
    assert (await exits.undialled()).cause == "no_sockets"


@pytest.mark.parametrize("carrier", [Carrier.SOCKS5, Carrier.HTTP])
@pytest.mark.parametrize("host", [PROXY, "no-such-proxy.test"])
async def test_a_proxy_that_is_down(exits: Exits, server: Server, carrier: Carrier, host: str) -> None:
    source = proxied(carrier, free_port(IPv4Address(PROXY)), host=host)
    with pytest.raises(SourceUnavailable, match="cannot be reached") as caught:
        await exits.dialer(source, names=Names({SERVER: [[SERVER]], PROXY: [[PROXY]]})).dial(
            dial_to(SERVER, server.port)
        )
    assert str(source.via) in caught.value.hint
    assert server.seen == []
    entry = await exits.undialled()
    assert (entry.cause, entry.source) == ("proxy_down", source.name)


@pytest.mark.parametrize("carrier", [Carrier.SOCKS5, Carrier.HTTP])
async def test_a_proxy_behind_a_filter(exits: Exits, server: Server, carrier: Carrier) -> None:
    async with serving(address=PROXY, admitted=()) as filtered:
        with pytest.raises(SourceUnavailable, match="timed out"):
            await exits.dialer(proxied(carrier, filtered.port)).dial(dial_to(SERVER, server.port))
    assert server.seen == []
    assert (await exits.undialled()).cause == "proxy_down"


async def test_a_server_of_the_other_family_only(exits: Exits, server: Server) -> None:
    with pytest.raises(NoSource, match="only IPv6 addresses, and v3-us-static only IPv4 sources"):
        await exits.dialer(names=Names({"six.test": [["::1"]]})).dial(dial_to("six.test", server.port))
    assert (await exits.undialled()).cause == "wrong_family"


async def test_a_name_that_no_thread_was_free_for_is_ours_and_a_silent_name_server_theirs(exits: Exits) -> None:
    silence = threading.Event()

    def find(host: str, port: int) -> list[IPAddress]:
        if host == "dead.test":
            silence.wait(30)
        return [ip_address(SERVER)]

    names, timeouts = SharedResolver(find, threads=2, share=1), replace(TIMEOUTS, resolve_s=0.2)
    dialer = exits.dialer(names=names, timeouts=timeouts)
    others = dial_to("mail.test", 993, caller=Caller("another application", "its subject"))
    try:
        told = await asyncio.gather(
            *(dialer.dial(dial_to(host, 993)) for host in ("dead.test", "mail.test")), return_exceptions=True
        )
        assert [str(route.remote) for route in await dialer.explain(others)] == [SERVER]
    finally:
        silence.set()
    assert [type(error) for error in told] == [ResolverTimeout, ResolverBusy]
    found = {entry.host: (entry.outcome, entry.phase, entry.cause) for entry in await exits.entries()}
    assert found == {
        "dead.test": (Outcome.FAILED, "resolve", "timeout"),
        "mail.test": (Outcome.NOT_DIALLED, "", "resolver_busy"),
    }


async def test_names_are_looked_up_once_and_only_what_was_judged_is_dialled(exits: Exits) -> None:
    # The name server's second answer would lead inside.
    names = Names({"rebinding.test": [[SERVER], ["169.254.169.254"], ["127.0.0.1"]]})
    async with serving() as public, serving(address="127.0.0.1") as inside:
        assert public.port != inside.port
        stream = await exits.dialer(names=names).dial(dial_to("rebinding.test", public.port))
        assert stream.peer.host == SERVER
        await stream.aclose()
        assert names.asked == ["rebinding.test"]
        assert (public.seen, inside.seen) == ([SOURCES[0]], [])
        with pytest.raises(TargetNotAllowed):
            await exits.dialer(names=names).dial(dial_to("rebinding.test", public.port))
        assert public.seen == [SOURCES[0]]
    opened, refused = await exits.entries()
    assert (opened.outcome, opened.remote) == (Outcome.OPENED, SERVER)
    assert (refused.outcome, refused.cause) == (Outcome.NOT_DIALLED, "target_not_allowed")


@pytest.mark.parametrize("answer", [[SERVER, "169.254.169.254"], ["169.254.169.254", SERVER], [SERVER, "10.0.0.1"]])
async def test_a_name_that_also_leads_inside_is_not_dialled_at_all(
    exits: Exits, server: Server, answer: list[str]
) -> None:
    with pytest.raises(MixedName):
        await exits.dialer(names=Names({"mixed.test": [answer]})).dial(dial_to("mixed.test", server.port))
    assert server.seen == []
    assert (await exits.undialled()).cause == "target_not_allowed"


@pytest.mark.parametrize("beside", [[], [SERVER]])
async def test_where_inside_a_name_leads_is_told_to_the_operator_alone(exits: Exits, beside: list[str]) -> None:
    inside = ["10.20.3.4", "fd00::7"]
    with capture_logs() as logs, pytest.raises(TargetNotAllowed) as caught:
        await exits.dialer(names=Names({"intra.test": [[*beside, *inside]]})).dial(dial_to("intra.test", 993))
    entry = await exits.undialled()
    for told in (str(caught.value), caught.value.hint, entry.reason, entry.detail):
        assert not any(address in told for address in inside)
    assert "intra.test" in entry.reason
    assert "policy.allow_private_targets" in caught.value.hint
    [logged] = [line for line in logs if line["event"] == "egress.not_allowed"]
    assert (logged["host"], logged["port"]) == ("intra.test", 993)
    assert "10.20.3.4 is not a public address" in logged["rule"]


@pytest.mark.parametrize(
    ("host", "told"),
    [
        ("169.254.169.254", "169.254.169.254 is a cloud metadata address"),
        ("::ffff:169.254.169.254", "169.254.169.254 is a cloud metadata address"),
        ("0xa9fea9fe", "reserved"), ("2852039166", "reserved"), ("0251.0376.0251.0376", "reserved"),
    ],
)  # fmt: skip
async def test_metadata_is_never_dialled(exits: Exits, host: str, told: str) -> None:
    with pytest.raises(TargetNotAllowed, match=re.escape(told)):
        await exits.dialer().dial(dial_to(host, 80))
    entry = await exits.undialled()
    assert (entry.cause, entry.host, entry.remote) == ("target_not_allowed", host, "")
    assert told in entry.reason


SPELLINGS = [
    "127.1", "127.0.0.1", "0x7f000001", "0x7F.1", "2130706433", "0177.0.0.1", "017700000001", "①②⑦.0.0.1",
    "127。0。0。1", "127\uff0e0\uff0e0\uff0e1", "::1", "::ffff:127.0.0.1", "::ffff:7f00:1", "0:0:0:0:0:0:0:1",
    "localhost", "0", "0.0.0.0", "::",
]  # fmt: skip


@pytest.mark.parametrize("host", SPELLINGS)
async def test_loopback_is_not_dialled_however_it_is_spelt(exits: Exits, host: str) -> None:
    async with serving(address="127.0.0.1") as local:
        with pytest.raises(TargetNotAllowed):
            await exits.dialer(allow=()).dial(dial_to(host, local.port))
        assert local.seen == []
    entry = await exits.undialled()
    assert (entry.cause, entry.host) == ("target_not_allowed", host)


async def test_a_name_with_a_thousand_addresses_is_not_dialled(exits: Exits) -> None:
    thousand = [f"127.0.{4 + n // 250}.{n % 250}" for n in range(1000)]
    async with serving(address="0.0.0.0") as everywhere:
        with pytest.raises(TargetNotAllowed, match="1000 addresses"):
            await exits.dialer(names=Names({"wide.test": [thousand]})).dial(dial_to("wide.test", everywhere.port))
        assert SOURCES[0] not in everywhere.seen
    assert (await exits.undialled()).cause == "target_not_allowed"


async def test_of_many_addresses_only_some_are_tried(exits: Exits, server: Server) -> None:
    many = [f"127.0.4.{n}" for n in range(1, MOST_ADDRESSES)]
    names = Names({"wide.test": [[*many, SERVER]]})
    assert len(await exits.dialer(names=names).explain(dial_to("wide.test", server.port))) == ADDRESSES_TRIED
    with pytest.raises(ConnectionRefused):
        await exits.dialer(names=names).dial(dial_to("wide.test", server.port))
    assert server.seen == []
    assert [entry.remote for entry in await exits.entries()] == many[:ADDRESSES_TRIED]


@pytest.mark.parametrize("disguise", [f"::ffff:{SERVER}", f"64:ff9b::{SERVER}"])
async def test_an_ipv4_server_in_disguise_is_reached_from_ipv4_or_not_at_all(
    exits: Exits, server: Server, disguise: str
) -> None:
    # A proxy, or a NAT64, would reach it from some IPv4 address of its own: not from what the source says.
    six = replace(proxied(Carrier.SOCKS5, server.port, host=SERVER), address=ip_address("2001:db8::1"))
    names = Names({"mail.test": [[disguise]]})
    with pytest.raises(NoSource, match="only IPv4 addresses, and v3-us-static only IPv6"):
        await exits.dialer(six, names=names).dial(dial_to("mail.test", server.port))
    assert server.seen == []
    assert (await exits.undialled()).cause == "wrong_family"
    stream = await exits.dialer(six, bound(SOURCES[0]), names=names).dial(dial_to("mail.test", server.port))
    await stream.aclose()
    assert server.seen == [SOURCES[0]]
    assert [(entry.remote, entry.source_address) for entry in await exits.entries()][1:] == [(SERVER, SOURCES[0])]


@pytest.mark.parametrize("host", ["fe80::1%lo", "fe80::1%1", "::1%1", "ff02::1%lo"])
async def test_a_zone_makes_no_address_dialled(exits: Exits, host: str) -> None:
    with pytest.raises(TargetNotAllowed):
        await exits.dialer(bound("::1"), allow=()).dial(dial_to(host, 993))
    assert (await exits.undialled()).cause == "target_not_allowed"


async def test_a_zone_chooses_no_way_out(exits: Exits) -> None:
    link_local = (ip_network("fe80::/10"),)
    with pytest.raises(SourceUnavailable, match="no route"):
        await exits.dialer(bound("::1"), allow=link_local).dial(dial_to("fe80::1%lo", 993))
    assert (await exits.undialled()).cause == "no_route"


@pytest.mark.parametrize("port", [0, 65536, 2**16 + 993])
async def test_what_is_no_port_is_not_dialled_whatever_the_resolver_makes_of_it(exits: Exits, port: int) -> None:
    with pytest.raises(TargetNotAllowed, match="is not a port"):
        await exits.dialer().dial(dial_to(SERVER, port))
    assert (await exits.undialled()).cause == "target_not_allowed"


@pytest.mark.parametrize("port", [0, -1, 65536, 70_000, 2**40])
async def test_what_is_no_port_is_not_dialled(exits: Exits, port: int) -> None:
    with pytest.raises(TargetNotAllowed, match="is not a port"):
        await exits.dialer(names=Names({SERVER: [[SERVER]]})).dial(dial_to(SERVER, port))
    assert (await exits.undialled()).cause == "target_not_allowed"


async def test_a_port_that_mail_does_not_use_is_not_dialled(exits: Exits) -> None:
    with pytest.raises(TargetNotAllowed, match="port 22"):
        await exits.dialer(allow=()).dial(dial_to("8.8.8.8", 22))
    assert (await exits.undialled()).cause == "target_not_allowed"


@pytest.mark.parametrize("listens_on", [SERVER, "0.0.0.0", "::"])
async def test_our_own_listener_is_not_dialled(exits: Exits, server: Server, listens_on: str) -> None:
    forbidden = frozenset({(listens_on, server.port)})
    with pytest.raises(TargetNotAllowed, match="belongs to this installation"):
        await exits.dialer(forbidden=forbidden).dial(dial_to(SERVER, server.port))
    assert server.seen == []
    async with serving(address=OTHER_SERVER) as other:
        stream = await exits.dialer(forbidden=forbidden).dial(dial_to(OTHER_SERVER, other.port))
        await stream.aclose()


async def test_a_source_of_another_pool_cannot_be_asked_for(exits: Exits, server: Server) -> None:
    with pytest.raises(NoSource):
        await exits.dialer(bound(SOURCES[0])).dial_from(dial_to(SERVER, server.port), bound(SOURCES[1]))
    assert server.seen == []
    assert (await exits.undialled()).cause == "unknown_source"


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "all_proxy", "http_proxy"])
async def test_proxies_of_the_environment_are_not_asked(
    exits: Exits, server: Server, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(address=PROXY) as proxy:
        monkeypatch.setenv(variable, f"http://{PROXY}:{proxy.port}")
        stream = await exits.dialer().dial(dial_to(SERVER, server.port))
        await stream.aclose()
        assert (server.seen, proxy.seen) == ([SOURCES[0]], [])


def test_a_process_does_not_start_with_an_address_that_it_lacks() -> None:
    check_plumbing([PoolConfig(STATIC, (bound(SOURCES[0]), proxied(Carrier.HTTP, 3128, address=UNPLUMBED)))])
    with pytest.raises(ConfigError, match=f"the pool v3-us-static binds {UNPLUMBED}") as caught:
        check_plumbing([PoolConfig(STATIC, (bound(SOURCES[0]), bound("203.0.113.9", name="lost", local=UNPLUMBED)))])
    assert "the source lost" in caught.value.message
    assert f"ip addr add {UNPLUMBED}/32" in caught.value.hint


@pytest.mark.parametrize(
    ("url", "endpoints"),
    [
        ("", set[tuple[str, int]]()),
        ("postgresql:///mooring?host=/run/postgresql", set[tuple[str, int]]()),
        ("postgresql://u@%2Frun%2Fpostgresql/mooring", set[tuple[str, int]]()),
        ("postgresql://u:p@127.0.0.1/mooring", {("127.0.0.1", 5432)}),
        ("postgresql://u:p@[::1]:5433/mooring", {("::1", 5433)}),
        ("postgresql://127.0.0.1:1,127.0.0.2:2/mooring", {("127.0.0.1", 1), ("127.0.0.2", 2)}),
        ("postgresql:///mooring?host=127.0.0.1&port=6432", {("127.0.0.1", 6432)}),
    ],
)
async def test_the_databases_endpoints_are_known(url: str, endpoints: set[tuple[str, int]]) -> None:
    assert await database_endpoints(DatabaseUrl(url)) == endpoints


@pytest.mark.parametrize(
    "url", ["postgresql://u:hu/sh@127.0.0.1/d", "postgresql://u:hush@[::1/d", "postgresql://h:x/d"]
)
async def test_a_database_url_that_is_none_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        await database_endpoints(url)
    assert "hu" not in f"{caught.value.message} {caught.value.__cause__!r}"


async def test_a_database_that_is_nowhere_is_refused() -> None:
    with pytest.raises(ConfigError, match="host cannot be found"):
        await database_endpoints("postgresql://u:p@a..b/d")
