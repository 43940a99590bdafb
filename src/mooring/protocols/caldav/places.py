"""URLs: one spelling for each, and which of them belong together."""

import ipaddress
import re
from urllib.parse import quote, unquote_to_bytes

import httpx
from publicsuffixlist import PublicSuffixList

from mooring.errors import InvalidRequest, RemoteProtocolError

_SUFFIXES = PublicSuffixList()

_SAFE = "@:!$&'()*+,;=~"
"""Characters of a path segment that need no percent sign (RFC 3986 §3.3)."""


_NAME = re.compile(rb"[A-Za-z0-9._-]+")
"""A host name or an IPv4 address, in ASCII; underscores exist."""


def site(url: httpx.URL) -> str:
    """What two URLs must share before one's credentials may go to the other: the registrable domain.

    A host without one (an IP address, a bare name, a public suffix) stands for itself alone.
    """
    host = url.host.lower().rstrip(".")
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return _SUFFIXES.privatesuffix(host) or host


def parse(address: str) -> httpx.URL:
    """The URL that a person typed.

    Raises:
        InvalidRequest: it is not an http or https URL with a host.
    """
    try:
        url = spelt(httpx.URL(address.strip()))
    except (httpx.InvalidURL, ValueError):
        raise InvalidRequest("the CalDAV address is not a URL") from None
    if not _is_place(url):
        raise InvalidRequest("the CalDAV address is not an http or https URL with a host")
    return url


def resolve(base: httpx.URL, reference: str) -> httpx.URL:
    """The absolute URL that the server means by a reference.

    Raises:
        RemoteProtocolError: it is not a URL.
    """
    try:
        url = spelt(base.join(reference.strip()))
    except (httpx.InvalidURL, ValueError):
        raise RemoteProtocolError(f"{base.host} gave a reference that is not a URL") from None
    if not _is_place(url):
        raise RemoteProtocolError(f"{base.host} gave a reference that is not an http or https URL")
    return url


def spelt(url: httpx.URL) -> httpx.URL:
    """The same URL, without credentials and fragment, its path escaped in the one way that we compare by.

    Servers write ``%40`` in one answer and ``@`` in the next.
    """
    path, mark, query = url.raw_path.partition(b"?")
    segments = (quote(unquote_to_bytes(segment), safe=_SAFE) for segment in path.split(b"/"))
    raw_path = "/".join(segments).encode() + mark + query
    return url.copy_with(username="", password="", fragment=None, raw_path=raw_path)


def _is_place(url: httpx.URL) -> bool:
    """Whether it is http or https, its port exists, and its host is a name or address; httpx lets more through."""
    if url.scheme not in {"http", "https"} or not (url.port is None or 0 < url.port < 65536):
        return False
    try:
        # The host of "xn--a" is nothing that can be read.
        if ":" not in url.host:
            return _NAME.fullmatch(url.raw_host) is not None
        return ipaddress.IPv6Address(url.host).scope_id is None
    except ValueError:
        return False
