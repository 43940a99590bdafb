"""Messages: list and get."""

from litestar.response.base import ASGIResponse

from mooring.api.answers import encoded
from mooring.api.auth import v2_grant_of
from mooring.api.doors import Req, door, services_of
from mooring.api.paths import segment
from mooring.api.pieces import Pieces, Whole
from mooring.api.queries import query_of
from mooring.api.v2.listings import LISTING, MAX_PAGE, MESSAGE_FILTERS, wanted_messages, window_of
from mooring.api.v2.objects import MessageView, message_view
from mooring.api.v2.views import Count
from mooring.errors import InvalidRequest
from mooring.grants import Grant
from mooring.mail import Folder, Message

RFC822 = "message/rfc822"

_OF_THREADS = ("started_before", "started_after", "last_message_before", "last_message_after")


@door("GET", "/messages", answer=list[MessageView], query=(*MESSAGE_FILTERS, *LISTING))
async def list_messages(request: Req) -> ASGIResponse:
    """List messages, newest first; with `view=count` how many there are."""
    grant = await v2_grant_of(request)
    services, query = services_of(request), query_of(request)
    query.refuse(_OF_THREADS, "GET /threads has it; messages have received_before and received_after.")
    window = window_of(query)
    folders, _ = await services.mailbox.folders(grant)
    wanted = wanted_messages(query, folders)
    if window.view == "count":
        return encoded(Count(await services.offsets.count_messages(grant, wanted)))
    messages = await services.offsets.messages(grant, wanted, limit=window.limit, offset=window.offset)
    if window.view == "ids":
        return encoded([m.id for m in messages])
    return encoded(await _shown(request, grant, messages, folders, expanded=window.view == "expanded"))


@door("GET", "/messages/{message_id:str}", answer=MessageView, query=("view",))
async def get_message(request: Req) -> ASGIResponse:
    """Get a message; its raw MIME with `Accept: message/rfc822`; several, as a list, by ids that commas join."""
    grant = await v2_grant_of(request)
    services, query = services_of(request), query_of(request)
    named = segment(request, "message_id")
    if RFC822 in request.headers.get("accept", "").lower():
        return Pieces([Whole(await services.mailbox.raw(grant, named))], media_type=RFC822)
    expanded = query.choice("view", ("ids", "expanded"), "ids") == "expanded"
    ids = list(dict.fromkeys(named.split(",")))
    if len(ids) > MAX_PAGE:
        raise InvalidRequest(f"At most {MAX_PAGE} messages can be read at once.")
    messages = [await services.mailbox.message(grant, one) for one in ids]
    folders, _ = await services.mailbox.folders(grant)
    shown = await _shown(request, grant, messages, folders, expanded=expanded)
    if "," not in named:
        return encoded(shown[0])
    window = window_of(query)
    return encoded(shown[window.offset : window.offset + window.limit])


async def _shown(
    request: Req, grant: Grant, messages: list[Message], folders: list[Folder], *, expanded: bool
) -> list[MessageView]:
    by_id = {f.id: f for f in folders}
    headers = await services_of(request).mailbox.headers_of(grant, messages) if expanded and messages else {}
    return [message_view(m, by_id, headers.get(m.id)) for m in messages]


ROUTES = (list_messages, get_message)
