"""XML both ways: request bodies as bytes, multistatus answers as entries (RFC 4918 §13, §14)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.etree.ElementTree import Element, ParseError, SubElement, tostring

import httpx
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from mooring.errors import RemoteProtocolError
from mooring.protocols.caldav.places import resolve

DAV = "{DAV:}"
CAL = "{urn:ietf:params:xml:ns:caldav}"
CS = "{http://calendarserver.org/ns/}"
"""calendarserver-ctag, the one that every server has."""
APPLE = "{http://apple.com/ns/ical/}"


@dataclass(frozen=True, slots=True)
class Entry:
    """One resource of a multistatus.

    Attributes:
        url: absolute, in our spelling.
        status: of the resource itself; 200 when only its properties have one.
        properties: those that came with a 2xx status.
        missing: the worst status of the others, or 0.
    """

    url: str
    status: int
    properties: Mapping[str, Element]
    missing: int

    def text(self, name: str) -> str:
        """The property's text, or ""."""
        found = self.properties.get(name)
        return (found.text or "").strip() if found is not None else ""

    def hrefs(self, name: str) -> tuple[str, ...]:
        """The references inside the property."""
        found = self.properties.get(name)
        return tuple(_hrefs(found)) if found is not None else ()

    def has(self, name: str, *children: str) -> bool:
        """Whether the property has one of these elements directly inside."""
        found = self.properties.get(name)
        return found is not None and any(found.find(child) is not None for child in children)


@dataclass(frozen=True, slots=True)
class Multistatus:
    """A 207 answer.

    Attributes:
        sync_token: "" where there is none.
    """

    entries: tuple[Entry, ...]
    sync_token: str


def propfind(names: Sequence[str]) -> bytes:
    """A PROPFIND body that asks for these properties."""
    root = Element(f"{DAV}propfind")
    _properties(root, names)
    return tostring(root, encoding="utf-8")


def calendar_query(start: datetime, end: datetime) -> bytes:
    """A REPORT body for the events that touch [start, end) (RFC 4791 §7.8, §9.9)."""
    root = Element(f"{CAL}calendar-query")
    _properties(root, (f"{DAV}getetag", f"{CAL}calendar-data"))
    calendar = SubElement(SubElement(root, f"{CAL}filter"), f"{CAL}comp-filter", name="VCALENDAR")
    event = SubElement(calendar, f"{CAL}comp-filter", name="VEVENT")
    SubElement(event, f"{CAL}time-range", start=_utc(start), end=_utc(end))
    return tostring(root, encoding="utf-8")


def multiget(urls: Sequence[str]) -> bytes:
    """A REPORT body for these objects (RFC 4791 §7.9)."""
    root = Element(f"{CAL}calendar-multiget")
    _properties(root, (f"{DAV}getetag", f"{CAL}calendar-data"))
    for url in urls:
        SubElement(root, f"{DAV}href").text = httpx.URL(url).raw_path.decode("ascii")
    return tostring(root, encoding="utf-8")


def sync_collection(token: str) -> bytes:
    """A REPORT body for what changed since the token; "" asks for everything (RFC 6578 §6.1)."""
    root = Element(f"{DAV}sync-collection")
    SubElement(root, f"{DAV}sync-token").text = token
    SubElement(root, f"{DAV}sync-level").text = "1"
    _properties(root, (f"{DAV}getetag",))
    return tostring(root, encoding="utf-8")


def read_multistatus(body: bytes, base: httpx.URL) -> Multistatus:
    """The answer's entries, their references made absolute.

    Raises:
        RemoteProtocolError: not XML, not a multistatus, or XML that tries to make us read or grow something.
    """
    root = read_xml(body, base.host)
    if root.tag != f"{DAV}multistatus":
        raise RemoteProtocolError(f"{base.host} answered with XML that is not a multistatus")
    entries = tuple(entry for response in root.findall(f"{DAV}response") for entry in _entries(response, base))
    return Multistatus(entries, (root.findtext(f"{DAV}sync-token") or "").strip())


def read_xml(body: bytes, host: str) -> Element:
    """The root of a document without a DTD.

    Raises:
        RemoteProtocolError.
    """
    try:
        return fromstring(body, forbid_dtd=True)
    except DefusedXmlException:
        raise RemoteProtocolError(f"{host} answered with XML that declares entities") from None
    except (ParseError, ValueError, LookupError) as error:
        raise RemoteProtocolError(f"{host} answered with something that is not XML: {error}") from None


def has_precondition(body: bytes, name: str) -> bool:
    """Whether an error's body names this precondition (RFC 4918 §16)."""
    try:
        root = read_xml(body, "")
    except RemoteProtocolError:
        return False
    return root.tag == f"{DAV}error" and root.find(name) is not None


def _entries(response: Element, base: httpx.URL) -> Iterator[Entry]:
    properties: dict[str, Element] = {}
    missing = 0
    for propstat in response.findall(f"{DAV}propstat"):
        status = _status(propstat, 200)
        if 200 <= status < 300:
            properties |= {prop.tag: prop for prop in propstat.iterfind(f"{DAV}prop/*")}
        else:
            missing = max(missing, status)
    for href in _hrefs(response):
        yield Entry(str(resolve(base, href)), _status(response, 200), properties, missing)


def _hrefs(parent: Element) -> Iterator[str]:
    for href in parent.findall(f"{DAV}href"):
        if text := (href.text or "").strip():
            yield text


def _status(parent: Element, default: int) -> int:
    """The number in ``HTTP/1.1 404 Not Found``."""
    words = (parent.findtext(f"{DAV}status") or "").split()
    number = words[1] if len(words) > 1 else ""
    return int(number) if number.isascii() and number.isdigit() and len(number) == 3 else default


def _properties(root: Element, names: Sequence[str]) -> None:
    prop = SubElement(root, f"{DAV}prop")
    for name in names:
        SubElement(prop, name)


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
