"""Calendars: list and find."""

from litestar.response.base import ASGIResponse

from mooring.api.answers import Listing, Single, listing, selected, single
from mooring.api.auth import grant_of
from mooring.api.doors import Req, door, services_of
from mooring.api.paths import segment
from mooring.api.queries import paged, query_of
from mooring.calendars import CalendarView, calendar_view


@door(
    "GET",
    "/v3/grants/{identifier:str}/calendars",
    answer=Listing[CalendarView],
    query=("limit", "page_token", "select"),
    refused=("metadata_pair",),
)
async def list_calendars(request: Req) -> ASGIResponse:
    """List the calendars of an account."""
    grant = await grant_of(request)
    query = query_of(request)
    calendars, synced_at = await services_of(request).calendars.calendars(grant)
    page, cursor = paged([calendar_view(c) for c in calendars], query)
    return listing(request, selected(page, query.select()), next_cursor=cursor, synced_at=synced_at)


@door(
    "GET",
    "/v3/grants/{identifier:str}/calendars/{calendar_id:str}",
    answer=Single[CalendarView],
    query=("select",),
)
async def find_calendar(request: Req) -> ASGIResponse:
    """Find a calendar; `primary` is one too."""
    grant = await grant_of(request)
    calendar = await services_of(request).calendars.calendar(grant, segment(request, "calendar_id"))
    [view] = selected([calendar_view(calendar)], query_of(request).select())
    return single(request, view)


ROUTES = (list_calendars, find_calendar)
