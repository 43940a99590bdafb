"""Whether a mail server needs static addresses, and how that is known: asked, read and followed (spec §6.17)."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from litestar.response.base import ASGIResponse

from mooring.api.answers import Listing, Single, listing, selected, single
from mooring.api.auth import owner_of, uncounted_owner_of
from mooring.api.bodies import json_of
from mooring.api.doors import Req, door, services_of
from mooring.api.limits import Limit, limits_of
from mooring.api.paths import segment
from mooring.api.queries import query_of, read_position, write_token
from mooring.api.streams import EVENT_STREAM, Event, Stream
from mooring.diagnosis import Ask, Diagnosis, DiagnosisView, Told, view_of
from mooring.errors import InvalidRequest, NotFound
from mooring.reports import POLICY, Report, report_html, report_json

LONGEST_WAIT_S = 60
"""Seconds that an answer is held back for a diagnosis to end; proxies give up not much later."""

_PATH = "/v3/diagnoses"
_ONE = f"{_PATH}/{{diagnosis_id:str}}"


@door("POST", _PATH, answer=Single[DiagnosisView], query=("client_id",), body=Ask, status=202)
async def ask_for_diagnosis(request: Req) -> ASGIResponse:
    """Ask whether a host, an e-mail address's servers, a grant's or any account's need static addresses."""
    application = await uncounted_owner_of(request)
    limits = limits_of(request)
    limits.take(Limit.DIAGNOSES, application.id)
    found = await services_of(request).diagnoses.ask(
        application,
        await json_of(request, Ask),
        admit_detection=lambda: limits.take(Limit.DETECT, application.id),
    )
    return single(request, view_of(found), status=202)


@door("GET", _PATH, answer=Listing[DiagnosisView], query=("client_id", "limit", "page_token", "select"))
async def list_diagnoses(request: Req) -> ASGIResponse:
    """List the application's diagnoses of the last 30 days, newest first, without their evidence."""
    application = await owner_of(request)
    query = query_of(request)
    limit, token = query.limit(), query.page_token()
    found = await services_of(request).diagnoses.list(
        application, limit=limit + 1, before=read_position(token) if token else None
    )
    page = found[:limit]
    cursor = write_token((page[-1].created_at, page[-1].id)) if len(found) > limit else None
    return listing(request, selected([view_of(one) for one in page], query.select()), next_cursor=cursor)


@door("GET", _ONE, answer=Single[DiagnosisView], query=("client_id", "wait"))
async def find_diagnosis(request: Req) -> ASGIResponse:
    """Find a diagnosis, with its evidence once it is done; ``wait`` (seconds) waits for that."""
    return single(request, view_of(await _found(request, wait_s=_wait_s(request))))


@door("GET", f"{_ONE}/stages", answer=EVENT_STREAM, query=("client_id",))
async def follow_diagnosis(request: Req) -> ASGIResponse:
    """Follow a diagnosis as server-sent events: each stage that was passed, and at last the verdict."""
    found = await _found(request)
    return Stream(_events(services_of(request).diagnoses.follow(found.id, after=_last_event(request))))


@door("GET", f"{_ONE}/report.json", answer=Report, query=("client_id",))
async def report_as_json(request: Req) -> ASGIResponse:
    """What can be handed on of a diagnosis, as one document: verdict, next steps, evidence; nothing secret."""
    report = services_of(request).reports.of(await _found(request))
    return ASGIResponse(body=report_json(report), media_type="application/json")


@door("GET", f"{_ONE}/report.html", answer="text/html", query=("client_id",))
async def report_as_page(request: Req) -> ASGIResponse:
    """The same as one page that needs nothing else, to be read, printed and forwarded."""
    report = services_of(request).reports.of(await _found(request))
    return ASGIResponse(
        body=report_html(report).encode(),
        media_type="text/html",
        headers={"Content-Security-Policy": POLICY},
    )


async def _events(told: AsyncGenerator[Told | None]) -> AsyncGenerator[Event | None]:
    async with aclosing(told):
        async for one in told:
            yield (one.number, one.kind, one.data) if one is not None else None


async def _found(request: Req, *, wait_s: float = 0.0) -> Diagnosis:
    application = await uncounted_owner_of(request)
    identifier = segment(request, "diagnosis_id")
    limits_of(request).take(Limit.DIAGNOSIS, (application.id, identifier))
    try:
        return await services_of(request).diagnoses.find(application, identifier, wait_s=wait_s)
    except NotFound:
        limits_of(request).take(Limit.APPLICATION, application.id)
        raise


def _wait_s(request: Req) -> float:
    seconds = query_of(request).whole("wait") or 0
    if seconds < 0:
        raise InvalidRequest("The query parameter 'wait' must be 0 or more.")
    return min(seconds, LONGEST_WAIT_S)


def _last_event(request: Req) -> int:
    """Behind which event to go on; what we did not number is as if nothing had been heard."""
    text = request.headers.get("last-event-id", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else 0


ROUTES = (ask_for_diagnosis, list_diagnoses, find_diagnosis, follow_diagnosis, report_as_json, report_as_page)
