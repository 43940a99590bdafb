"""Events of a calendar: list and find."""

from litestar.response.base import ASGIResponse

from mooring.api.answers import Listing, Single, listing, selected, single
from mooring.api.auth import grant_of
from mooring.api.doors import Req, door, services_of
from mooring.api.paths import segment
from mooring.api.queries import Query, query_of
from mooring.calendars import Event, EventQuery
from mooring.errors import InvalidRequest

_FILTERS = ("start", "end", "title", "location", "description", "ical_uid", "busy", "show_cancelled")
_AS_IT_IS = ("expand_recurring", "tentative_as_busy")
"""What is so in any case: it can be asked for, and not declined."""
_REFUSED = ("metadata_pair", "attendees", "master_event_id", "updated_before", "updated_after", "event_type")


@door(
    "GET",
    "/v3/grants/{identifier:str}/events",
    answer=Listing[Event],
    query=("calendar_id", *_FILTERS, *_AS_IT_IS, "order_by", "limit", "page_token", "select"),
    refused=_REFUSED,
)
async def list_events(request: Req) -> ASGIResponse:
    """List the events of a calendar, earliest first."""
    grant = await grant_of(request)
    query = query_of(request)
    calendar_id = query.required("calendar_id")
    page = await services_of(request).calendars.events(grant, calendar_id, _wanted(query))
    data = selected(page.events, query.select())
    return listing(request, data, next_cursor=page.next_cursor, synced_at=page.synced_at)


@door(
    "GET",
    "/v3/grants/{identifier:str}/events/{event_id:str}",
    answer=Single[Event],
    query=("calendar_id", "tentative_as_busy", "select"),
)
async def find_event(request: Req) -> ASGIResponse:
    """Find an event of a calendar."""
    grant = await grant_of(request)
    query = query_of(request)
    calendar_id = query.required("calendar_id")
    _refuse_false(query)
    event = await services_of(request).calendars.event(grant, calendar_id, segment(request, "event_id"))
    [shown] = selected([event], query.select())
    return single(request, shown)


def _wanted(query: Query) -> EventQuery:
    _refuse_false(query)
    query.choice("order_by", ("start",), "start")
    return EventQuery(
        start=query.moment("start"),
        end=query.moment("end"),
        title=query.text("title"),
        location=query.text("location"),
        description=query.text("description"),
        ical_uid=query.text("ical_uid"),
        busy=query.flag("busy"),
        show_cancelled=query.flag("show_cancelled") or False,
        limit=query.limit(),
        cursor=query.page_token(),
    )


def _refuse_false(query: Query) -> None:
    for name in _AS_IT_IS:
        if query.flag(name) is False:
            raise InvalidRequest(f"'{name}=false' is not supported here.", hint="Leave it out.")


ROUTES = (list_events, find_event)
