"""From a ``settings`` object of the API to servers and credentials, and back without the passwords."""

import re
from ipaddress import ip_address
from typing import Any

import httpx
import idna
import msgspec
from publicsuffixlist import PublicSuffixList

from mooring.errors import InvalidRequest
from mooring.grants.types import CalendarServer, Credentials, Grant, Server, Settings, TlsMode
from mooring.ids import digest_id

IMAP_PORT = 993
SMTP_PORT = 465
"""Implicit TLS, as RFC 8314 §3 recommends, where no port is named."""
CALDAV_PORT = 443
"""HTTPS, which is the only way to calendars."""

MAX_HOST = 253
"""Characters (RFC 1035 §2.3.4, without the trailing dot)."""

MAX_EMAIL = 512
"""Characters: twice those of the longest path of a mail (RFC 5321 §4.5.3.1.3), and few enough for an index."""

MAX_TEXT = 1024
"""Characters of a user name or a password."""

_suffixes = PublicSuffixList()


class SomeSettings(msgspec.Struct, frozen=True):
    """What is known of an account where not everything has to be: a server that is not named is None.

    Attributes:
        email: "" where it was not said.
    """

    email: str
    imap: Server | None
    smtp: Server | None
    caldav: CalendarServer | None
    credentials: Credentials


_NAME = re.compile(r"[A-Za-z0-9._-]+")
"""A host name in ASCII, with the underscore that some have all the same."""
_ENDS_IN_A_NUMBER = re.compile(r"(?:.*\.)?(?:\d+|0x[0-9a-f]*)")
"""Hosts that resolvers take for an address, however it is spelt (WHATWG URL, "ends in a number"): no domain at all."""


def parse_settings(raw: dict[str, Any]) -> tuple[str, Settings, Credentials]:
    """The account's e-mail address, its servers and its passwords.

    Raises:
        InvalidRequest: naming the key that is missing or wrong; its value only where it is no secret.
    """
    imap = _imap(raw, _text(raw, "imap_username"))
    password = _text(raw, "imap_password")
    smtp = _smtp(raw, imap.username)
    caldav = _caldav(raw, imap.username)
    email = _optional(raw, "email") or (imap.username if "@" in imap.username else f"{imap.username}@{imap.host}")
    return (
        parse_email(email, "settings.email"),
        Settings(imap=imap, smtp=smtp, caldav=caldav),
        Credentials(
            imap_password=password,
            smtp_password=_optional(raw, "smtp_password") or (password if smtp else ""),
            caldav_password=_optional(raw, "caldav_password") or (password if caldav else ""),
        ),
    )


def parse_some(raw: dict[str, Any]) -> SomeSettings:
    """As ``parse_settings``, of whatever is there: a part that is left out is no mistake.

    Raises:
        InvalidRequest: naming the key that is wrong.
    """
    email = _optional(raw, "email")
    username = _optional(raw, "imap_username") or email
    password = _optional(raw, "imap_password")
    return SomeSettings(
        email=parse_email(email, "settings.email") if email else "",
        imap=_imap(raw, username) if _optional(raw, "imap_host") else None,
        smtp=_smtp(raw, username),
        caldav=_caldav(raw, username),
        credentials=Credentials(
            imap_password=password,
            smtp_password=_optional(raw, "smtp_password") or password,
            caldav_password=_optional(raw, "caldav_password") or password,
        ),
    )


def settings_as_api(settings: Settings) -> dict[str, Any]:
    """The ``settings`` object that answers show: hosts, ports and user names, never a password."""
    shown: dict[str, Any] = {
        "imap_host": settings.imap.host,
        "imap_port": settings.imap.port,
        "imap_username": settings.imap.username,
    }
    if settings.smtp:
        shown |= {
            "smtp_host": settings.smtp.host,
            "smtp_port": settings.smtp.port,
            "smtp_username": settings.smtp.username,
        }
    if settings.caldav:
        shown |= {"caldav_url": settings.caldav.url, "caldav_username": settings.caldav.username}
    return shown


