"""Folders in the API's shape."""

import msgspec

from mooring.mail.types import Folder, SpecialUse

_SPECIAL = frozenset(str(use) for use in SpecialUse)


class FolderView(msgspec.Struct):
    """A folder; its name is the whole path, as an IMAP folder's is (contract 4.3).

    Attributes:
        unread_count, total_count: None as long as it is being copied: what is not known yet is not 0 (spec §6.9).
    """

    id: str
    grant_id: str
    name: str
    parent_id: str | None
    system_folder: bool
    child_count: int
    unread_count: int | None
    total_count: int | None
    attributes: list[str]
    object: str = "folder"


def folder_views(folders: list[Folder]) -> list[FolderView]:
    """The folders of one grant, each with the id of the one above it."""
    ids = {folder.path: folder.id for folder in folders}
    return [folder_view(folder, ids.get(_parent_path(folder))) for folder in folders]


def parent_of(folder: Folder, folders: list[Folder]) -> str | None:
    """The id of the folder above this one."""
    return next((above.id for above in folders if above.path == _parent_path(folder)), None)


def folder_view(folder: Folder, parent_id: str | None) -> FolderView:
    """One folder."""
    attributes = [a for a in folder.attributes if a in _SPECIAL]
    is_counted = folder.complete_at is not None or not folder.selectable
    return FolderView(
        id=folder.id,
        grant_id=folder.grant_id,
        name=folder.path,
        parent_id=parent_id,
        system_folder=bool(attributes),
        child_count=folder.child_count,
        unread_count=folder.unread_count if is_counted else None,
        total_count=folder.total_count if is_counted else None,
        attributes=attributes,
    )


def _parent_path(folder: Folder) -> str:
    return folder.path.rpartition(folder.delimiter)[0] if folder.delimiter else ""
