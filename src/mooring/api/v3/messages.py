"""Messages: list and find, with as much of each as is asked for."""

from enum import StrEnum
from typing import Any

from litestar.response.base import ASGIResponse

from mooring.api.answers import Listing, Single, fields_of, listing, selected, single
from mooring.api.auth import grant_of
from mooring.api.doors import Req, door, services_of
from mooring.api.filters import FILTERS, message_filter
from mooring.api.paths import segment
from mooring.api.pieces import Base64Url
from mooring.api.queries import MAX_LIMIT, Query, query_of
from mooring.api.services import MailboxService
from mooring.errors import InvalidRequest
from mooring.grants import Grant
from mooring.mail import Message, MessageFilter


class Fields(StrEnum):
    """How much of a message is shown (``fields``)."""

    #: what a message always has
    STANDARD = "standard"
    #: and its headers, in their order
    INCLUDE_HEADERS = "include_headers"
    #: and those headers that make up a conversation
    INCLUDE_BASIC_HEADERS = "include_basic_headers"
    #: what is tracked of it; nothing ever is, so this is the standard
    INCLUDE_TRACKING_OPTIONS = "include_tracking_options"
    #: nothing but the bytes as the server has them
    RAW_MIME = "raw_mime"


RAW_LIMIT = 20
"""Messages on a page of whole MIME texts, each of which may have megabytes."""

_BASIC_HEADERS = frozenset({"message-id", "in-reply-to", "references"})

_REFUSED = ("search_query_native", "metadata_pair", "shared_from", "shared_folder_id")


@door(
    "GET",
    "/v3/grants/{identifier:str}/messages",
    answer=Listing[Message],
    query=(*FILTERS, "fields", "query_imap", "limit", "page_token", "select"),
    refused=_REFUSED,
)
async def list_messages(request: Req) -> ASGIResponse:
    """List messages, newest first; without `in`, those of the inbox as long as nothing is stored."""
    grant = await grant_of(request)
    query = query_of(request)
    fields = _fields(query)
    mailbox = services_of(request).mailbox
    page = await mailbox.messages(
        grant,
        _wanted(query),
        limit=query.limit(most=RAW_LIMIT if fields is Fields.RAW_MIME else MAX_LIMIT),
        cursor=query.page_token(),
    )
    data = selected(await _shown(mailbox, grant, page.messages, fields), query.select())
    return listing(request, data, next_cursor=page.next_cursor, synced_at=page.synced_at)


@door(
    "GET",
    "/v3/grants/{identifier:str}/messages/{message_id:str}",
    answer=Single[Message],
    query=("fields", "select"),
)
async def find_message(request: Req) -> ASGIResponse:
    """Find a message."""
    grant = await grant_of(request)
    query = query_of(request)
    message_id = segment(request, "message_id")
    mailbox = services_of(request).mailbox
    fields = _fields(query)
    if fields is Fields.RAW_MIME:
        return single(request, await _raw(mailbox, grant, message_id))
    message: Any = await mailbox.message(grant, message_id)
    if fields in {Fields.INCLUDE_HEADERS, Fields.INCLUDE_BASIC_HEADERS}:
        message = _with_headers(message, await mailbox.headers(grant, message_id), fields)
    [shown] = selected([message], query.select())
    return single(request, shown)


def _wanted(query: Query) -> MessageFilter:
    if query.flag("query_imap"):
        raise InvalidRequest("'query_imap' is not supported.", hint="What is stored is kept in step with the server.")
    folders = query.many("in")
    if len(folders) > 1:
        raise InvalidRequest("'in' takes the id of one folder.")
    return message_filter(query, folder_id=folders[0] if folders else None)


def _fields(query: Query) -> Fields:
    return Fields(query.choice("fields", tuple(Fields), Fields.STANDARD))


async def _shown(mailbox: MailboxService, grant: Grant, messages: list[Message], fields: Fields) -> list[Any]:
    match fields:
        case Fields.RAW_MIME:
            return [await _raw(mailbox, grant, message.id) for message in messages]
        case Fields.INCLUDE_HEADERS | Fields.INCLUDE_BASIC_HEADERS:
            headers = await mailbox.headers_of(grant, messages)
            return [_with_headers(message, headers.get(message.id, []), fields) for message in messages]
        case _:
            return messages


async def _raw(mailbox: MailboxService, grant: Grant, message_id: str) -> dict[str, Any]:
    """These four fields and no other (contract 4.1.2)."""
    mime = Base64Url(await mailbox.raw(grant, message_id))
    return {"id": message_id, "grant_id": grant.id, "object": "message", "raw_mime": mime}


def _with_headers(message: Message, headers: list[tuple[str, str]], fields: Fields) -> dict[str, Any]:
    shown = [
        {"name": name, "value": value}
        for name, value in headers
        if fields is Fields.INCLUDE_HEADERS or name.lower() in _BASIC_HEADERS
    ]
    return {**fields_of(message), "headers": shown}


ROUTES = (list_messages, find_message)
