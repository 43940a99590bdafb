"""The same question once more, from what is kept of a diagnosis: everything but the passwords. Pure."""

from dataclasses import dataclass

from mooring.diagnosis import SERVICES, Ask, Diagnosis, Question, Service
from mooring.diagnosis.types import Target
from mooring.errors import InvalidRequest

_TLS = {"implicit": "SSL/TLS", "starttls": "STARTTLS"}


@dataclass(frozen=True, slots=True)
class Again:
    """What a person sees of a diagnosis that is to be asked once more.

    Attributes:
        servers: a line for each.
        needs_password: it was asked with passwords, which are not kept.
        at_once: a button is enough: nothing has to be typed or chosen.
    """

    id: str
    servers: tuple[str, ...]
    needs_password: bool
    at_once: bool


def again_of(diagnosis: Diagnosis) -> Again:
    """What has to be shown, and typed, to ask it again."""
    needs_password = _needs_password(diagnosis)
    return Again(
        id=diagnosis.id,
        servers=tuple(_line(target, diagnosis.question) for target in diagnosis.question.targets),
        needs_password=needs_password,
        at_once=bool(diagnosis.application_id) and not needs_password,
    )


def ask_again(diagnosis: Diagnosis, password: str = "") -> Ask:
    """The same question: what somebody named is named again, what was found by an address is looked for again.

    Args:
        password: of all the servers, where it was asked with passwords.

    Raises:
        InvalidRequest: the password is missing.
    """
    question = diagnosis.question
    services = tuple(target.service for target in question.targets)
    if diagnosis.grant_id:
        return Ask(grant_id=diagnosis.grant_id, services=services, passive=question.passive)
    settings: dict[str, str | int] = {}
    for target in question.targets:
        settings |= _settings(target)
    if _needs_password(diagnosis):
        if not password:
            raise InvalidRequest("The password is missing: it is not kept.", hint="Type it again.")
        settings["imap_password"] = password
    return Ask(email=question.email or None, settings=settings or None, services=services, passive=question.passive)


def _needs_password(diagnosis: Diagnosis) -> bool:
    """Whether it was asked with passwords other than an account's own."""
    return diagnosis.question.with_credentials and not diagnosis.grant_id


def _settings(target: Target) -> dict[str, str | int]:
    """What was said of a server, as ``settings`` of an account."""
    named, is_open = target.service, _is_open(target)
    said: dict[str, str | int] = {f"{named}_username": target.username} if target.username else {}
    if target.service is Service.CALDAV:
        # Of one that is found by an address, all but the user is its own.
        return said if is_open else {**said, "caldav_url": _url(target)}
    if not is_open:
        said[f"{named}_host"] = target.host
    if target.port and not target.is_usual_port:
        said[f"{named}_port"] = target.port
    if target.tls is not None and not (target.is_found and target.is_usual_port):
        said[f"{named}_tls"] = str(target.tls)
    return said


def _is_open(target: Target) -> bool:
    return target.is_found or not target.host


def _url(target: Target) -> str:
    host = f"[{target.host}]" if ":" in target.host else target.host
    return f"https://{host}:{target.port}{target.path or '/'}"


def _line(target: Target, question: Question) -> str:
    """A server as people read it."""
    whose = f", as {target.username}" if target.username else ""
    if _is_open(target):
        return f"{SERVICES[target.service]} of {question.email}, wherever it is found{whose}"
    if target.service is Service.CALDAV:
        return f"{SERVICES[target.service]} {_url(target)}{whose}"
    mode = f" ({_TLS[target.tls]})" if target.tls is not None else ""
    return f"{SERVICES[target.service]} {target.host}:{target.port}{mode}{whose}"
