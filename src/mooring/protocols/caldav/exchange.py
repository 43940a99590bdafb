"""One request, one bounded answer: credentials, redirects and failures over a client that was handed in.

Whatever cookies the handed-in client holds are left out: a session cookie of one account must never
travel with another's password.
"""

import asyncio
import base64
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Never

import httpx

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
    WriteTimeout,
)
from mooring.protocols.caldav.bodies import ACCEPTED, unpacked, visible
from mooring.protocols.caldav.documents import Multistatus, read_multistatus
from mooring.protocols.caldav.errors import NotEncrypted, RedirectRefused, ResponseTooLarge
from mooring.protocols.caldav.places import resolve, site

MAX_BYTES = 64 * 1024 * 1024
"""Of one answer, decompressed. A calendar of 20,000 events is about half of it."""

TIMEOUT_S = 60.0
"""Seconds for one answer, from the request to its last byte."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAX_REDIRECTS = 5
_TRY_AGAIN = frozenset({408, 423, 425, 429})
_EXCERPT = 300
"""Characters of an error page that are worth showing."""
_READ = 64 * 1024
"""Bytes of it that are looked at."""

SHORTEST_SECRET = 4
"""Characters. Removing a shorter one from an error page would tear ordinary words apart, and say what it is."""

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\s]+")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whole.

    Attributes:
        url: the place that answered, after redirects.
        status: HTTP status code, and phrase the words beside it.
        challenges: the ``WWW-Authenticate`` headers.
        location: where a redirect points, or "".
        offers: what the ``DAV`` header lists (RFC 4918 §10.1).
    """

    url: httpx.URL
    status: int
    phrase: str
    challenges: tuple[str, ...]
    location: str
    body: bytes
    offers: tuple[str, ...] = ()

    @property
    def wants_digest(self) -> bool:
        """Digest is the only scheme offered that we speak (RFC 7616)."""
        schemes = {challenge.split(" ")[0].lower() for challenge in self.challenges}
        return self.status == 401 and "digest" in schemes and "basic" not in schemes


