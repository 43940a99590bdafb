"""Messages: list and get."""

from litestar.response.base import ASGIResponse

from mooring.api.answers import encoded
from mooring.api.auth import v2_grant_of
from mooring.api.doors import Req, door, services_of
from mooring.api.filters import FILTERS, message_filter
from mooring.api.paths import segment
from mooring.api.pieces import Pieces, Whole
from mooring.api.queries import MAX_LIMIT, Query, query_of
from mooring.api.services import MailboxService
from mooring.api.v2.views import MessageView, message_view, role_of
from mooring.errors import InvalidRequest, NotFound
from mooring.grants import Grant
from mooring.mail import Folder, Message, MessageFilter

MAX_PAGE = 100
"""Messages at once (contract 6.6)."""

MAX_OFFSET = 10_000
"""How far a reader may page by offset: what is passed over is read as well, 200 at a time."""

RFC822 = "message/rfc822"

_REFUSED = ("filename", "started_before", "started_after", "last_message_before", "last_message_after")


@door("GET", "/messages", answer=list[MessageView], query=(*FILTERS, "view", "limit", "offset"))
async def list_messages(request: Req) -> ASGIResponse:
    """List messages, newest first."""
    grant = await v2_grant_of(request)
    query = query_of(request)
    view = query.choice("view", ("ids", "expanded"), "expanded")
    limit, offset = query.limit(most=MAX_PAGE), query.offset()
    if offset > MAX_OFFSET:
        raise InvalidRequest(
            f"'offset' is at most {MAX_OFFSET}.", hint="Go on with received_before and the date of the last message."
        )
    mailbox = services_of(request).mailbox
    folders, _ = await mailbox.folders(grant)
    messages = await _slice(mailbox, grant, _wanted(query, folders), offset, limit)
    if view == "ids":
        return encoded([m.id for m in messages])
    by_id = {f.id: f for f in folders}
    return encoded([message_view(m, by_id) for m in messages])


@door("GET", "/messages/{message_id:str}", answer=MessageView)
async def get_message(request: Req) -> ASGIResponse:
    """Get a message; its raw MIME with `Accept: message/rfc822`."""
    grant = await v2_grant_of(request)
    mailbox = services_of(request).mailbox
    message_id = segment(request, "message_id")
    if RFC822 in request.headers.get("accept", "").lower():
        return Pieces([Whole(await mailbox.raw(grant, message_id))], media_type=RFC822)
    message = await mailbox.message(grant, message_id)
    folders, _ = await mailbox.folders(grant)
    return encoded(message_view(message, {f.id: f for f in folders}))


async def _slice(
    mailbox: MailboxService, grant: Grant, wanted: MessageFilter, offset: int, limit: int
) -> list[Message]:
    """The messages from ``offset`` on, over as many pages as that takes."""
    cursor: str | None = None
    found: list[Message] = []
    passed = 0
    while len(found) < limit:
        asked = min(offset + limit - passed, MAX_LIMIT)
        page = await mailbox.messages(grant, wanted, limit=asked, cursor=cursor)
        found.extend(page.messages[max(0, offset - passed) :])
        passed += len(page.messages)
        cursor = page.next_cursor
        if cursor is None or len(page.messages) < asked:
            break
    return found[:limit]


def _wanted(query: Query, folders: list[Folder]) -> MessageFilter:
    query.refuse(_REFUSED)
    folder = query.text("in")
    return message_filter(query, folder_id=_folder_id(folder, folders) if folder else None)


def _folder_id(named: str, folders: list[Folder]) -> str:
    """v2 names a folder by its id, its role or its name."""
    for folder in folders:
        if named in {folder.id, folder.path} or named.lower() == role_of(folder):
            return folder.id
    raise NotFound(f"There is no folder {named[:100]!r}.")


ROUTES = (list_messages, get_message)
