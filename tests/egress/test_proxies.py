"""Sources behind real proxies: the far side sees the proxy's exit, and whose fault a failure is stays clear."""

from collections.abc import Generator

import pytest

from mooring.config import Carrier, SourceConfig
from mooring.egress import Outcome
from mooring.errors import (
    ConnectionRefused,
    ConnectTimeout,
    EgressError,
    HostUnreachable,
    NetworkError,
    ProxyRefused,
    SourceUnavailable,
)
from tests.egress.exits import OTHER_SERVER, PROXY, SERVER, Exits, Server, dial_to, proxied, serving, stay_silent
from tests.egress.proxies import EXIT, Proxies, proxies

USER, PASSWORD = "mooring", "hush-hush"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Generator[Proxies]:
    with proxies(tmp_path_factory.mktemp("proxies"), PROXY) as held:
        yield held


def login(source: SourceConfig, password: str) -> SourceConfig:
    via = source.via
    return proxied(via.carrier, via.port, address=EXIT, username=USER, password=password)


@pytest.fixture(scope="module")
def sources(running: Proxies) -> dict[str, SourceConfig]:
    """One source for each kind of proxy."""
    secured = proxied(Carrier.SOCKS5, running.microsocks(user=USER, password=PASSWORD), address=EXIT)
    guarded = proxied(Carrier.HTTP, running.tinyproxy(user=USER, password=PASSWORD), address=EXIT)
    return {
        "danted": proxied(Carrier.SOCKS5, running.danted(), address=EXIT),
        "microsocks": proxied(Carrier.SOCKS5, running.microsocks(), address=EXIT),
        "microsocks with a password": login(secured, PASSWORD),
        "tinyproxy": proxied(Carrier.HTTP, running.tinyproxy(), address=EXIT),
        "tinyproxy with a password": login(guarded, PASSWORD),
        "squid": proxied(Carrier.HTTP, running.squid(), address=EXIT),
    }


