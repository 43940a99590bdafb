"""From what somebody asks to a question and its secrets: pure, and a clear answer to whatever cannot be meant."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

import httpx
import msgspec

from mooring.config import IPNetwork
from mooring.diagnosis.types import Question, Secrets, Service, Target
from mooring.egress import judge
from mooring.errors import InvalidRequest, TargetNotAllowed
from mooring.grants import (
    CALDAV_PORT,
    CalendarServer,
    Credentials,
    Grant,
    Server,
    SomeSettings,
    parse_email,
    parse_host,
    parse_some,
)

PORTS: Mapping[Service, tuple[int, ...]] = {
    Service.IMAP: (993, 143),
    Service.SMTP: (465, 587, 25, 2525),
    Service.CALDAV: (443, 8443),
}
"""The ports that mail and calendars use, the usual one first. Others are not asked, or this would be a port scanner; on
private networks, which the operator has opened himself, any port may be."""

_MAIL = (Service.IMAP, Service.SMTP)
"""What is asked about where nobody says what: a mailbox is read and written from; many have no calendar."""


class Ask(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What somebody wants to know: about a host, an e-mail address, a grant, or an account's servers.

    Attributes:
        settings: as at ``connect/custom``, of which any part may be left out.
        services: None: those that ``settings`` or the grant names, else IMAP and SMTP.
        passive: answer at once, from what happened anyway, and dial nothing.
    """

    host: str | None = None
    email: str | None = None
    grant_id: str | None = None
    settings: dict[str, Any] | None = None
    services: tuple[Service, ...] | None = None
    passive: bool = False

    def __repr__(self) -> str:
        return "Ask(…)"


@dataclass(frozen=True, slots=True)
class Asker:
    """On whose behalf it is asked: whose addresses are the own ones.

    Attributes:
        application_id: "" for an operator.
    """

    application_id: str
    generation: str
    region: str

    @property
    def scope(self) -> str:
        """Whose pools it takes to find out, such as ``v3-us``."""
        return f"{self.generation}-{self.region}"


def question_of(ask: Ask, asker: Asker, subject: str) -> tuple[Question, Secrets]:
    """The question about a host, an address or an account's servers.

    A service whose server nobody named, but an e-mail address, is an open target: one without a host.

    Raises:
        InvalidRequest: it cannot be meant; names the field.
    """
    if not (ask.host or ask.email or ask.settings):
        raise InvalidRequest("Nothing is asked about.", hint="Name a host, an email, a grant_id or settings.")
    raw = dict(ask.settings or {})
    if ask.email:
        raw["email"] = parse_email(ask.email, "email")
    wanted = _wanted(ask, raw)
    host = _name(ask.host, "host") if ask.host else ""
    for service in wanted if host else ():
        if not _names(raw, service):
            raw[f"{service}_host"] = host
    some = parse_some(raw)
    if some.email:
        # The domain leads to a server: it must be able to be one.
        _name(some.email.rpartition("@")[2], "The domain of the e-mail address")
    targets = tuple(_target(raw, some, service) for service in wanted)
    secrets = _secrets(targets, some.credentials)
    question = Question(
        application_id=asker.application_id,
        generation=asker.generation,
        region=asker.region,
        subject=subject,
        targets=targets,
        email=some.email,
        with_credentials=bool(secrets.passwords),
    )
    return question, secrets


def question_of_grant(ask: Ask, asker: Asker, grant: Grant) -> Question:
    """The question about a grant's own servers, with its own credentials.

    Raises:
        InvalidRequest: something else is asked about as well, or a service that the grant does not have.
    """
    if ask.host or ask.email or ask.settings:
        raise InvalidRequest("grant_id stands alone: a grant has its own servers.", hint="Leave the others out.")
    known = _of_grant(grant)
    wanted = ask.services or tuple(known)
    for service in wanted:
        if service not in known:
            raise InvalidRequest(f"This grant has no {service} server.")
    return Question(
        application_id=asker.application_id,
        generation=asker.generation,
        region=asker.region,
        subject=grant.subject,
        targets=tuple(known[service] for service in dict.fromkeys(wanted)),
        email=grant.email,
        grant_id=grant.id,
        with_credentials=True,
    )


def secrets_of_grant(question: Question, credentials: Credentials) -> Secrets:
    """The grant's passwords, of the services that are asked about."""
    return _secrets(question.targets, credentials)


def is_open(question: Question) -> bool:
    """Whether a server has yet to be found."""
    return any(not target.host for target in question.targets)


def filled(question: Question, found: Sequence[Target]) -> Question:
    """The question with what was found in its open targets; what was said of them (port, user, mode) stays.

    A service that nothing was found for is left out.
    """
    best = {target.service: target for target in reversed(found)}
    targets = [_joined(t, best.get(t.service), question.email) if not t.host else t for t in question.targets]
    return msgspec.structs.replace(question, targets=tuple(t for t in targets if t is not None))


