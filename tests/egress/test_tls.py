"""TLS on an open connection: four stories that are told apart, each in the ledger."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mooring.egress import DialledStream, Outcome
from mooring.errors import Phase, TLSFailed
from mooring.net.listener import server_context
from mooring.net.tls import client_context
from tests.egress.exits import SERVER, SOURCES, TIMEOUTS, Exits, Names, dial_to, greet, serving, stay_silent
from tests.lab.certificates import Authority, Certificate
from tests.waiting import until_async

HOST = "mail.test"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that this process trusts from now on."""
    made = Authority(tmp_path_factory.mktemp("authority"))
    client_context().load_verify_locations(made.bundle)
    return made


def certificate(authority: Authority, kind: str) -> Certificate:
    match kind:
        case "good":
            return authority.good([HOST])
        case "expired":
            return authority.expired([HOST])
        case "self-signed":
            return authority.self_signed([HOST])
        case _:
            return authority.wrong_name()


def names() -> Names:
    return Names({name: [[SERVER]] for name in (HOST, f"{HOST}.")})


@pytest.mark.parametrize("host", [HOST, f"{HOST}."], ids=["relative", "absolute"])
async def test_a_good_certificate_is_verified_for_the_name_that_was_asked_for(
    exits: Exits, authority: Authority, host: str
) -> None:
    good = certificate(authority, "good")
    async with serving(tls=server_context(good.chain, good.key)) as server:
        stream = await exits.dialer(names=names()).dial(dial_to(host, server.port, tls=True))
        assert await stream.receive(timeout_s=5) == b"hello\r\n"
        assert stream.tls is not None
        await stream.aclose()
    entry = await exits.entry()
    assert entry.outcome == Outcome.OPENED
    assert entry.connect_ms is not None
    assert entry.tls_ms is not None
    assert entry.closed_at is not None


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("expired", "certificate has expired"),
        ("self-signed", "self-signed certificate"),
        ("wrong name", f"not valid for '{HOST}'"),
    ],
)
async def test_a_bad_certificate_is_named(exits: Exits, authority: Authority, kind: str, said: str) -> None:
    bad = certificate(authority, kind)
    async with serving(tls=server_context(bad.chain, bad.key)) as server:
        with pytest.raises(TLSFailed) as caught:
            await exits.dialer(names=names()).dial(dial_to(HOST, server.port, tls=True))
    assert (caught.value.phase, caught.value.reason) == (Phase.TLS, "certificate")
    assert said in caught.value.detail
    assert caught.value.route is not None
    entry = await exits.entry()
    assert (entry.outcome, entry.phase, entry.cause) == (Outcome.FAILED, "tls", "certificate")
    assert said in entry.detail
    assert entry.local != ""
    assert entry.closed_at is not None


async def test_a_bad_certificate_is_the_end_and_no_other_address_is_tried(exits: Exits, authority: Authority) -> None:
    bad = certificate(authority, "expired")
    two = Names({HOST: [[SERVER, "127.0.2.3"]]})
    async with serving(address="0.0.0.0", tls=server_context(bad.chain, bad.key)) as server:
        with pytest.raises(TLSFailed):
            await exits.dialer(names=two).dial(dial_to(HOST, server.port, tls=True))
        assert server.seen.count(SOURCES[0]) == 1
    assert (await exits.entry()).remote == SERVER


async def test_a_plain_server_does_not_speak_tls(exits: Exits) -> None:
    async with serving(greet) as server:
        with pytest.raises(TLSFailed) as caught:
            await exits.dialer().dial(dial_to(SERVER, server.port, tls=True))
    assert caught.value.reason == "not_tls"
    assert (await exits.entry()).cause == "not_tls"


async def test_a_silent_server_is_a_timeout_of_the_handshake(exits: Exits) -> None:
    async with serving(stay_silent) as server:
        with pytest.raises(TLSFailed) as caught:
            await exits.dialer().dial(dial_to(SERVER, server.port, tls=True))
        assert server.seen != []
    assert caught.value.reason == "timeout"
    entry = await exits.entry()
    assert (entry.outcome, entry.phase, entry.cause) == (Outcome.FAILED, "tls", "timeout")
    assert entry.tls_ms is not None
    assert entry.tls_ms >= TIMEOUTS.tls_s * 900


async def test_a_server_that_hangs_up_on_the_handshake(exits: Exits) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)

    async with serving(hang_up) as server:
        with pytest.raises(TLSFailed) as caught:
            await exits.dialer().dial(dial_to(SERVER, server.port, tls=True))
    assert caught.value.reason == "closed"
    assert (await exits.entry()).cause == "closed"


async def arrived(stream: DialledStream) -> bool:
    return b"injected" in getattr(stream, "_reader")._buffer  # noqa: B009 - there is no public way to see it


async def test_an_upgrade_in_place_drops_what_was_injected_in_clear_and_is_in_the_ledger(
    exits: Exits, authority: Authority
) -> None:
    good = certificate(authority, "good")
    context = server_context(good.chain, good.key)

    async def upgrade(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"ready\r\ninjected\r\n")
        await writer.start_tls(context)
        writer.write(b"hello\r\n")
        await reader.read()

    async with serving(upgrade) as server:
        stream = await exits.dialer(names=names()).dial(dial_to(HOST, server.port))
        assert stream.tls is None
        await stream.send(b"STARTTLS\r\n", timeout_s=5)
        # Arrived and not read: what a client that reads line by line leaves behind.
        await until_async(lambda: arrived(stream), what="the bytes in clear are here")
        await stream.start_tls(timeout_s=5)
        assert stream.tls is not None
        assert await stream.receive(timeout_s=5) == b"hello\r\n"
        await stream.aclose()
    entry = await exits.entry()
    assert entry.outcome == Outcome.OPENED
    assert entry.tls_ms is not None


async def test_an_upgrade_that_fails_is_in_the_ledger(exits: Exits, authority: Authority) -> None:
    bad = certificate(authority, "expired")
    context = server_context(bad.chain, bad.key)

    async def upgrade(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await writer.start_tls(context)

    async with serving(upgrade) as server:
        stream = await exits.dialer(names=names()).dial(dial_to(HOST, server.port))
        with pytest.raises(TLSFailed) as caught:
            await stream.start_tls(timeout_s=5)
        await stream.aclose()
    assert caught.value.route == stream.route
    entry = await exits.entry()
    assert (entry.outcome, entry.phase, entry.cause) == (Outcome.FAILED, "tls", "certificate")


def test_the_operators_own_authorities_are_honoured(authority: Authority) -> None:
    code = "from mooring.net.tls import client_context as c; print(len(c().get_ca_certs()), c().check_hostname)"
    said = {}
    for bundle in (str(authority.bundle), os.devnull):
        environment = {**os.environ, "SSL_CERT_FILE": bundle, "SSL_CERT_DIR": os.devnull}
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            cwd=Path.cwd() / "src",
            capture_output=True,
            text=True,
            check=True,
        )
        said[bundle] = done.stdout.split()
    assert said == {str(authority.bundle): ["1", "True"], os.devnull: ["0", "True"]}
