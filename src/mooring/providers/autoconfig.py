"""The autoconfig file: what a domain, or the operator's ISPDB, says that its users' mail programs should use.

Source: draft-ietf-mailmaint-autoconfig, ``clientConfig`` 1.1.
"""

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from mooring.errors import InvalidRequest, RemoteProtocolError
from mooring.net import TlsMode
from mooring.protocols.caldav import read_xml
from mooring.providers.address import domain_of
from mooring.providers.ports import is_sensible
from mooring.providers.types import Origin, Proposal, Service, Username

CONFIDENCE = {Origin.AUTOCONFIG: 0.9, Origin.ISPDB: 0.85}

MOST_SERVERS = 8
"""Of one file; a file of an honest domain has two or three of each kind."""

_TLS = {"SSL": TlsMode.IMPLICIT, "STARTTLS": TlsMode.STARTTLS}
_USERNAMES = {"%EMAILADDRESS%": Username.EMAIL, "%EMAILLOCALPART%": Username.LOCAL_PART}


def proposals(body: bytes, *, email: str, domain: str, host: str, origin: Origin) -> tuple[Proposal, ...]:
    """The servers that the file names, in its order: IMAP and SMTP with TLS, and CalDAV.

    Args:
        email: whose file it is; a user name that is this address or its local part is no name of its own.
        host: where the file came from, for errors.
    Raises:
        RemoteProtocolError: it is no such file.
    """
    root = read_xml(body, host)
    if root.tag != "clientConfig":
        raise RemoteProtocolError(f"{host} answered with XML that is not an autoconfig file")
    found = (_proposal(element, email, domain, origin) for element in _elements(root))
    return tuple(dict.fromkeys(proposal for proposal in found if proposal is not None))[:MOST_SERVERS]


def _elements(root: Element) -> Iterator[Element]:
    for provider in root.findall("emailProvider"):
        yield from provider.findall("incomingServer")
        yield from provider.findall("outgoingServer")
        yield from provider.findall("calendar")
    yield from root.findall("calendar")


def _proposal(element: Element, email: str, domain: str, origin: Origin) -> Proposal | None:
    match element.tag, element.get("type"):
        case "incomingServer", "imap":
            service = Service.IMAP
        case "outgoingServer", "smtp":
            service = Service.SMTP
        case "calendar", "caldav":
            return _calendar(element, email, domain, origin)
        case _:
            return None
    host, port = _host(_text(element, "hostname"), domain), _number(_text(element, "port"))
    tls = _TLS.get(_text(element, "socketType").upper())
    if not host or tls is None or not is_sensible(service, port):
        return None
    username = _username(_text(element, "username"), email)
    return Proposal(service, host, port, origin, CONFIDENCE[origin], tls, username)


def _calendar(element: Element, email: str, domain: str, origin: Origin) -> Proposal | None:
    url = _text(element, "serverURL") or _text(element, "url")
    scheme, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    name, _, port_text = authority.partition(":")
    host, port = _host(name, domain), _number(port_text or "443")
    if scheme.lower() != "https" or not host or not is_sensible(Service.CALDAV, port):
        return None
    # A path with the user's name in it is one user's alone; the server tells where each user's calendars are.
    path = f"{slash}{path}" if path.isascii() and path.isprintable() and not set(path) & set("%?# ") else ""
    username = _username(_text(element, "username"), email)
    return Proposal(
        Service.CALDAV, host, port, origin, CONFIDENCE[origin], TlsMode.IMPLICIT, username, path.rstrip("/")
    )


def _username(text: str, email: str) -> Username:
    """A placeholder, or the same already filled in; without any the address is the usual name."""
    local = email.rpartition("@")[0]
    if text in _USERNAMES:
        return _USERNAMES[text]
    if not text or text.lower() == email.lower() or text == "%EMAILLOCALPART%@%EMAILDOMAIN%":
        return Username.EMAIL
    return Username.LOCAL_PART if text.lower() == local.lower() else Username.OTHER


def _host(text: str, domain: str) -> str:
    """A host's name; "" for what is none."""
    try:
        return domain_of(text.replace("%EMAILDOMAIN%", domain)) if text else ""
    except InvalidRequest:
        return ""


def _text(element: Element, name: str) -> str:
    return (element.findtext(name) or "").strip()


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 5 else 0