def as_request(grant: Grant, known: Credentials, changes: dict[str, Any]) -> dict[str, Any]:
    """The grant's settings as they would be written in a request, for a partial change to be laid over.

    Left out is what the change makes doubtful: how TLS began on another host or port, and where the calendars
    were when others are named. A password that is the mailbox's own is left out, too: it changes along with it.
    """
    raw: dict[str, Any] = {**settings_as_api(grant.settings), "email": grant.email}
    passwords = msgspec.structs.asdict(known)
    raw |= {k: p for k, p in passwords.items() if k == "imap_password" or p != known.imap_password}
    for name, server in (("imap", grant.settings.imap), ("smtp", grant.settings.smtp)):
        if server is not None and server.tls is not None and not changes.keys() & {f"{name}_host", f"{name}_port"}:
            raw[f"{name}_tls"] = str(server.tls)
    if changes.keys() & {"caldav_host", "caldav_port"}:
        raw.pop("caldav_url", None)
    return raw


def require_passwords(grant: Grant, settings: Settings, changes: dict[str, Any]) -> None:
    """Refuse to take a stored password to a domain that nobody gave it for.

    An API key lets its holder change servers; it must not let them read the passwords by naming a server of their own.

    Raises:
        InvalidRequest: naming the password that has to be given again.
    """
    servers = (
        ("smtp", _smtp_host(grant.settings), _smtp_host(settings)),
        ("caldav", _caldav_host(grant.settings), _caldav_host(settings)),
    )
    for name, old, new in servers:
        trusted = {grant.mail_domain, mail_domain(old)}
        if new and mail_domain(new) not in trusted and not changes.get(f"{name}_password"):
            raise InvalidRequest(
                f"settings.{name}_password is missing: a stored password is not sent to {mail_domain(new)}.",
                hint="Give the password again along with a server of another domain.",
            )


def parse_host(written: str, key: str, port_key: str) -> str:
    """A host name or address in its canonical spelling.

    Args:
        key, port_key: what the host, and a port, are called where they were written.

    Raises:
        InvalidRequest: it is none; a URL, an e-mail address or a port in it is said to be one.
    """
    text = written.strip().rstrip(".")
    if "://" in text or "/" in text:
        raise InvalidRequest(f"{key} is a URL; write the host name alone, such as mail.example.com.")
    if "@" in text:
        raise InvalidRequest(f"{key} is an e-mail address; write the server's name, such as mail.example.com.")
    address = _address(text)
    host = address or text
    if host.count(":") == 1 or "]:" in host:
        raise InvalidRequest(f"{key} holds a port; write it as {port_key}.")
    if not host or any(c in "[]" or c.isspace() or not c.isprintable() for c in host):
        raise InvalidRequest(f"{key} is not a host name.")
    if not host.isascii():
        try:
            host = idna.encode(host, uts46=True).decode()
        except idna.IDNAError as e:
            raise InvalidRequest(f"{key} is not a host name: {e}.") from e
    if not address and not _NAME.fullmatch(host):
        raise InvalidRequest(f"{key} is not a host name.")
    if len(host) > MAX_HOST or any(len(label) > 63 for label in host.split(".")):
        raise InvalidRequest(f"{key} is longer than a host name can be.")
    return host.lower()


def parse_email(text: str, key: str) -> str:
    """An e-mail address in small letters.

    Raises:
        InvalidRequest: it is none.
    """
    local, at, domain = text.strip().rpartition("@")
    # RFC 5321 §4.1.2: another @ stands in quotes.
    if (
        not (local and at and domain)
        or ("@" in local and not local.startswith('"'))
        or any(c.isspace() or not c.isprintable() for c in text.strip())
    ):
        raise InvalidRequest(f"{key} is not an e-mail address.")
    if len(text) > MAX_EMAIL:
        raise InvalidRequest(f"{key} has more than {MAX_EMAIL} characters.")
    return f"{local}@{domain}".lower()


def mail_domain(host: str) -> str:
    """The registrable domain of a mail host; the host itself where there is none (an address, ``localhost``)."""
    name = host.lower().rstrip(".")
    if ":" in name or _ENDS_IN_A_NUMBER.fullmatch(name):
        return _address(name) or name
    return _suffixes.privatesuffix(name) or name


def subject_of(application_id: str, email: str, domain: str, username: str) -> str:
    """A grant's identity (spec §6.18) as one word.

    A login that is not the address's own is part of it: on a host that many share, somebody else's login proves
    nothing about this address, and must lead neither to its grant nor its owner to theirs.
    """
    if is_own_login(email, username):
        return digest_id(application_id, email.lower(), domain)
    return digest_id(application_id, email.lower(), domain, username)


