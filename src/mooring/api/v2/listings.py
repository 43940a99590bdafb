"""What every list of v2 has: a window by offset, views of it (contract 6.6), and folders by any of their names."""

from collections.abc import Sequence
from dataclasses import dataclass

from mooring.api.filters import FILTERS, message_filter
from mooring.api.queries import Query
from mooring.api.v2.objects import role_of
from mooring.errors import NotFound
from mooring.mail import Folder, MessageFilter

LISTING = ("view", "limit", "offset")
"""Query parameters of every list."""

MAX_PAGE = 100
"""Objects at once (contract 6.6)."""

MESSAGE_FILTERS = (*FILTERS, "folder_id", "label_id", "filename")
"""Query parameters that choose messages; going down from a folder the Python SDK says ``folder_id`` for ``in``."""

_FOLDER_NAMES = ("in", "folder_id", "label_id")


@dataclass(frozen=True, slots=True)
class Window:
    """Which part of a list is asked for, and how it is to be shown.

    Attributes:
        view: ``ids``, ``count``, ``expanded``, or "" for what is shown when nothing is said.
    """

    view: str
    limit: int
    offset: int


def window_of(query: Query) -> Window:
    """The window that a query asks for."""
    view = query.choice("view", ("ids", "count", "expanded"), "expanded") if query.text("view") else ""
    return Window(view, query.limit(most=MAX_PAGE), query.offset())


def wanted_messages(query: Query, folders: Sequence[Folder]) -> MessageFilter:
    """The messages that a query asks for.

    Raises:
        InvalidRequest: a value cannot be meant.
        NotFound: there is no such folder.
    """
    named = next((text for name in _FOLDER_NAMES if (text := query.text(name))), None)
    return message_filter(
        query, folder_id=_folder_id(named, folders) if named else None, filename=query.text("filename")
    )


def _folder_id(named: str, folders: Sequence[Folder]) -> str:
    """v2 names a folder by its id, its role or its name."""
    for folder in folders:
        if named in {folder.id, folder.path} or named.lower() == role_of(folder):
            return folder.id
    raise NotFound(f"There is no folder {named[:100]!r}.")
