"""Where credentials go, how failures are told, and how much is read."""

import asyncio
import gzip
import tracemalloc
from collections.abc import AsyncIterator

import httpx
import pytest

from mooring.errors import (
    AuthenticationFailed,
    ConnectionLost,
    ConnectTimeout,
    InvalidRequest,
    MooringError,
    NetworkError,
    ReadTimeout,
    RemoteProtocolError,
    ServerRefused,
    SourceUnavailable,
    WriteTimeout,
)
from mooring.protocols.caldav import CalDavClient, NotEncrypted, RedirectRefused, ResponseTooLarge
from tests.protocol.caldav.transcripts import client_of, multistatus, resource

CALENDAR = "https://dav.example.org/c/"
ONE = multistatus(resource("/c/1.ics", '<d:getetag>"1"</d:getetag>')).content


def redirects(*targets: str, status: int = 301) -> tuple[list[httpx.Request], CalDavClient]:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        if len(seen) <= len(targets):
            return httpx.Response(status, headers={"location": targets[len(seen) - 1]})
        return httpx.Response(207, content=ONE)

    return seen, client_of(answer)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_within_the_site_is_followed_as_it_was(status: int) -> None:
    seen, client = redirects("https://p7.example.org:8443/c/", "/d/", status=status)
    etags = await client.etags(CALENDAR)
    assert list(etags) == ["https://p7.example.org:8443/c/1.ics"]
    assert [str(request.url) for request in seen][1:] == [
        "https://p7.example.org:8443/c/",
        "https://p7.example.org:8443/d/",
    ]
    assert {request.method for request in seen} == {"PROPFIND"}
    assert all(request.headers["authorization"].startswith("Basic ") and request.content for request in seen)


@pytest.mark.parametrize(
    "target",
    [
        "https://example.com/c/",
        "https://example.org.evil.net/c/",
        "http://dav.example.org/c/",
        "//evil.net/c/",
        "https://192.0.2.1/c/",
        "https://dav.example.org@evil.net/c/",
        "https://ann:hush@evil.net/c/",
        "https://[::ffff:127.0.0.1]/c/",
    ],
)
async def test_a_redirect_elsewhere_gets_no_credentials(target: str) -> None:
    seen, client = redirects(target)
    with pytest.raises(RedirectRefused) as refused:
        await client.etags(CALENDAR)
    assert len(seen) == 1
    assert refused.value.target.endswith("/c/")


@pytest.mark.parametrize(
    ("origin", "target", "is_followed"),
    [
        ("https://ann.github.io/", "https://bob.github.io/", False),
        ("https://mail.example.co.uk/", "https://other.co.uk/", False),
        ("https://192.0.2.1/", "https://192.0.2.2/", False),
        ("https://127.0.0.1/", "https://126.0.0.1/", False),
        ("https://mail/", "https://other/", False),
        ("https://[2001:db8::1]/", "https://[2001:DB8:0::1]/", True),
        ("https://CALDAV.Example.ORG/", "https://example.org/", True),
        ("https://mail/", "https://mail:8443/", True),
    ],
)
async def test_what_belongs_together(origin: str, target: str, is_followed: bool) -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(str(request.url))
        return httpx.Response(301, headers={"location": target}) if len(seen) == 1 else httpx.Response(207, content=ONE)

    client = client_of(answer, origin)
    if is_followed:
        assert await client.etags(origin)
    else:
        with pytest.raises(RedirectRefused):
            await client.etags(origin)
    assert len(seen) == 1 + is_followed


@pytest.mark.parametrize(
    "location",
    [
        "", "ftp://dav.example.org/", "mailto:x@y", "http://[::1", "https://dav.example.org:99999/",
        "file:///etc/passwd", "https://dav.example.org:0/", "https://dav.example.org:65536/", "https://[fe80::1%25lo]/",
        "https:\\\\evil.net/", "https://dav.example.org%2eevil.net/", "https://xn--/", "https://xn--a/",
        "https://h\r\nX: y/",
    ],
)  # fmt: skip
async def test_redirects_to_nowhere(location: str) -> None:
    seen, client = redirects(location)
    with pytest.raises(RemoteProtocolError):
        await client.etags(CALENDAR)
    assert len(seen) == 1


