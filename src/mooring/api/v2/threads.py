"""Threads: list and find."""

from dataclasses import replace

from litestar.response.base import ASGIResponse

from mooring.api.answers import encoded
from mooring.api.auth import v2_grant_of
from mooring.api.doors import Req, door, services_of
from mooring.api.paths import segment
from mooring.api.queries import Query, query_of
from mooring.api.v2.listings import LISTING, MESSAGE_FILTERS, wanted_messages, window_of
from mooring.api.v2.objects import ThreadView, thread_view
from mooring.api.v2.views import Count
from mooring.errors import InvalidRequest
from mooring.mail import MessageFilter, ThreadFilter

_TIMES = ("started_before", "started_after", "last_message_before", "last_message_after")

_EXPANDED = "Read the messages of a thread by GET /messages?thread_id=…"


@door("GET", "/threads", answer=list[ThreadView], query=(*MESSAGE_FILTERS, *_TIMES, *LISTING))
async def list_threads(request: Req) -> ASGIResponse:
    """List threads, the one with the newest message first; with `view=count` how many there are."""
    grant = await v2_grant_of(request)
    services, query = services_of(request), query_of(request)
    window = window_of(query)
    _refuse_expanded(window.view)
    folders, _ = await services.mailbox.folders(grant)
    wanted = _wanted(query, wanted_messages(query, folders))
    if window.view == "count":
        return encoded(Count(await services.offsets.count_threads(grant, wanted)))
    threads = await services.offsets.threads(grant, wanted, limit=window.limit, offset=window.offset)
    if window.view == "ids":
        return encoded([thread.id for thread in threads])
    by_id = {f.id: f for f in folders}
    return encoded([thread_view(thread, by_id) for thread in threads])


@door("GET", "/threads/{thread_id:str}", answer=ThreadView)
async def find_thread(request: Req) -> ASGIResponse:
    """Find a thread."""
    grant = await v2_grant_of(request)
    services = services_of(request)
    _refuse_expanded(query_of(request).text("view") or "")
    thread = await services.offsets.thread(grant, segment(request, "thread_id"))
    folders, _ = await services.mailbox.folders(grant)
    return encoded(thread_view(thread, {f.id: f for f in folders}))


def _wanted(query: Query, messages: MessageFilter) -> ThreadFilter:
    """What is said of a whole thread is taken out of what is said of one of its messages."""
    return ThreadFilter(
        messages=replace(messages, unread=None, starred=None, has_attachment=None),
        unread=messages.unread,
        starred=messages.starred,
        has_attachment=messages.has_attachment,
        started_before=query.moment("started_before"),
        started_after=query.moment("started_after"),
        last_before=query.moment("last_message_before"),
        last_after=query.moment("last_message_after"),
    )


def _refuse_expanded(view: str) -> None:
    if view == "expanded":
        raise InvalidRequest("Threads have no expanded view here.", hint=_EXPANDED)


ROUTES = (list_threads, find_thread)
