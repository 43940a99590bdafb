"""Reading calendars: which there are, what is in them, and what changed."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime

import httpx

from mooring.errors import InvalidRequest, RemoteProtocolError, ServerRefused
from mooring.protocols.caldav.discovery import candidates, discover
from mooring.protocols.caldav.documents import (
    APPLE,
    CAL,
    CS,
    DAV,
    Entry,
    Multistatus,
    calendar_query,
    has_precondition,
    multiget,
    propfind,
    sync_collection,
)
from mooring.protocols.caldav.errors import SyncTokenInvalid
from mooring.protocols.caldav.exchange import MAX_BYTES, TIMEOUT_S, Exchange
from mooring.protocols.caldav.places import parse, resolve
from mooring.protocols.caldav.types import CalendarHome, CalendarInfo, CalendarObject, FetchedObjects, SyncChanges

BATCH = 50
"""Objects in one multiget: what other clients ask for, so what servers are used to."""

_ETAG = f"{DAV}getetag"
_DATA = f"{CAL}calendar-data"
_TYPE = f"{DAV}resourcetype"
_NAME = f"{DAV}displayname"
_DESCRIPTION = f"{CAL}calendar-description"
_COLOR = f"{APPLE}calendar-color"
_TIMEZONE = f"{CAL}calendar-timezone"
_TIMEZONE_ID = f"{CAL}calendar-timezone-id"
_CTAG = f"{CS}getctag"
_TOKEN = f"{DAV}sync-token"
_PRIVILEGES = f"{DAV}current-user-privilege-set"
_COMPONENTS = f"{CAL}supported-calendar-component-set"
_REPORTS = f"{DAV}supported-report-set"
_DEFAULT = f"{CAL}schedule-default-calendar-URL"
_CALENDAR_BODY = propfind(
    (
        _TYPE,
        _NAME,
        _DESCRIPTION,
        _COLOR,
        _TIMEZONE,
        _TIMEZONE_ID,
        _CTAG,
        _TOKEN,
        _PRIVILEGES,
        _COMPONENTS,
        _REPORTS,
        _DEFAULT,
    )
)
_ETAG_BODY = propfind((_ETAG, _TYPE))

_WRITING = frozenset({f"{DAV}all", f"{DAV}write", f"{DAV}write-content", f"{DAV}bind"})
_GONE = frozenset({404, 410})
_TOKEN_REFUSED = frozenset({410, 412})
_TZID = re.compile(r"^TZID(?:;[^:\r\n]*)?:(.+?)\s*$", re.MULTILINE)
_HEX_COLOR = re.compile(r"#[0-9A-Fa-f]{6}")


class CalDavClient:
    """A user's calendars over an HTTP client that already leaves by the right exit.

    Everything that it asks may raise NetworkError, RemoteProtocolError, ServerRefused (code: the HTTP
    status), AuthenticationFailed, RedirectRefused and NotEncrypted; what else, each method says.

    Args:
        http: handed in ready; the caller closes it.
        address: a URL, or a host. The credentials go to its registrable domain and nowhere else.
        allow_clear: also ask over plain http; anybody on the way can then read the password.
        max_bytes: of one answer; above it ResponseTooLarge.
        timeout_s: seconds for one answer.
    Raises:
        InvalidRequest: an address that is none, or credentials that HTTP cannot carry.
    """

    __slots__ = ("_exchange", "_places")

    def __init__(
        self,
        http: httpx.AsyncClient,
        address: str,
        username: str,
        password: str,
        *,
        allow_clear: bool = False,
        max_bytes: int = MAX_BYTES,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._places = candidates(address)
        self._exchange = Exchange(
            http,
            self._places[0],
            username,
            password,
            allow_clear=allow_clear,
            max_bytes=max_bytes,
            timeout_s=timeout_s,
        )

    async def discover(self) -> CalendarHome:
        """Where this user's calendars are.

        Raises:
            NotCalDav: the server answers, and knows of none.
        Source: RFC 6764 §6, without its SRV and TXT records.
        """
        return await discover(self._exchange, self._places)

    async def calendars(self, home: CalendarHome) -> list[CalendarInfo]:
        """Every calendar of the home, in the server's order, also those without events."""
        found: dict[str, CalendarInfo] = {}
        for home_url in home.home_urls:
            answer, answered = await self._ask("PROPFIND", home_url, _CALENDAR_BODY, depth="1")
            primary = {
                str(resolve(answered, href)).rstrip("/") for entry in answer.entries for href in entry.hrefs(_DEFAULT)
            }
            for entry in answer.entries:
                if entry.has(_TYPE, f"{CAL}calendar"):
                    found.setdefault(entry.url, _calendar(entry, is_primary=entry.url.rstrip("/") in primary))
        return list(found.values())

    async def events(self, calendar_url: str, start: datetime, end: datetime) -> FetchedObjects:
        """The objects with an occurrence that touches [start, end); recurrences are not expanded.

        Args:
            start, end: aware.
        Raises:
            InvalidRequest: naive, or the wrong way round.
        Source: RFC 4791 §7.8.
        """
        if start.tzinfo is None or end.tzinfo is None or start >= end:
            raise InvalidRequest("a range of time needs a start before its end, both with a time zone")
        answer, answered = await self._ask("REPORT", calendar_url, calendar_query(start, end), depth="1")
        _require_complete(answer, answered)
        objects = [_object(entry) for entry in answer.entries if _DATA in entry.properties]
        bare = [entry.url for entry in answer.entries if _DATA not in entry.properties and entry.status not in _GONE]
        rest = await self.multiget(calendar_url, [url for url in bare if not _is_same(url, answered)])
        return FetchedObjects((*objects, *rest.objects), rest.missing, rest.refused)

    async def etags(self, calendar_url: str) -> Mapping[str, str]:
        """The etag of every object of the calendar, by URL."""
        answer, answered = await self._ask("PROPFIND", calendar_url, _ETAG_BODY, depth="1")
        _require_complete(answer, answered)
        return {
            entry.url: entry.text(_ETAG)
            for entry in answer.entries
            if entry.status not in _GONE
            and not entry.has(_TYPE, f"{DAV}collection")
            and not _is_same(entry.url, answered)
        }

    async def multiget(self, calendar_url: str, urls: Sequence[str]) -> FetchedObjects:
        """The named objects of one calendar, asked for in batches.

        Source: RFC 4791 §7.9.
        """
        objects: list[CalendarObject] = []
        missing: list[str] = []
        refused: dict[str, str] = {}
        wanted = list(dict.fromkeys(str(parse(url)) for url in urls))
        for batch in (wanted[start : start + BATCH] for start in range(0, len(wanted), BATCH)):
            answer, _ = await self._ask("REPORT", calendar_url, multiget(batch), depth="1")
            entries = {entry.url: entry for entry in answer.entries}
            for url in batch:
                match entries.get(url):
                    case None:
                        refused[url] = "the server left it out of its answer"
                    case entry if _DATA in entry.properties:
                        objects.append(_object(entry))
                    case entry if entry.status in _GONE or (entry.missing in _GONE and not entry.text(_ETAG)):
                        missing.append(url)
                    case entry:
                        refused[url] = f"HTTP status {max(entry.status, entry.missing)}, without data"
        return FetchedObjects(tuple(objects), tuple(missing), refused)

    async def sync(self, calendar_url: str, token: str = "") -> SyncChanges:
        """What changed since the token; without one, everything that there is.

        Raises:
            SyncTokenInvalid: start anew, without a token.
        Source: RFC 6578 §3.
        """
        url = parse(calendar_url)
        raw = await self._exchange.request("REPORT", url, sync_collection(token), depth="0")
        if token and raw.status >= 400:
            is_named = raw.status != 401 and has_precondition(raw.body, f"{DAV}valid-sync-token")
            if is_named or raw.status in _TOKEN_REFUSED:
                said = f"{raw.status} {raw.phrase}"
                raise SyncTokenInvalid(f"{url.host} has forgotten the sync token", reply=said, code=str(raw.status))
        answer = await self._exchange.read(raw)
        if not answer.sync_token:
            raise RemoteProtocolError(f"{url.host} answered sync-collection without a token")
        members = [entry for entry in answer.entries if not _is_same(entry.url, raw.url)]
        return SyncChanges(
            token=answer.sync_token,
            changed={entry.url: entry.text(_ETAG) for entry in members if entry.status not in _GONE},
            removed=tuple(entry.url for entry in members if entry.status in _GONE),
            is_complete=not _is_truncated(answer, raw.url),
        )

    async def _ask(self, method: str, url: str, body: bytes, *, depth: str) -> tuple[Multistatus, httpx.URL]:
        return await self._exchange.multistatus(method, parse(url), body, depth=depth)


