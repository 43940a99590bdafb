"""Files: the attachments of messages, each by itself."""

import msgspec
from litestar.response.base import ASGIResponse

from mooring.api.answers import encoded
from mooring.api.auth import v2_grant_of
from mooring.api.doors import Req, door, services_of
from mooring.api.downloads import download
from mooring.api.paths import segment
from mooring.api.queries import query_of
from mooring.api.v2.listings import LISTING, window_of
from mooring.api.v2.objects import FileView, file_view, read_file_id
from mooring.api.v2.views import Count
from mooring.errors import NotFound
from mooring.mail import Attachment, File, FileFilter

_FILTERS = ("message_id", "filename", "content_type")


@door("GET", "/files", answer=list[FileView], query=(*_FILTERS, *LISTING))
async def list_files(request: Req) -> ASGIResponse:
    """List attachments, those of the newest messages first; with `view=count` how many there are."""
    grant = await v2_grant_of(request)
    offsets, query = services_of(request).offsets, query_of(request)
    window = window_of(query)
    wanted = FileFilter(query.text("message_id"), query.text("filename"), query.text("content_type"))
    if window.view == "count":
        return encoded(Count(await offsets.count_files(grant, wanted)))
    found = await offsets.files(grant, wanted, limit=window.limit, offset=window.offset)
    shown = [file_view(grant.id, file) for file in found]
    return encoded([file.id for file in shown] if window.view == "ids" else shown)


@door("GET", "/files/{file_id:str}", answer=FileView)
async def find_file(request: Req) -> ASGIResponse:
    """Find an attachment."""
    grant = await v2_grant_of(request)
    file = segment(request, "file_id")
    message_id, attachment_id = _named(file)
    message = await services_of(request).mailbox.message(grant, message_id)
    known = msgspec.json.decode(message.attachments, type=list[Attachment])
    attachment = next((a for a in known if a.id == attachment_id), None)
    if attachment is None:
        raise _unknown(file)
    return encoded(file_view(grant.id, File(message_id, attachment)))


@door("GET", "/files/{file_id:str}/download", answer="application/octet-stream")
async def download_file(request: Req) -> ASGIResponse:
    """Download an attachment."""
    grant = await v2_grant_of(request)
    message_id, attachment_id = _named(segment(request, "file_id"))
    return download(*await services_of(request).mailbox.attachment(grant, message_id, attachment_id))


def _named(file: str) -> tuple[str, str]:
    message_id, attachment_id = read_file_id(file)
    if not message_id:
        raise _unknown(file)
    return message_id, attachment_id


def _unknown(file: str) -> NotFound:
    return NotFound(f"This account has no file {file[:100]!r}.", hint="GET /files lists them.")


ROUTES = (list_files, find_file, download_file)
