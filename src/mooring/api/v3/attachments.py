"""Attachments: what they are, and their bytes; at their own path and at the older one below the message."""

from litestar.response.base import ASGIResponse

from mooring.api.answers import Single, single
from mooring.api.auth import grant_of
from mooring.api.doors import Req, door, services_of
from mooring.api.downloads import download
from mooring.api.paths import segment
from mooring.api.queries import query_of
from mooring.api.v3.views import AttachmentView, attachment_view

_BYTES = "application/octet-stream"


@door(
    "GET",
    "/v3/grants/{identifier:str}/attachments/{attachment_id:str}",
    answer=Single[AttachmentView],
    query=("message_id",),
)
async def find_attachment(request: Req) -> ASGIResponse:
    """Find an attachment of a message."""
    return await _find(request, query_of(request).required("message_id"))


@door(
    "GET",
    "/v3/grants/{identifier:str}/attachments/{attachment_id:str}/download",
    answer=_BYTES,
    query=("message_id",),
)
async def download_attachment(request: Req) -> ASGIResponse:
    """Download an attachment of a message."""
    return await _download(request, query_of(request).required("message_id"))


@door(
    "GET",
    "/v3/grants/{identifier:str}/messages/{message_id:str}/attachments/{attachment_id:str}",
    answer=Single[AttachmentView],
)
async def find_attachment_of_message(request: Req) -> ASGIResponse:
    """Find an attachment, at its older path."""
    return await _find(request, segment(request, "message_id"))


@door(
    "GET",
    "/v3/grants/{identifier:str}/messages/{message_id:str}/attachments/{attachment_id:str}/download",
    answer=_BYTES,
)
async def download_attachment_of_message(request: Req) -> ASGIResponse:
    """Download an attachment, at its older path."""
    return await _download(request, segment(request, "message_id"))


async def _find(request: Req, message_id: str) -> ASGIResponse:
    grant = await grant_of(request)
    attachment, _ = await services_of(request).mailbox.attachment(grant, message_id, segment(request, "attachment_id"))
    return single(request, attachment_view(grant, message_id, attachment))


async def _download(request: Req, message_id: str) -> ASGIResponse:
    grant = await grant_of(request)
    attachment, content = await services_of(request).mailbox.attachment(
        grant, message_id, segment(request, "attachment_id")
    )
    return download(attachment, content)


ROUTES = (find_attachment, download_attachment, find_attachment_of_message, download_attachment_of_message)
