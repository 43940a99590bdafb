"""The two things that detection does to the outside: fetch a small page by https, and listen for a greeting.

Both leave by the dialer, as traffic of the class discovery, on behalf of the application that asked. Nothing is ever
logged in to, and no page gets a cookie or a password.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import httpx

from mooring.config import EnvironmentName
from mooring.egress import Caller, Dial, Dialer, DialledStream, Traffic, http_client
from mooring.errors import (
    ConnectTimeout,
    ReadTimeout,
    RemoteProtocolError,
)
from mooring.net import TlsMode
from mooring.protocols.imap import ImapClient
from mooring.protocols.smtp import SmtpClient
from mooring.providers.errors import LeftAlone
from mooring.providers.types import Service

FETCH_S = 5.0
"""Seconds for a page, with its redirects."""
KNOCK_S = 4.0
"""Seconds for a connection, TLS and a greeting. Who is not heard within them may be behind a filter."""
MAX_BYTES = 64 * 1024
"""Of a page. An autoconfig file has two or three thousand."""
MAX_REDIRECTS = 3
HTTPS_PORT = 443
"""The only port that a redirect may lead to: whoever answers chooses the host, and must not have us knock at others."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True)
class Page:
    """What came back.

    Attributes:
        url: the place that answered, after redirects.
        challenges: the schemes of its ``WWW-Authenticate`` headers, in small letters.
        headers: the names of its headers, in small letters.
    """

    url: httpx.URL
    status: int
    challenges: frozenset[str] = frozenset()
    headers: frozenset[str] = frozenset()
    body: bytes = b""


class Outside(Protocol):
    """What a search does to the outside; tests hand in answers of their own."""

    async def fetch(self, url: str, /, *, method: str = "GET") -> Page:
        """The page at an https address, whatever its status.

        Raises:
            NetworkError, ProtocolError, TargetNotAllowed, EgressError.
            LeftAlone: it leads to a host that has been asked often enough.
        """
        ...

    async def knock(self, service: Service, host: str, port: int, tls: TlsMode, /) -> None:
        """Return if a server of this service greets there, and will speak TLS.

        Raises:
            ConnectTimeout: nobody was heard in time.
            NetworkError, ProtocolError, TargetNotAllowed, EgressError.
        """
        ...


class Discovery:
    """The outside, by the dialer.

    Args:
        caller: on whose behalf; its subject is the domain that is asked about.
        may_follow: whether a redirect to another host may be followed just now.
    """

    def __init__(
        self, dialer: Dialer, environment: EnvironmentName, caller: Caller, may_follow: Callable[[str], bool]
    ) -> None:
        self._dialer = dialer
        self._environment = environment
        self._caller = caller
        self._may_follow = may_follow

    async def fetch(self, url: str, /, *, method: str = "GET") -> Page:
        place = _https(url)
        try:
            async with asyncio.timeout(FETCH_S), http_client(self._dialer, self._plain, timeout_s=FETCH_S) as http:
                for _ in range(MAX_REDIRECTS + 1):
                    response = await _ask(http, method, place)
                    if response.status_code not in _REDIRECTS or "location" not in response.headers:
                        return _page(response, await _body(response))
                    await response.aclose()
                    place = self._led_to(place, response.headers["location"])
        except TimeoutError:
            raise ReadTimeout(f"{place.host} did not answer within {FETCH_S:.0f} s") from None
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as e:
            raise RemoteProtocolError(f"{place.host} did not answer as a web server would") from e
        raise RemoteProtocolError(f"{place.host} redirects too often")

    def _led_to(self, place: httpx.URL, location: str) -> httpx.URL:
        """Where a redirect from this place leads.

        Raises:
            RemoteProtocolError: away from https, or to another port. LeftAlone.
        """
        url = _https(str(place.join(location)))
        if _server(url) == _server(place):
            return url
        host, port = _server(url)
        if port != HTTPS_PORT:
            raise RemoteProtocolError(f"{place.host} redirects to a port that is not that of https")
        if not self._may_follow(host):
            raise LeftAlone(host)
        return url

    async def knock(self, service: Service, host: str, port: int, tls: TlsMode, /) -> None:
        try:
            async with asyncio.timeout(KNOCK_S):
                stream = await self._dialer.dial(self._dial(host, port, tls=tls is TlsMode.IMPLICIT))
                try:
                    offers = await (_imap(stream) if service is Service.IMAP else _smtp(stream))
                finally:
                    await stream.aclose()
        except TimeoutError:
            raise ConnectTimeout(f"{host}:{port} was not heard within {KNOCK_S:.0f} s") from None
        if tls is TlsMode.STARTTLS and "STARTTLS" not in offers:
            raise RemoteProtocolError(f"{host}:{port} does not offer TLS")

    def _dial(self, host: str, port: int, *, tls: bool) -> Dial:
        return Dial(Traffic.DISCOVERY, self._environment, self._caller, host, port, tls)

    def _plain(self, host: str, port: int) -> Dial:
        return self._dial(host, port, tls=False)


def _https(text: str) -> httpx.URL:
    """An address that may be asked.

    Raises:
        RemoteProtocolError: a redirect to plain http, or to nowhere.
    """
    try:
        url = httpx.URL(text)
        host = url.host
    except (httpx.InvalidURL, ValueError):
        raise RemoteProtocolError("a redirect leads to what is no address") from None
    if url.scheme != "https" or not host:
        raise RemoteProtocolError("a redirect leads away from https")
    return url.copy_with(username="", password="", fragment=None)


def _server(url: httpx.URL) -> tuple[str, int]:
    """Its host, as names are looked up, and its port."""
    return url.raw_host.decode("ascii").rstrip("."), url.port or HTTPS_PORT


async def _ask(http: httpx.AsyncClient, method: str, url: httpx.URL) -> httpx.Response:
    headers = {"Accept-Encoding": "identity"} | ({"Depth": "0"} if method == "PROPFIND" else {})
    request = http.build_request(method, url, headers=headers)
    request.headers.pop("cookie", None)
    return await http.send(request, stream=True, auth=None)


async def _body(response: httpx.Response) -> bytes:
    """The bytes as they came: whoever compresses them unasked is not read, so nothing can swell."""
    body = b""
    try:
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > MAX_BYTES:
                raise RemoteProtocolError(f"{response.url.host} answered with more than {MAX_BYTES} bytes")
    finally:
        await response.aclose()
    return body


def _page(response: httpx.Response, body: bytes) -> Page:
    challenges = (challenge.split(" ")[0].lower() for challenge in response.headers.get_list("www-authenticate"))
    names = frozenset(name.lower() for name in response.headers)
    return Page(response.url, response.status_code, frozenset(challenges), names, body)


async def _imap(stream: DialledStream) -> frozenset[str]:
    client = ImapClient(stream)
    await client.greeting(timeout_s=KNOCK_S)
    offers = frozenset(await client.capabilities())
    await client.logout(timeout_s=1.0)
    return offers


async def _smtp(stream: DialledStream) -> frozenset[str]:
    client = SmtpClient(stream)
    address = stream.route.source.address
    offers = await client.greet(f"[IPv6:{address}]" if address.version == 6 else f"[{address}]", timeout_s=KNOCK_S)
    await client.quit(timeout_s=1.0)
    return frozenset(name.upper() for name in offers.extensions)