KINDS = [
    "danted", "microsocks", "microsocks with a password", "tinyproxy", "tinyproxy with a password", "squid",
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
async def test_the_server_sees_the_proxys_exit(exits: Exits, sources: dict[str, SourceConfig], kind: str) -> None:
    async with serving(admitted=[EXIT]) as server:
        stream = await exits.dialer(sources[kind]).dial(dial_to(SERVER, server.port))
        assert await stream.receive(timeout_s=5) == b"hello\r\n"
        assert server.seen == [EXIT]
        assert (stream.peer.host, stream.peer.port) == (SERVER, server.port)
        await stream.aclose()
    entry = await exits.entry()
    assert (entry.outcome, entry.source_address, entry.remote) == (Outcome.OPENED, EXIT, SERVER)
    assert entry.via == str(sources[kind].via)
    assert PASSWORD not in repr(entry)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_closed_port_behind_a_proxy_is_theirs(
    exits: Exits, server: Server, sources: dict[str, SourceConfig], kind: str
) -> None:
    with pytest.raises(NetworkError) as caught:
        await exits.dialer(sources[kind]).dial(dial_to(OTHER_SERVER, server.port))
    # HTTP has no word for it: a proxy's 5xx says only that the target could not be reached.
    socks = sources[kind].via.carrier is Carrier.SOCKS5
    assert type(caught.value) is (ConnectionRefused if socks else HostUnreachable)
    entry = await exits.entry()
    assert (entry.outcome, entry.phase) == (Outcome.FAILED, "connect")


@pytest.mark.parametrize("kind", ["danted", "microsocks", "tinyproxy", "squid"])
async def test_a_filter_behind_a_proxy_is_theirs(exits: Exits, sources: dict[str, SourceConfig], kind: str) -> None:
    async with serving(admitted=[PROXY]) as filtered:
        with pytest.raises(ConnectTimeout, match="through the proxy"):
            await exits.dialer(sources[kind]).dial(dial_to(SERVER, filtered.port))
        assert filtered.seen == []
    entry = await exits.entry()
    assert (entry.outcome, entry.phase, entry.cause) == (Outcome.FAILED, "connect", "timeout")


@pytest.mark.parametrize("kind", ["danted", "tinyproxy", "squid"])
async def test_a_proxy_that_refuses_is_ours(exits: Exits, server: Server, running: Proxies, kind: str) -> None:
    match kind:
        case "danted":
            source = proxied(Carrier.SOCKS5, running.danted(refuses=True), address=EXIT)
        case "tinyproxy":
            source = proxied(Carrier.HTTP, running.tinyproxy(refuses=True), address=EXIT)
        case _:
            source = proxied(Carrier.HTTP, running.squid(refuses=True), address=EXIT)
    with pytest.raises(ProxyRefused, match="refused to connect") as caught:
        await exits.dialer(source).dial(dial_to(SERVER, server.port))
    assert caught.value.reason == "refused"
    assert server.seen == []
    assert (await exits.undialled()).cause == "refused"


@pytest.mark.parametrize("kind", ["microsocks with a password", "tinyproxy with a password"])
@pytest.mark.parametrize("password", ["wrong-word", ""])
async def test_a_wrong_password_at_a_proxy_is_ours_and_is_told_to_nobody(
    exits: Exits, server: Server, sources: dict[str, SourceConfig], kind: str, password: str
) -> None:
    known = sources[kind]
    wrong = login(known, password) if password else proxied(known.via.carrier, known.via.port, address=EXIT)
    with pytest.raises(ProxyRefused) as caught:
        await exits.dialer(wrong).dial(dial_to(SERVER, server.port))
    assert caught.value.reason == "authentication"
    assert server.seen == []
    entry = await exits.undialled()
    assert entry.cause == "authentication"
    assert "wrong-word" not in f"{caught.value!r} {caught.value.message} {caught.value.hint} {entry!r}"


@pytest.mark.parametrize("carrier", [Carrier.SOCKS5, Carrier.HTTP])
async def test_a_server_that_is_no_proxy_is_ours(exits: Exits, server: Server, carrier: Carrier) -> None:
    async with serving(address=PROXY) as other:
        with pytest.raises(SourceUnavailable) as caught:
            await exits.dialer(proxied(carrier, other.port)).dial(dial_to(SERVER, server.port))
    assert caught.value.reason == "not_a_proxy"
    assert server.seen == []


async def test_a_socks_proxy_that_stays_silent_is_ours(exits: Exits, server: Server) -> None:
    async with serving(stay_silent, address=PROXY) as silent:
        with pytest.raises(SourceUnavailable, match="stays silent"):
            await exits.dialer(proxied(Carrier.SOCKS5, silent.port)).dial(dial_to(SERVER, server.port))
    assert (await exits.undialled()).cause == "proxy_silent"


async def test_the_carriers_of_one_installation_meet_at_one_server(
    exits: Exits, sources: dict[str, SourceConfig]
) -> None:
    chosen = [sources["danted"], sources["squid"]]
    dialer = exits.dialer(*chosen)
    async with serving(admitted=[EXIT]) as server:
        for source in chosen:
            stream = await dialer.dial_from(dial_to(SERVER, server.port), source)
            await stream.aclose()
        assert server.seen == [EXIT, EXIT]
    assert [entry.via for entry in await exits.entries()] == [str(source.via) for source in chosen]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_proxy_can_be_tried_out_without_a_target(
    exits: Exits, sources: dict[str, SourceConfig], kind: str
) -> None:
    await exits.dialer().try_out(sources[kind])
    assert await exits.entries() == []


async def test_a_wrong_password_shows_when_a_socks_proxy_is_tried_out(
    exits: Exits, sources: dict[str, SourceConfig]
) -> None:
    with pytest.raises(EgressError) as caught:
        await exits.dialer().try_out(login(sources["microsocks with a password"], "wrong-word"))
    assert caught.value.reason == "authentication"
