"""From an address that a person typed to the place where their calendars are (RFC 6764 §6).

The given URL first; then ``/.well-known/caldav`` and ``/`` of its host. The first that names a
principal, a home or is a calendar itself wins. A wrong password, or a network that fails, ends the
search at once: trying it in three places gets people banned.
"""

from collections.abc import Sequence

import httpx

from mooring.errors import AuthenticationFailed, ProtocolError, ServerRefused
from mooring.protocols.caldav.documents import CAL, DAV, Entry, propfind
from mooring.protocols.caldav.errors import NotCalDav, NotEncrypted, RedirectRefused
from mooring.protocols.caldav.exchange import Exchange
from mooring.protocols.caldav.places import parse, resolve
from mooring.protocols.caldav.types import CalendarHome

_PRINCIPAL = f"{DAV}current-user-principal"
_HOME = f"{CAL}calendar-home-set"
_NAME = f"{DAV}displayname"
_ADDRESSES = f"{CAL}calendar-user-address-set"
_TYPE = f"{DAV}resourcetype"
_BODY = propfind((_PRINCIPAL, _HOME, _NAME, _ADDRESSES, _TYPE))

_NOT_HERE = frozenset({"400", "404", "405", "410", "501"})
"""Statuses by which a web server says that there is no CalDAV at this path; any other means something."""


def candidates(address: str) -> list[httpx.URL]:
    """The places to ask, in order.

    Args:
        address: a URL, or a host with or without a port; a host is asked over https.
    Raises:
        InvalidRequest.
    """
    is_url = "://" in address
    url = parse(address if is_url else f"https://{address.strip()}/")
    others = [resolve(url, "/.well-known/caldav"), resolve(url, "/")]
    return list(dict.fromkeys([url, *others] if is_url else others))


async def discover(exchange: Exchange, places: Sequence[httpx.URL]) -> CalendarHome:
    """The home that the first of these places leads to.

    Raises:
        AuthenticationFailed, NetworkError: from whichever place it came.
        ServerRefused: a place refused for a reason that is worth telling, such as 403 or 503.
        RedirectRefused, NotEncrypted: a place points to where the credentials must not go.
        NotCalDav: nothing here knows of calendars.
    """
    failures: list[tuple[httpx.URL, ProtocolError]] = []
    for place in places:
        try:
            return await _home(exchange, place)
        except (AuthenticationFailed, NotEncrypted):
            raise
        except ProtocolError as error:
            failures.append((place, error))
    for _, error in failures:
        match error:
            case RedirectRefused():
                raise error
            case ServerRefused() if error.code not in _NOT_HERE:
                raise error
            case _:
                pass
    tried = "; ".join(f"{place}: {error}" for place, error in failures)
    raise NotCalDav(f"no calendars were found ({tried})", hint="give the server's full CalDAV address")


async def _home(exchange: Exchange, place: httpx.URL) -> CalendarHome:
    entry, answered = await _describe(exchange, place)
    principal = entry.hrefs(_PRINCIPAL)
    if not entry.hrefs(_HOME) and principal:
        entry, answered = await _describe(exchange, resolve(answered, principal[0]))
        principal = (str(answered),)
    principal_url = str(resolve(answered, principal[0])) if principal else ""
    if homes := entry.hrefs(_HOME):
        home_urls = tuple(dict.fromkeys(str(resolve(answered, home)) for home in homes))
    elif entry.has(_TYPE, f"{CAL}calendar"):
        home_urls = (str(answered),)
    else:
        raise NotCalDav(f"{answered} answers, and names no home of calendars")
    return CalendarHome(home_urls, principal_url, entry.hrefs(_ADDRESSES), entry.text(_NAME))


async def _describe(exchange: Exchange, url: httpx.URL) -> tuple[Entry, httpx.URL]:
    answer, answered = await exchange.multistatus("PROPFIND", url, _BODY, depth="0")
    if not answer.entries:
        raise NotCalDav(f"{answered} answers with nothing")
    return answer.entries[0], answered
