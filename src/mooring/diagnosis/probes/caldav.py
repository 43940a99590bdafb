"""The script of a CalDAV probe: TLS, OPTIONS, what a stranger is told, then the account's calendars."""

from typing import Self

import httpx

from mooring.diagnosis.probes.errors import SpeaksOtherwise
from mooring.diagnosis.probes.walk import MOST_BYTES, Walk
from mooring.diagnosis.types import Stage, Target
from mooring.egress import DialledStream, http_over
from mooring.errors import TargetNotAllowed
from mooring.grants import TlsMode
from mooring.protocols.caldav import Answer, CalDavClient, Visitor

_NO_CALENDARS = frozenset({200, 204, 400, 404, 405, 410, 501})
"""Answers to PROPFIND of a web server that knows nothing of calendars at this place."""


async def probe_caldav(walk: Walk) -> None:
    """Walk as far as the probe is meant to; nothing in the calendars changes.

    Raises:
        NetworkError, ProtocolError, EgressError, TargetNotAllowed: it came no further than the trail says.
    """
    trail, limits = walk.trail, walk.limits
    trail.tls = TlsMode.IMPLICIT
    stream = await walk.connect()
    await walk.protect(stream)
    streams = _Streams(walk, stream)
    async with streams, streams.client() as http:
        visitor = Visitor(http, _address(walk.target), timeout_s=limits.command_s)
        async with trail.passing(Stage.GREETING, limits.greeting_s):
            answer = await visitor.options()
            trail.offered(_offers(answer))
            if answer.status == 429:
                visitor.refuse(answer)
        async with trail.passing(Stage.CAPABILITY, 3 * limits.command_s):
            await _ask_as_stranger(walk, visitor)
        if await walk.is_allowed_to_login():
            await _list_calendars(walk, http)


async def _ask_as_stranger(walk: Walk, visitor: Visitor) -> None:
    """See that a CalDAV application answers: it wants to know who asks, or answers at once, or points elsewhere.

    Raises:
        ServerRefused: it does not speak to us. SpeaksOtherwise: it is a web server without calendars.
    """
    told = b""
    for place in visitor.places:
        answer = await visitor.describe(place)
        walk.trail.offered([*walk.trail.offers, *_offers(answer)])
        if answer.status in {207, 401}:
            return
        if 300 <= answer.status < 400:
            walk.trail.detail = f"{place} points to {answer.location[:200]}, where nobody was asked."
            return
        if answer.status not in _NO_CALENDARS:
            visitor.refuse(answer)
        told = f"HTTP/1.1 {answer.status} {answer.phrase}".encode()
    raise SpeaksOtherwise(f"{walk.target.host} is a web server that knows of no calendars", heard=told)


async def _list_calendars(walk: Walk, http: httpx.AsyncClient) -> None:
    trail, target, limits = walk.trail, walk.target, walk.limits
    client = CalDavClient(
        http, _address(target), target.username, walk.password, max_bytes=MOST_BYTES, timeout_s=limits.login_s
    )
    async with trail.passing(Stage.LOGIN, 2 * limits.login_s):
        home = await client.discover()
    async with trail.passing(Stage.CALENDAR, limits.login_s):
        await client.calendars(home)


class _Streams:
    """The connections of one probe: the first is a stage of it, later ones to the same place are of the same pair.

    Other places, to which an account may lead, are looked up and judged anew, and dialled from the same source.
    """

    def __init__(self, walk: Walk, first: DialledStream) -> None:
        self._walk = walk
        self._first: DialledStream | None = first

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *failure: object) -> None:
        if self._first is not None:
            await self._first.aclose()

    def client(self) -> httpx.AsyncClient:
        """An HTTP client over them, which ends those that it has used."""
        walk = self._walk
        tls_s = walk.dialer.timeouts.tls_s
        return http_over(self._open, tls_s=tls_s, timeout_s=walk.limits.login_s, keepalive=1, at_once=1)

    async def _open(self, host: str, port: int) -> DialledStream:
        walk = self._walk
        if (host.strip("[]").lower(), port) != (walk.target.host, walk.target.port):
            if port not in {443, 8443, walk.target.port}:
                raise TargetNotAllowed(f"{walk.target.host} points to port {port}, which is none of calendars")
            return await walk.dial_elsewhere(host.strip("[]"), port)
        stream, self._first = self._first, None
        return stream or await walk.dial_again()


def _address(target: Target) -> str:
    host = f"[{target.host}]" if ":" in target.host else target.host
    # Without a path it is a host, and discovery begins at the well-known place.
    return f"https://{host}:{target.port}{target.path}" if target.path else f"{host}:{target.port}"


def _offers(answer: Answer) -> list[str]:
    schemes = [f"AUTH={challenge.split(' ')[0].upper()}" for challenge in answer.challenges]
    return list(dict.fromkeys([*answer.offers, *schemes]))
