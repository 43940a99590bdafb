"""From the form about a server, or the button about an account, to what is asked."""

from http import HTTPStatus
from typing import Any

from mooring.applications import Application
from mooring.dashboard.again import again_of, ask_again
from mooring.dashboard.diagnosis_views import Form
from mooring.dashboard.doors import Visit
from mooring.diagnosis import Ask, Diagnosis, Service
from mooring.errors import EgressError, Forbidden, InvalidRequest, MooringError
from mooring.operators import require_diagnosing, scope_of

_PORTS = (Service.IMAP, Service.SMTP)
"""Services whose port can be named in the form; that of calendars is in their address."""


def filled(visit: Visit, again: Diagnosis | None = None) -> Form:
    """What was filled in, without the password.

    Args:
        again: the diagnosis that is asked once more.
    """
    sent = visit.form
    if again is not None:
        return form_again(again, scope_of(visit.operator) or sent.get("application", ""))
    return Form(
        about=sent.get("about", "").strip(),
        application_id=scope_of(visit.operator) or sent.get("application", ""),
        services=frozenset(service for service in Service if service in sent),
        username=sent.get("username", "").strip(),
        ports={service: sent.get(f"{service}_port", "").strip() for service in _PORTS},
    )


def form_again(diagnosis: Diagnosis, application_id: str = "") -> Form:
    """The form that asks the same once more.

    Args:
        application_id: on whose behalf, where an operator asked on nobody's.
    """
    return Form(application_id=diagnosis.application_id or application_id, again=again_of(diagnosis))


async def wanted_of(visit: Visit, form: Form, again: Diagnosis | None = None) -> tuple[Application, Ask]:
    """On whose behalf, and what is asked.

    Raises:
        InvalidRequest: something is missing.
        NotFound: an application or an account that is not this person's to see.
    """
    if grant_id := visit.form.get("grant_id", ""):
        grant = await visit.services.grants.get(grant_id.replace("\0", ""))
        require_diagnosing(visit.operator, grant.application_id)
        return await visit.services.applications.get(grant.application_id), Ask(grant_id=grant.id)
    if not form.application_id:
        raise InvalidRequest("No application is chosen.", hint="Choose on whose behalf to ask.")
    if again is None and not form.about:
        raise InvalidRequest("Nothing is asked about.", hint="Name a server, or an e-mail address.")
    require_diagnosing(visit.operator, form.application_id)
    application = await visit.services.applications.get(form.application_id)
    password = visit.form.get("password", "")
    return application, ask_again(again, password) if again is not None else _ask_of(form, password)


def _ask_of(form: Form, password: str) -> Ask:
    settings: dict[str, Any] = {f"{s}_port": _number(port) for s, port in form.ports.items() if port}
    if form.username:
        settings["imap_username"] = form.username
    if password:
        settings["imap_password"] = password
    services = tuple(service for service in Service if service in form.services)
    is_address = "@" in form.about
    return Ask(
        host=None if is_address else form.about,
        email=form.about if is_address else None,
        settings=settings or None,
        services=services,
    )


def _number(port: str) -> int:
    if port.isascii() and port.isdecimal() and len(port) <= 5:
        return int(port)
    raise InvalidRequest("A port is a number, such as 993.", hint="Leave it empty for the usual one.")


def status_of(error: MooringError) -> int:
    """What a refusal is answered with."""
    match error:
        case Forbidden():
            return HTTPStatus.FORBIDDEN
        case EgressError():
            return HTTPStatus.SERVICE_UNAVAILABLE
        case _:
            return HTTPStatus.BAD_REQUEST
