"""Proxies that answer garbage, slowly, endlessly or half: ours to tell, in time, and with no password in it."""

import asyncio
import base64
import traceback

import pytest
from structlog.testing import capture_logs

from mooring.config import Carrier
from mooring.egress import Outcome
from mooring.errors import EgressError, SourceUnavailable
from tests.egress.exits import (
    OTHER_SERVER,
    PROXY,
    SERVER,
    TIMEOUTS,
    Exits,
    Handler,
    Names,
    Server,
    dial_to,
    proxied,
    serving,
    stay_silent,
)

USER, PASSWORD = "mooring", "correct-horse-battery"
SECRETS = (PASSWORD, base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode(), PASSWORD.encode().hex())

ACCEPTED = b"\x05\x02", b"\x01\x00"
"""What a SOCKS5 proxy says to the greeting, and to the password."""


def socks(*said: bytes, after: Handler = stay_silent) -> Handler:
    """A SOCKS5 proxy that gives these answers, one for each thing that it is told, and then goes on as ``after``."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in said:
            await reader.read(1024)
            writer.write(answer)
        await after(reader, writer)

    return handle


def http(said: bytes, after: Handler = stay_silent) -> Handler:
    """An HTTP proxy that answers so, and then goes on as ``after``."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        await after(reader, writer)

    return handle


def endlessly(data: bytes) -> Handler:
    """Sends this for ever, as fast as it is taken."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(data)
            await writer.drain()

    return handle


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Says no more."""
    writer.close()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Repeats what it is told."""
    while data := await reader.read(1024):
        writer.write(data)


SOCKS: dict[str, tuple[Handler, str]] = {
    "garbage": (endlessly(b"\xde\xad\xbe\xef" * 1000), "not_a_proxy"),
    "the request again": (echo, "authentication"),
    "hangs up at once": (hang_up, "proxy_down"),
    "half a greeting": (socks(b"\x05"), "proxy_silent"),
    "a method that nobody offered": (socks(b"\x05\x01"), "authentication"),
    "no method at all": (socks(b"\x05\xff"), "authentication"),
    "hangs up on the password": (socks(b"\x05\x02", after=hang_up), "proxy_down"),
    "silent on the password": (socks(b"\x05\x02"), "proxy_silent"),
    "another version": (socks(*ACCEPTED, b"\x04\x00\x00\x01" + bytes(6)), "not_a_proxy"),
    "an address of no known form": (socks(*ACCEPTED, b"\x05\x00\x00\x09" + bytes(600)), "not_a_proxy"),
    "half an answer": (socks(*ACCEPTED, b"\x05\x00\x00\x03\xff" + b"x" * 40), "proxy_silent"),
    "hangs up in its answer": (socks(*ACCEPTED, b"\x05\x00\x00\x01", after=hang_up), "proxy_down"),
    "a reply of no known meaning": (socks(*ACCEPTED, b"\x05\xfe\x00\x01" + bytes(6)), "refused"),
}

HTTP: dict[str, tuple[Handler, str]] = {
    "garbage": (endlessly(b"\xde\xad\xbe\xef" * 1000), "not_a_proxy"),
    "the request again": (echo, "not_a_proxy"),
    "hangs up at once": (hang_up, "proxy_down"),
    "half a status": (http(b"HTTP/1.1 2"), "proxy_silent"),
    "hangs up in its answer": (http(b"HTTP/1.1 200 OK\r\nVia", after=hang_up), "proxy_down"),
    "a head without end": (http(b"HTTP/1.1 200 OK\r\nX: ", after=endlessly(b"x" * 4096)), "not_a_proxy"),
    "fields without end": (http(b"HTTP/1.1 200 OK\r\n", after=endlessly(b"X: y\r\n" * 100)), "not_a_proxy"),
    "no status": (http(b"HTTP/1.1\r\n\r\n"), "not_a_proxy"),
    "a word for a status": (http(b"HTTP/1.1 OK 200\r\n\r\n"), "not_a_proxy"),
    "a status of four digits": (http(b"HTTP/1.1 2000 OK\r\n\r\n"), "not_a_proxy"),
    "a status of a thousand digits": (http(b"HTTP/1.1 " + b"2" * 9000 + b"\r\n\r\n"), "not_a_proxy"),
    "digits of another script": (http("HTTP/1.1 ２００ OK\r\n\r\n".encode()), "not_a_proxy"),
    "only half of the way": (http(b"HTTP/1.1 100 Continue\r\n\r\n"), "refused"),
    "another place": (http(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.2.1/\r\n\r\n"), "refused"),
}

CASES = [(carrier, name) for carrier, cases in ((Carrier.SOCKS5, SOCKS), (Carrier.HTTP, HTTP)) for name in cases]


@pytest.mark.parametrize(("carrier", "name"), CASES, ids=[f"{carrier}: {name}" for carrier, name in CASES])
async def test_a_proxy_that_is_none_is_ours_and_its_password_is_told_to_nobody(
    exits: Exits, server: Server, carrier: Carrier, name: str
) -> None:
    handler, reason = (SOCKS if carrier is Carrier.SOCKS5 else HTTP)[name]
    async with serving(handler, address=PROXY) as proxy:
        source = proxied(carrier, proxy.port, username=USER, password=PASSWORD)
        began = asyncio.get_running_loop().time()
        with capture_logs() as logs, pytest.raises(EgressError) as caught:
            await exits.dialer(source).dial(dial_to(SERVER, server.port))
        took_s = asyncio.get_running_loop().time() - began
    assert caught.value.reason == reason
    assert took_s < TIMEOUTS.connect_s + 2 * TIMEOUTS.proxy_s + 1
    assert server.seen == []
    entry = await exits.undialled()
    assert entry.cause == reason
    told = "".join(traceback.format_exception(caught.value)) + caught.value.hint + repr(entry) + repr(logs)
    assert not [secret for secret in SECRETS if secret in told + repr(source)]


@pytest.mark.parametrize(
    ("carrier", "handler"),
    [
        (Carrier.SOCKS5, socks(*ACCEPTED, b"\x05\x00\x00\x03\x09localhost\x00\x00hello")),
        (Carrier.HTTP, http(b"HTTP/1.0 200\r\n\r\nhello")),
        (Carrier.HTTP, http(b"HTTP/1.1 299 So be it\r\nContent-Length: 5\r\n\r\nhello")),
    ],
)
async def test_not_a_byte_of_the_targets_is_taken_for_the_proxys(
    exits: Exits, carrier: Carrier, handler: Handler
) -> None:
    async with serving(handler, address=PROXY) as proxy:
        source = proxied(carrier, proxy.port, username=USER, password=PASSWORD)
        stream = await exits.dialer(source).dial(dial_to(SERVER, 993))
        assert await stream.receive(timeout_s=5) == b"hello"
        await stream.aclose()
    assert (await exits.entry()).outcome == Outcome.OPENED


async def test_a_proxy_of_many_addresses_does_not_take_for_ever(exits: Exits, server: Server) -> None:
    async with serving(socks(*ACCEPTED), address=OTHER_SERVER) as fourth:
        names = Names({SERVER: [[SERVER]], "proxy.test": [["127.0.3.21", "127.0.3.22", "127.0.3.23", OTHER_SERVER]]})
        source = proxied(Carrier.SOCKS5, fourth.port, host="proxy.test")
        with pytest.raises(SourceUnavailable) as caught:
            await exits.dialer(source, names=names).dial(dial_to(SERVER, server.port))
        assert fourth.seen == []
    assert caught.value.reason == "proxy_down"