def _calendar(entry: Entry, *, is_primary: bool) -> CalendarInfo:
    privileges = entry.properties.get(_PRIVILEGES)
    granted = {element.tag for element in privileges.iterfind(f"{DAV}privilege/*")} if privileges is not None else None
    reports = entry.properties.get(_REPORTS)
    has_sync = reports is None or reports.find(f".//{DAV}sync-collection") is not None
    components = entry.properties.get(_COMPONENTS)
    names = [element.get("name", "").upper() for element in components] if components is not None else []
    color = _HEX_COLOR.match(entry.text(_COLOR))
    zone = _TZID.search(entry.text(_TIMEZONE))
    return CalendarInfo(
        url=entry.url,
        name=entry.text(_NAME),
        description=entry.text(_DESCRIPTION),
        color=color[0].lower() if color else "",
        timezone=entry.text(_TIMEZONE_ID) or (zone[1] if zone else ""),
        ctag=entry.text(_CTAG),
        sync_token=entry.text(_TOKEN) if has_sync else "",
        is_read_only=granted is not None and not granted & _WRITING,
        components=tuple(name for name in names if name),
        is_primary=is_primary,
    )


def _object(entry: Entry) -> CalendarObject:
    return CalendarObject(entry.url, entry.text(_ETAG), (entry.properties[_DATA].text or "").encode())


def _is_same(url: str, collection: httpx.URL) -> bool:
    """Whether this is the collection itself, which some servers write without its last slash."""
    return url.rstrip("/") == str(collection).rstrip("/")


def _is_truncated(answer: Multistatus, collection: httpx.URL) -> bool:
    """507 for the collection itself means that the list was cut (RFC 6578 §3.6)."""
    return any(entry.status == 507 and _is_same(entry.url, collection) for entry in answer.entries)


def _require_complete(answer: Multistatus, collection: httpx.URL) -> None:
    """A cut list read as a whole one would look like deletions."""
    if _is_truncated(answer, collection):
        raise ServerRefused(f"{collection.host} cut its list short", reply="507", code="507", permanent=False)
