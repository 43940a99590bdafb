"""Folders: list and find."""

from litestar.response.base import ASGIResponse

from mooring.api.answers import Listing, Single, listing, selected, single
from mooring.api.auth import grant_of
from mooring.api.doors import Req, door, services_of
from mooring.api.paths import segment
from mooring.api.queries import paged, query_of
from mooring.mail import FolderView, folder_view, folder_views, parent_of

_LIST = ("parent_id", "limit", "page_token", "select")
_REFUSED = ("include_hidden_folders", "single_level", "shared_from")


@door("GET", "/v3/grants/{identifier:str}/folders", answer=Listing[FolderView], query=_LIST, refused=_REFUSED)
async def list_folders(request: Req) -> ASGIResponse:
    """List the folders of a mailbox."""
    grant = await grant_of(request)
    query = query_of(request)
    folders, synced_at = await services_of(request).mailbox.folders(grant)
    views = folder_views(folders)
    if (parent := query.text("parent_id")) is not None:
        views = [v for v in views if v.parent_id == parent]
    page, cursor = paged(views, query)
    return listing(request, selected(page, query.select()), next_cursor=cursor, synced_at=synced_at)


@door(
    "GET",
    "/v3/grants/{identifier:str}/folders/{folder_id:str}",
    answer=Single[FolderView],
    query=("select",),
    refused=_REFUSED,
)
async def find_folder(request: Req) -> ASGIResponse:
    """Find a folder."""
    grant = await grant_of(request)
    mailbox = services_of(request).mailbox
    folder = await mailbox.folder(grant, segment(request, "folder_id"))
    folders, synced_at = await mailbox.folders(grant)
    [view] = selected([folder_view(folder, parent_of(folder, folders))], query_of(request).select())
    return single(request, view, synced_at=synced_at)


ROUTES = (list_folders, find_folder)