def require_allowed(
    targets: Sequence[Target], *, allow: tuple[IPNetwork, ...], forbidden: frozenset[tuple[str, int]]
) -> list[Target]:
    """See to it that no address is asked about that is never dialled, nor a port that mail does not use.

    Returns: those with an unusual port at a name, which may be asked about if it leads to private networks alone.

    Raises:
        TargetNotAllowed, InvalidRequest.
    """
    doubtful: list[Target] = []
    for target in targets:
        is_usual = not target.port or is_usual_port(target.port)
        try:
            address = ip_address(target.host)
        except ValueError:
            if not is_usual and not allow:
                raise unusual_port(target) from None
            doubtful += [] if is_usual else [target]
            continue
        judgement = judge(address, target.port, allow=allow, forbidden=forbidden)
        if not judgement.allowed:
            raise TargetNotAllowed(f"{judgement.rule}; it is not asked.", hint=judgement.hint)
        if not is_usual and not any(address in network for network in allow):
            raise unusual_port(target)
    return doubtful


def is_usual_port(port: int) -> bool:
    """Whether mail or calendars use it."""
    return any(port in ports for ports in PORTS.values())


def unusual_port(target: Target) -> InvalidRequest:
    """What a port that mail does not use is answered with."""
    usual = ", ".join(str(port) for ports in PORTS.values() for port in ports)
    return InvalidRequest(
        f"Port {target.port} is not one that mail or calendars use, so it is not asked.",
        hint=f"These are: {usual}.",
    )


def _wanted(ask: Ask, raw: Mapping[str, Any]) -> tuple[Service, ...]:
    if ask.services is not None:
        if not ask.services:
            raise InvalidRequest("services is empty.", hint=f"Name some of: {', '.join(Service)}.")
        return tuple(dict.fromkeys(ask.services))
    named = tuple(service for service in Service if _names(raw, service))
    if named and not ask.host:
        return named
    return tuple(service for service in Service if service in _MAIL or service in named)


def _names(raw: Mapping[str, Any], service: Service) -> bool:
    return bool(raw.get(f"{service}_host") or (service is Service.CALDAV and raw.get("caldav_url")))


def _name(text: str, key: str) -> str:
    host = parse_host(text, key, "settings.imap_port")
    if "" in host.split("."):
        raise InvalidRequest(f"{key} is not a host name.")
    return host


def _target(raw: Mapping[str, Any], some: SomeSettings, service: Service) -> Target:
    """Where this service is, or is to be found."""
    usual = raw.get(f"{service}_port") in (None, "")
    match service:
        case Service.IMAP if some.imap is not None:
            return _of_server(service, some.imap, is_usual_port=usual)
        case Service.SMTP if some.smtp is not None:
            return _of_server(service, some.smtp, is_usual_port=usual)
        case Service.CALDAV if some.caldav is not None:
            return _of_calendars(some.caldav)
        case _:
            pass
    if not some.email:
        raise InvalidRequest(
            f"settings.{service}_host is missing.", hint="Name the server, or an email whose server is to be found."
        )
    # Whatever is said of a server that is yet to be found is read as if it had been.
    told = parse_some({**raw, f"{service}_host": some.email.rpartition("@")[2]})
    username = raw.get(f"{service}_username") or raw.get("imap_username") or ""
    known = {Service.IMAP: told.imap, Service.SMTP: told.smtp}.get(service)
    if known is None:
        return Target(service, "", 0, username=username)
    return Target(service, "", 0 if usual else known.port, known.tls, username, is_usual_port=usual)


def _of_server(service: Service, server: Server, *, is_usual_port: bool = False) -> Target:
    return Target(service, server.host, server.port, server.tls, server.username, is_usual_port=is_usual_port)


def _of_calendars(server: CalendarServer) -> Target:
    # As the HTTP client reads it, or the place that is dialled would be another than the one that is asked.
    url = httpx.URL(server.url)
    path = url.raw_path.decode().partition("?")[0]
    return Target(
        Service.CALDAV,
        _name(url.raw_host.decode(), "The host of settings.caldav_url"),
        url.port or CALDAV_PORT,
        username=server.username,
        path="" if path == "/" else path,
    )


def _of_grant(grant: Grant) -> dict[Service, Target]:
    settings = grant.settings
    known = {Service.IMAP: _of_server(Service.IMAP, settings.imap)}
    if settings.smtp is not None:
        known[Service.SMTP] = _of_server(Service.SMTP, settings.smtp)
    if settings.caldav is not None:
        known[Service.CALDAV] = _of_calendars(settings.caldav)
    return known


def _secrets(targets: Sequence[Target], credentials: Credentials) -> Secrets:
    passwords = {
        Service.IMAP: credentials.imap_password,
        Service.SMTP: credentials.smtp_password,
        Service.CALDAV: credentials.caldav_password,
    }
    given = {target.service: passwords[target.service] for target in targets if passwords[target.service]}
    for target in targets:
        # Where a server is yet to be found, it may be known there what its users log in with.
        if target.service in given and target.host and not target.username:
            raise InvalidRequest(f"settings.{target.service}_username is missing: there is a password, and no user.")
    return Secrets(given)


def _joined(open_: Target, found: Target | None, email: str) -> Target | None:
    if found is None:
        return None
    return msgspec.structs.replace(
        found,
        port=open_.port or found.port,
        tls=open_.tls if open_.port or open_.tls else found.tls,
        username=open_.username or found.username or email,
        is_usual_port=open_.is_usual_port,
    )