async def test_a_redirect_in_a_circle_ends() -> None:
    seen, client = redirects(*["/c/"] * 100)
    with pytest.raises(RemoteProtocolError, match="circle"):
        await client.etags(CALENDAR)
    assert len(seen) == 6


async def test_credentials_in_a_redirect_are_not_used() -> None:
    seen, client = redirects("https://eve:hers@dav.example.org/c/")
    await client.etags(CALENDAR)
    assert seen[0].headers["authorization"] == seen[1].headers["authorization"]
    assert "eve" not in str(seen[1].url)


async def test_no_credentials_in_clear_nor_to_another_site() -> None:
    seen, client = redirects()
    with pytest.raises(NotEncrypted):
        await client.etags("http://dav.example.org/c/")
    with pytest.raises(RedirectRefused):
        await client.etags("https://dav.example.net/c/")
    assert seen == []


async def test_cookies_of_the_shared_client_stay_at_home() -> None:
    seen, client = redirects()
    await client.etags(CALENDAR)
    assert "cookie" not in seen[0].headers


@pytest.mark.parametrize("offered", [["Digest"], ["Negotiate", "Digest"]])
async def test_digest_when_nothing_else_is_offered(offered: list[str]) -> None:
    seen: list[str] = []
    challenges = [
        ("www-authenticate", f'{scheme} realm="r", nonce="n", qop="auth", algorithm=SHA-256') for scheme in offered
    ]

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("authorization", "").split(" ")[0])
        return httpx.Response(207, content=ONE) if seen[-1] == "Digest" else httpx.Response(401, headers=challenges)

    client = client_of(answer)
    assert await client.etags(CALENDAR)
    assert await client.etags(CALENDAR)
    assert seen == ["Basic", "", "Digest", "Digest"]


@pytest.mark.parametrize(
    "challenge",
    [
        "Digest nonsense",
        'Digest realm="r"',
        'Digest realm="r", nonce="n", algorithm=ROT13',
        'Digest realm="r", nonce="n", qop="auth-int"',
    ],
)
async def test_a_digest_that_cannot_be_understood(challenge: str) -> None:
    client = client_of(lambda _: httpx.Response(401, headers={"www-authenticate": challenge}))
    with pytest.raises(RemoteProtocolError):
        await client.etags(CALENDAR)


