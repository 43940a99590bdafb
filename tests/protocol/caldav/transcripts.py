"""Answers of imagined servers, and a client that gets them."""

from collections.abc import Callable

import httpx

from mooring.protocols.caldav import CalDavClient

Handler = Callable[[httpx.Request], httpx.Response]

PRINCIPAL = "<d:current-user-principal><d:href>/p/ann/</d:href></d:current-user-principal>"
HOME = "<c:calendar-home-set><d:href>/c/ann/</d:href></c:calendar-home-set>"


def multistatus(*responses: str) -> httpx.Response:
    namespaces = (
        'xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav" '
        'xmlns:cs="http://calendarserver.org/ns/" xmlns:a="http://apple.com/ns/ical/"'
    )
    return httpx.Response(
        207, text=f'<?xml version="1.0"?><d:multistatus {namespaces}>{"".join(responses)}</d:multistatus>'
    )


def resource(href: str, properties: str, status: str = "200 OK") -> str:
    """One response with one propstat."""
    propstat = f"<d:propstat><d:prop>{properties}</d:prop><d:status>HTTP/1.1 {status}</d:status></d:propstat>"
    return f"<d:response><d:href>{href}</d:href>{propstat}</d:response>"


def absent(href: str, status: str = "404 Not Found") -> str:
    """One response that is nothing but a status."""
    return f"<d:response><d:href>{href}</d:href><d:status>HTTP/1.1 {status}</d:status></d:response>"


def client_of(
    handler: Handler,
    address: str = "https://dav.example.org/",
    *,
    max_bytes: int = 1_000_000,
    timeout_s: float = 10.0,
) -> CalDavClient:
    """A client whose every request this handler answers. (A mock transport holds nothing that needs closing.)"""
    transport = httpx.MockTransport(lambda request: unread(handler(request)))
    http = httpx.AsyncClient(transport=transport, cookies={"session": "of somebody else"})
    return CalDavClient(http, address, "ann", "correct horse", max_bytes=max_bytes, timeout_s=timeout_s)


def unread(answer: httpx.Response) -> httpx.Response:
    """The same, as it comes over a wire: nobody has read the body yet."""
    return httpx.Response(answer.status_code, headers=answer.headers, stream=answer.stream)