def is_own_login(email: str, username: str) -> bool:
    """Whether this user name is one that a server takes for the address: the whole of it, or what is before the @."""
    return username.lower() in {email.lower(), email.lower().rpartition("@")[0]}


def _imap(raw: dict[str, Any], username: str) -> Server:
    return Server(
        host=_host(raw, "imap_host"),
        port=_port(raw, "imap_port", IMAP_PORT),
        username=username,
        tls=_tls(raw, "imap_tls"),
    )


def _smtp(raw: dict[str, Any], username: str) -> Server | None:
    if not _optional(raw, "smtp_host"):
        return None
    return Server(
        host=_host(raw, "smtp_host"),
        port=_port(raw, "smtp_port", SMTP_PORT),
        username=_optional(raw, "smtp_username") or username,
        tls=_tls(raw, "smtp_tls"),
    )


def _caldav(raw: dict[str, Any], username: str) -> CalendarServer | None:
    url = _optional(raw, "caldav_url")
    if not url and _optional(raw, "caldav_host"):
        port = _port(raw, "caldav_port", CALDAV_PORT)
        host = _host(raw, "caldav_host")
        url = f"https://[{host}]:{port}/" if ":" in host else f"https://{host}:{port}/"
    if not url:
        return None
    _check_calendar_url(url)
    return CalendarServer(url=url, username=_optional(raw, "caldav_username") or username)


def _smtp_host(settings: Settings) -> str:
    return settings.smtp.host if settings.smtp else ""


def _caldav_host(settings: Settings) -> str:
    return httpx.URL(settings.caldav.url).host if settings.caldav else ""


def _check_calendar_url(text: str) -> None:
    try:
        url = httpx.URL(text)
        shown, host, port = url.host, url.raw_host.decode(), 443 if url.port is None else url.port
    except (httpx.InvalidURL, ValueError):  # ValueError: a host such as "xn--a" cannot be read
        raise InvalidRequest("settings.caldav_url must be an https:// address.") from None
    if url.scheme != "https" or not shown or not 1 <= port <= 65535:
        raise InvalidRequest("settings.caldav_url must be an https:// address.")
    if url.userinfo:
        raise InvalidRequest("settings.caldav_url must not hold a password; use caldav_username and caldav_password.")
    parse_host(host, "The host of settings.caldav_url", "part of the URL")


def _text(raw: dict[str, Any], key: str) -> str:
    value = raw.get(key)
    if value is None or value == "":
        raise InvalidRequest(f"settings.{key} is missing.")
    if not isinstance(value, str):
        raise InvalidRequest(f"settings.{key} must be a string.")
    if len(value) > MAX_TEXT:
        raise InvalidRequest(f"settings.{key} has more than {MAX_TEXT} characters.")
    if "\x00" in value or any("\ud800" <= c <= "\udfff" for c in value):
        raise InvalidRequest(f"settings.{key} holds a character that cannot be sent.")
    return value


def _optional(raw: dict[str, Any], key: str) -> str:
    return _text(raw, key) if raw.get(key) not in (None, "") else ""


def _host(raw: dict[str, Any], key: str) -> str:
    return parse_host(_text(raw, key), f"settings.{key}", f"settings.{key.replace('_host', '_port')}")


def _address(text: str) -> str:
    """An IP address in its canonical spelling, with or without brackets; or ""."""
    try:
        return str(ip_address(text.removeprefix("[").removesuffix("]")))
    except ValueError:
        return ""


def _port(raw: dict[str, Any], key: str, default: int) -> int:
    value = raw.get(key)
    if value is None or value == "":
        return default
    match value:
        case bool():
            port = 0
        case int():
            port = value
        case str() if value.strip().isdecimal() and len(value) <= 9:
            port = int(value)
        case _:
            port = 0
    if not 1 <= port <= 65535:
        raise InvalidRequest(f"settings.{key} must be a number from 1 to 65535.")
    return port


def _tls(raw: dict[str, Any], key: str) -> TlsMode | None:
    value = raw.get(key)
    if value is None or value == "":
        return None
    try:
        return TlsMode(value)
    except ValueError as e:
        raise InvalidRequest(f"settings.{key} must be one of: {', '.join(TlsMode)}.") from e