async def test_a_wrong_password_asks_once_and_tells_the_servers_words() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.method)
        page = "<html><style>b{}</style><b>Wrong&nbsp;password</b> correct horse \x07</html>"
        return httpx.Response(401, html=page, headers={"www-authenticate": 'Basic realm="x"'})

    with pytest.raises(AuthenticationFailed) as failed:
        await client_of(answer).etags(CALENDAR)
    assert failed.value.reply == "401 Unauthorized: Wrong password [removed]"
    assert "correct horse" not in repr(vars(failed.value)) + str(failed.value)
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("status", "permanent"),
    [(400, True), (403, True), (404, True), (423, False), (429, False), (500, False), (503, False)],
)
async def test_other_refusals(status: int, permanent: bool) -> None:
    client = client_of(lambda _: httpx.Response(status, text="<h1>no</h1>" + " way" * 1000))
    with pytest.raises(ServerRefused) as refused:
        await client.etags(CALENDAR)
    assert refused.value.code == str(status)
    assert refused.value.permanent is permanent
    assert refused.value.reply.startswith(f"{status} ")
    assert "no way way" in refused.value.reply
    assert len(refused.value.reply) <= 300


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello",
        b"<html>",
        b"<html/>",
        b"\xff\xfe\x00",
        b'<?xml version="1.0" encoding="nonsense"?><a/>',
        b'<!DOCTYPE a [<!ENTITY b "c">]><d:multistatus xmlns:d="DAV:">&b;</d:multistatus>',
        b'<!DOCTYPE a SYSTEM "http://127.0.0.1/x"><d:multistatus xmlns:d="DAV:"/>',
        b'<d:multistatus xmlns:d="DAV:"><d:response><d:href>http://[</d:href></d:response></d:multistatus>',
    ],
)
async def test_bodies_that_are_no_multistatus(body: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        await client_of(lambda _: httpx.Response(207, content=body)).etags(CALENDAR)


async def test_a_page_in_place_of_a_multistatus() -> None:
    with pytest.raises(RemoteProtocolError, match="200 OK: Welcome"):
        await client_of(lambda _: httpx.Response(200, html="<h1>Welcome</h1>")).etags(CALENDAR)


async def test_only_so_much_is_read() -> None:
    given = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal given
        while True:
            given += 1000
            yield b"x" * 1000

    for status in (207, 401, 500):
        given = 0
        client = client_of(lambda _, s=status: httpx.Response(s, content=endless()), max_bytes=50_000)
        with pytest.raises(ResponseTooLarge):
            await client.etags(CALENDAR)
        assert given < 60_000


def packed_answer(body: bytes, encoding: str) -> httpx.Response:
    return httpx.Response(207, headers={"content-encoding": encoding}, stream=httpx.ByteStream(body))


async def test_a_bomb_is_counted_unpacked_and_piece_by_piece() -> None:
    packed = gzip.compress(b"x" * 50_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(ResponseTooLarge):
            await client_of(lambda _: packed_answer(packed, "gzip"), max_bytes=100_000).etags(CALENDAR)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("body", "encoding"), [(b"x", "zstd"), (b"x", "br"), (b"x", "gzip, gzip"), (b"no gzip", "gzip")]
)
async def test_what_nobody_asked_to_be_packed_so_is_not_unpacked(body: bytes, encoding: str) -> None:
    with pytest.raises(RemoteProtocolError):
        await client_of(lambda _: packed_answer(body, encoding)).etags(CALENDAR)


async def test_gzip_is_asked_for_and_read() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers["accept-encoding"])
        return packed_answer(
            gzip.compress(multistatus(resource("/c/ann/1.ics", "<d:getetag>e</d:getetag>")).content), "gzip"
        )

    assert list((await client_of(answer).etags(CALENDAR)).values()) == ["e"]
    assert asked == ["gzip"]


async def test_an_answer_that_never_ends_is_a_time_out() -> None:
    async def stuck() -> AsyncIterator[bytes]:
        yield b"<"
        await asyncio.Event().wait()

    with pytest.raises(ReadTimeout):
        await client_of(lambda _: httpx.Response(207, content=stuck()), timeout_s=0.05).etags(CALENDAR)


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (httpx.ReadTimeout("x"), ReadTimeout),
        (httpx.WriteTimeout("x"), WriteTimeout),
        (httpx.ConnectTimeout("x"), ConnectTimeout),
        (httpx.ReadError("x"), ConnectionLost),
        (httpx.WriteError("x"), ConnectionLost),
        (httpx.RemoteProtocolError("Server disconnected without sending a response."), ConnectionLost),
        (httpx.RemoteProtocolError("illegal status line"), RemoteProtocolError),
        (httpx.DecodingError("x"), RemoteProtocolError),
        (httpx.ConnectError("x"), NetworkError),
        (httpx.PoolTimeout("x"), NetworkError),
        (SourceUnavailable("no address", reason="unplumbed"), SourceUnavailable),
        (ConnectionLost("ours"), ConnectionLost),
    ],
)
async def test_failures_of_the_network_are_ours(raised: Exception, expected: type[MooringError]) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise raised

    with pytest.raises(expected) as failed:
        await client_of(answer).etags(CALENDAR)
    assert type(failed.value) is expected


@pytest.mark.parametrize(
    "address",
    [
        "", "https://", "ftp://dav.example.org/", "https://[", "dav example.org", "https://x:99999/", "https://x:0/",
        "https://xn--a/", "https://[fe80::1%25lo]/",
    ],
)  # fmt: skip
def test_addresses_that_are_none(address: str) -> None:
    with pytest.raises(InvalidRequest):
        client_of(lambda _: httpx.Response(207), address)


@pytest.mark.parametrize("password", ["a\r\nb", "a\0", "\ud800"])
def test_credentials_that_http_cannot_carry(password: str) -> None:
    with pytest.raises(InvalidRequest):
        CalDavClient(httpx.AsyncClient(), "https://dav.example.org/", "ann", password)