class Exchange:
    """Requests to one site with one user's credentials, or with nobody's.

    Args:
        http: leaves by the right exit; its own cookies, credentials and redirects are not used.
        origin: the place the credentials are for; they go to nothing outside its registrable domain.
        username: "" with an empty password for nobody.
    """

    __slots__ = (
        "_allow_clear",
        "_auth",
        "_http",
        "_is_nobody",
        "_max_bytes",
        "_password",
        "_secrets",
        "_site",
        "_timeout_s",
        "_username",
    )

    def __init__(
        self,
        http: httpx.AsyncClient,
        origin: httpx.URL,
        username: str,
        password: str,
        *,
        allow_clear: bool,
        max_bytes: int,
        timeout_s: float,
    ) -> None:
        if any(ord(character) < 32 or 0xD800 <= ord(character) < 0xE000 for character in username + password):
            raise InvalidRequest("a user name or password cannot hold control characters")
        self._http = http
        self._site = site(origin)
        self._username = username
        blob = base64.b64encode(f"{username}:{password}".encode()).decode()
        self._secrets = (blob, password) if len(password) >= SHORTEST_SECRET else (blob,)
        self._password = password
        self._is_nobody = not (username or password)
        self._auth: httpx.Auth = httpx.Auth() if self._is_nobody else httpx.BasicAuth(username, password)
        self._allow_clear = allow_clear
        self._max_bytes = max_bytes
        self._timeout_s = timeout_s

    async def multistatus(
        self, method: str, url: httpx.URL, body: bytes, *, depth: str
    ) -> tuple[Multistatus, httpx.URL]:
        """The entries that the server answered with, and the place that answered.

        Raises:
            AuthenticationFailed, ServerRefused, RedirectRefused, NotEncrypted, NetworkError, RemoteProtocolError.
        """
        answer = await self.request(method, url, body, depth=depth)
        return await self.read(answer), answer.url

    async def read(self, answer: Answer) -> Multistatus:
        """The entries of an answer, or the error that it is."""
        if answer.status != 207:
            self.refuse(answer)
        return await asyncio.to_thread(read_multistatus, answer.body, answer.url)

    async def request(self, method: str, url: httpx.URL, body: bytes, *, depth: str) -> Answer:
        """The answer, whatever its status, after redirects within the site.

        A redirect repeats the method, also for 301 to 303: RFC 6764 §5 means it so for ``.well-known``.

        Raises:
            RedirectRefused, NotEncrypted, NetworkError, RemoteProtocolError.
        """
        for _ in range(_MAX_REDIRECTS + 1):
            answer = await self.once(method, url, body, depth=depth)
            if answer.status not in _REDIRECTS:
                return answer
            if not answer.location:
                raise RemoteProtocolError(f"{url.host} answered with a redirect to nowhere")
            target = resolve(url, answer.location)
            if url.scheme == "https" and target.scheme == "http":
                raise RedirectRefused(f"{url.host} redirects from https to http", target=_shown(target))
            url = target
        raise RemoteProtocolError(f"{url.host} redirects in a circle")

    async def once(self, method: str, url: httpx.URL, body: bytes, *, depth: str) -> Answer:
        """As ``request``, but a redirect is an answer as well."""
        self._require_permitted(url)
        return await self._authenticated(method, url, body, depth)

    def refuse(self, answer: Answer) -> Never:
        """Raise what this answer, which is not the one hoped for, means."""
        host, said = answer.url.host, self._said(answer)
        if answer.status == 401:
            raise AuthenticationFailed(f"{host} refused the credentials: {said}", reply=said, code="401")
        if answer.status < 400:
            raise RemoteProtocolError(f"{host} did not answer as a CalDAV server would: {said}")
        raise ServerRefused(
            f"{host} refused: {said}",
            reply=said,
            code=str(answer.status),
            permanent=answer.status < 500 and answer.status not in _TRY_AGAIN,
        )

    def _require_permitted(self, url: httpx.URL) -> None:
        if site(url) != self._site:
            raise RedirectRefused(
                f"the server points to {url.host}, outside {self._site}; the credentials were not sent there",
                target=_shown(url),
                hint="if that place is right, give it as the CalDAV address",
            )
        if url.scheme != "https" and not self._allow_clear:
            raise NotEncrypted(f"{url.host} was to be asked over plain http, so no credentials were sent")

    async def _authenticated(self, method: str, url: httpx.URL, body: bytes, depth: str) -> Answer:
        answer = await self._drive(self._build(method, url, body, depth))
        if answer.wants_digest and not self._is_nobody and not isinstance(self._auth, httpx.DigestAuth):
            self._auth = httpx.DigestAuth(self._username, self._password)
            answer = await self._drive(self._build(method, url, body, depth))
        return answer

    def _build(self, method: str, url: httpx.URL, body: bytes, depth: str) -> httpx.Request:
        headers = {
            "Depth": depth,
            "Content-Type": "application/xml; charset=utf-8",
            "Accept": "application/xml, text/xml",
            "Accept-Encoding": ACCEPTED,
        }
        request = self._http.build_request(method, url, headers=headers, content=body)
        request.headers.pop("cookie", None)
        return request

    async def _drive(self, request: httpx.Request) -> Answer:
        """Step through the scheme's own rounds, so that each answer on the way is bounded as well."""
        flow = self._auth.auth_flow(request)
        prepared = next(flow)
        while True:
            answer, response = await self._once(prepared)
            try:
                prepared = flow.send(response)
            except StopIteration:
                return answer
            except (httpx.ProtocolError, KeyError, ValueError, NotImplementedError):
                raise RemoteProtocolError(f"{request.url.host} asks for a Digest that cannot be understood") from None

    async def _once(self, request: httpx.Request) -> tuple[Answer, httpx.Response]:
        async with self._translated(request.url.host):
            response = await self._http.send(request, auth=None, stream=True, follow_redirects=False)
            try:
                body = await self._bounded(response)
            finally:
                await response.aclose()
        headers = response.headers
        answer = Answer(
            url=request.url,
            status=response.status_code,
            phrase=response.reason_phrase,
            challenges=tuple(headers.get_list("www-authenticate")),
            location=headers.get("location", ""),
            body=body,
            offers=tuple(word.strip() for line in headers.get_list("dav") for word in line.split(",") if word.strip()),
        )
        return answer, response

    async def _bounded(self, response: httpx.Response) -> bytes:
        chunks: list[bytes] = []
        size = 0
        async for chunk in unpacked(response):
            size += len(chunk)
            if size > self._max_bytes:
                raise ResponseTooLarge(f"{response.url.host} answered with more than {self._max_bytes} bytes")
            chunks.append(chunk)
        return b"".join(chunks)

    @asynccontextmanager
    async def _translated(self, host: str) -> AsyncGenerator[None, None]:
        try:
            async with asyncio.timeout(self._timeout_s):
                yield
        except TimeoutError:
            raise ReadTimeout(f"{host} did not finish its answer in time") from None
        except (httpx.InvalidURL, UnicodeError):
            # httpx reads Location even when told not to follow it, and cannot read a host such as "xn--a".
            raise RemoteProtocolError(f"{host} redirects to something that is not a URL") from None
        except httpx.HTTPError as error:
            raise _translate(error, host) from None

    def _said(self, answer: Answer) -> str:
        """Status and the beginning of the text, as a person would see it, without what must not be quoted."""
        text = visible(answer.body[:_READ])
        said = _CONTROLS.sub(" ", f"{answer.status} {answer.phrase}: {text}").strip().removesuffix(":")
        for secret in self._secrets:
            said = said.replace(secret, "[removed]")
        return said[:_EXCERPT]


def _translate(error: httpx.HTTPError, host: str) -> MooringError:
    detail = str(error) or str(error.__cause__ or "")
    match error:
        case httpx.ReadTimeout():
            return ReadTimeout(f"{host} did not answer in time")
        case httpx.WriteTimeout():
            return WriteTimeout(f"{host} took no more of the request")
        case httpx.ConnectTimeout():
            return ConnectTimeout(f"{host} did not answer: the connection timed out")
        case httpx.ReadError() | httpx.WriteError() | httpx.CloseError():
            return ConnectionLost(f"{host} closed the connection", detail=detail)
        case httpx.RemoteProtocolError() if "disconnected" in detail or "closed connection" in detail:
            # h11 and httpcore have no exception of their own for a peer that hangs up early.
            return ConnectionLost(f"{host} closed the connection before it had answered", detail=detail)
        case httpx.RemoteProtocolError() | httpx.DecodingError():
            return RemoteProtocolError(f"{host} did not answer in HTTP: {detail}")
        case _:
            return NetworkError(f"{host} could not be asked", detail=detail)


def _shown(url: httpx.URL) -> str:
    return str(url.copy_with(query=None))
