"""Folders: list and find; and labels, which no account here has."""

from litestar.response.base import ASGIResponse

from mooring.api.answers import encoded
from mooring.api.auth import v2_grant_of
from mooring.api.doors import Req, door, services_of
from mooring.api.paths import segment
from mooring.api.queries import query_of
from mooring.api.v2.listings import LISTING, window_of
from mooring.api.v2.objects import FolderView, folder_view
from mooring.api.v2.views import Count
from mooring.errors import NotFound


@door("GET", "/folders", answer=list[FolderView], query=LISTING)
async def list_folders(request: Req) -> ASGIResponse:
    """List the folders."""
    grant = await v2_grant_of(request)
    window = window_of(query_of(request))
    folders, synced_at = await services_of(request).mailbox.folders(grant)
    if window.view == "count":
        return encoded(Count(len(folders)), synced_at=synced_at)
    shown = folders[window.offset : window.offset + window.limit]
    return encoded([f.id if window.view == "ids" else folder_view(f) for f in shown], synced_at=synced_at)


@door("GET", "/folders/{folder_id:str}", answer=FolderView)
async def find_folder(request: Req) -> ASGIResponse:
    """Find a folder."""
    grant = await v2_grant_of(request)
    return encoded(folder_view(await services_of(request).mailbox.folder(grant, segment(request, "folder_id"))))


@door("GET", "/labels", answer=list[FolderView])
async def list_labels(request: Req) -> ASGIResponse:
    """Say that the account has no labels: its `organization_unit` is `folder`."""
    await v2_grant_of(request)
    raise _no_labels()


@door("GET", "/labels/{label_id:str}", answer=FolderView)
async def find_label(request: Req) -> ASGIResponse:
    """Say that the account has no labels."""
    await v2_grant_of(request)
    raise _no_labels()


def _no_labels() -> NotFound:
    return NotFound("This account has folders, and no labels.", hint="GET /folders lists them.")


ROUTES = (list_folders, find_folder, list_labels, find_label)
