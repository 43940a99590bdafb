"""What a server says to a stranger: whether it knows calendars, and wants to know who asks."""

import httpx

from mooring.errors import RemoteProtocolError
from mooring.protocols.caldav.discovery import candidates
from mooring.protocols.caldav.documents import DAV, propfind
from mooring.protocols.caldav.exchange import Answer, Exchange
from mooring.protocols.caldav.places import resolve

MAX_BYTES = 256 * 1024
"""Of one answer to a stranger: an error page, or a property or two."""

_MAX_REDIRECTS = 3
_BODY = propfind((f"{DAV}current-user-principal",))


class Visitor:
    """Asks without credentials; raises NetworkError and RemoteProtocolError. Every status is an answer.

    Args:
        http: as ``CalDavClient``'s.
        address: a URL, or a host with or without a port.
    Raises:
        InvalidRequest: an address that is none.
    """

    __slots__ = ("_exchange", "_places")

    def __init__(self, http: httpx.AsyncClient, address: str, *, timeout_s: float) -> None:
        self._places = candidates(address)
        self._exchange = Exchange(
            http, self._places[0], "", "", allow_clear=False, max_bytes=MAX_BYTES, timeout_s=timeout_s
        )

    @property
    def places(self) -> list[httpx.URL]:
        """Where calendars are looked for, in order."""
        return self._places

    async def options(self) -> Answer:
        """The answer to OPTIONS at the first of the places."""
        return await self._exchange.once("OPTIONS", self._places[0], b"", depth="0")

    async def describe(self, place: httpx.URL) -> Answer:
        """The answer to a PROPFIND; redirects are followed within the host, and one that leaves it is the answer."""
        answer = await self._exchange.once("PROPFIND", place, _BODY, depth="0")
        for _ in range(_MAX_REDIRECTS):
            if not (300 <= answer.status < 400 and answer.location):
                return answer
            target = resolve(answer.url, answer.location)
            if (target.scheme, target.host, target.port) != (place.scheme, place.host, place.port):
                return answer
            answer = await self._exchange.once("PROPFIND", target, _BODY, depth="0")
        if 300 <= answer.status < 400:
            raise RemoteProtocolError(f"{place.host} redirects in a circle")
        return answer

    def refuse(self, answer: Answer) -> None:
        """Raise what an answer that is no success means."""
        self._exchange.refuse(answer)
