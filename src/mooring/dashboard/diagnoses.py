"""Diagnoses: asked for, watched while they run, read, and handed on."""

from collections.abc import Sequence
from http import HTTPStatus
from math import ceil

from litestar import Response
from litestar.response.sse import ServerSentEvent
from markupsafe import Markup, escape

from mooring.applications import Application
from mooring.dashboard.again import again_of
from mooring.dashboard.asking import filled, form_again, status_of, wanted_of
from mooring.dashboard.diagnosis_views import (
    Form,
    about,
    counts_of,
    progress_of,
    row_of,
    sign_of,
    title,
)
from mooring.dashboard.doors import Req, Visit, identifier, page, route
from mooring.dashboard.forgery import form_token
from mooring.dashboard.move_views import Refusal, refusal_of
from mooring.dashboard.pages import drawn, html, see_other, shown
from mooring.dashboard.positions import read_position, write_position
from mooring.dashboard.streams import Glance, Pieces, seen, stream
from mooring.diagnosis import Diagnosis, State, Watch
from mooring.errors import EgressError, Forbidden, InvalidRequest, NotFound, TargetNotAllowed
from mooring.operators import require_diagnosing, scope_of
from mooring.reports import POLICY, evidence_part, matrix_part, report_html, report_json, verdict_part

HOME = "/dashboard/diagnoses"
LISTED = 25
"""Diagnoses on a page."""
LOOK_S = 0.4
"""Seconds between looks at one that runs: stages take some tens of milliseconds, and people watch."""


@page("GET", HOME)
async def diagnoses(visit: Visit) -> Response[bytes]:
    again = visit.request.query_params.get("again", "")
    form = form_again(await _diagnosis(visit, again)) if again else Form()
    return await _list_page(visit, form)


@page("POST", HOME)
async def ask(visit: Visit) -> Response[bytes]:
    """Ask for a diagnosis of what the form names. A refusal is told with the form, which keeps all but the password."""
    again_id = visit.form.get("again", "")
    again = await _diagnosis(visit, again_id) if again_id else None
    form, services = filled(visit, again), visit.services
    if wait_s := ceil(services.asking.take(visit.operator.id, services.clock.monotonic())):
        often = Refusal("You have asked about many servers in a short time.", f"Wait {wait_s} seconds, then try again.")
        answer = await _list_page(visit, form, often, HTTPStatus.TOO_MANY_REQUESTS)
        answer.headers["Retry-After"] = str(wait_s)
        return answer
    try:
        application, wanted = await wanted_of(visit, form, again)
        asked = await services.diagnoses.ask(application, wanted, by=visit.operator.signature)
    except (InvalidRequest, TargetNotAllowed, Forbidden, EgressError) as error:
        return await _list_page(visit, form, refusal_of(error), status_of(error))
    return see_other(f"{HOME}/{asked.id}")


@page("GET", f"{HOME}/{{diagnosis_id:str}}")
async def diagnosis(visit: Visit) -> Response[bytes]:
    found = await diagnosis_of(visit)
    pieces = _pieces(visit, found, await _heard(visit, Watch(found.question.targets), found))
    account = await visit.services.grants.get(found.grant_id) if found.grant_id else None
    return shown(
        visit,
        "diagnosis.html",
        diagnosis=found,
        about=about(found),
        account=account,
        names=await _names(visit),
        pieces=pieces,
        seen=seen(pieces),
        live=not found.state.is_end,
    )


@route("GET", f"{HOME}/{{diagnosis_id:str}}/live")
async def live_diagnosis(request: Req) -> ServerSentEvent:
    """The picture while it fills, and at last what was found out."""
    watch = Watch(())

    async def look(visit: Visit) -> Glance:
        found = await diagnosis_of(visit)
        watch.targets = found.question.targets
        pieces = _pieces(visit, found, await _heard(visit, watch, found))
        return Glance(pieces, LOOK_S, last=found.state.is_end)

    return stream(request, look)


@page("GET", f"{HOME}/{{diagnosis_id:str}}/report.html")
async def report_page(visit: Visit) -> Response[bytes]:
    """The report, to be kept, printed and forwarded."""
    answer = html(report_html(visit.services.reports.of(await diagnosis_of(visit))))
    answer.headers["Content-Security-Policy"] = POLICY
    return answer


@page("GET", f"{HOME}/{{diagnosis_id:str}}/report.json")
async def report_document(visit: Visit) -> Response[bytes]:
    """The same for machines."""
    document = report_json(visit.services.reports.of(await diagnosis_of(visit)))
    return Response(document, media_type="application/json")


async def diagnosis_of(visit: Visit) -> Diagnosis:
    """The diagnosis that the path names.

    Raises:
        NotFound: there is none, or it is not this person's to see.
    """
    return await _diagnosis(visit, identifier(visit.request, "diagnosis_id"))


async def _diagnosis(visit: Visit, diagnosis_id: str) -> Diagnosis:
    try:
        found = await visit.services.diagnoses.get(diagnosis_id.replace("\0", ""))
    except NotFound:
        raise NotFound("There is no such thing here, or it is not yours to see.") from None
    require_diagnosing(visit.operator, found.application_id)
    return found


async def _heard(visit: Visit, watch: Watch, found: Diagnosis) -> Watch:
    """The watch, after what was told since; of one that has ended the evidence tells all."""
    if not found.state.is_end:
        for told in await visit.services.diagnoses.told(found.id, after=watch.number):
            watch.hear(told)
    return watch


def _pieces(visit: Visit, found: Diagnosis, watch: Watch) -> Pieces:
    """What changes while it runs; in the end the picture is part of the report."""
    result, picture = Markup(), Markup()
    if found.state is State.DONE:
        report = visit.services.reports.of(found)
        result = verdict_part(report) + evidence_part(report)
    elif found.state is State.FAILED:
        result = drawn("_refusal.html", refusal=Refusal(title(found), "Ask for another one."))
    else:
        picture = matrix_part(watch.matrix)
    actions = drawn("_again.html", diagnosis=found, again=again_of(found), form_token=form_token(visit.session))
    return {
        "state": Markup() if found.state is State.DONE else drawn("_sign.html", sign=sign_of(found)),
        "progress": escape(progress_of(found)),
        "counts": escape(counts_of(found, watch)),
        "result": result,
        "matrix": picture,
        "actions": actions if found.state.is_end else Markup(),
    }


async def _list_page(
    visit: Visit, form: Form, refusal: Refusal | None = None, status: int = HTTPStatus.OK
) -> Response[bytes]:
    services, query = visit.services, visit.request.query_params
    applications = await _applications(visit)
    scope = applications[0] if scope_of(visit.operator) is not None else None
    before = read_position(query.get("before", ""), of="diagnoses")
    found = await services.diagnoses.list(scope, limit=LISTED + 1, before=before)
    names = {one.id: one.name for one in applications}
    listed = found[:LISTED]
    return shown(
        visit,
        "diagnoses.html",
        status=status,
        rows=[row_of(one, names) for one in listed],
        applications=applications,
        form=form,
        refusal=refusal,
        is_first=before is None,
        next=write_position(listed[-1].created_at, listed[-1].id) if len(found) > LISTED else "",
    )


async def _applications(visit: Visit) -> Sequence[Application]:
    """Those on whose behalf this person may ask."""
    scope = scope_of(visit.operator)
    return (
        await visit.services.applications.every() if scope is None else [await visit.services.applications.get(scope)]
    )


async def _names(visit: Visit) -> dict[str, str]:
    return {one.id: one.name for one in await _applications(visit)}


ROUTES = (diagnoses, ask, diagnosis, live_diagnosis, report_page, report_document)
