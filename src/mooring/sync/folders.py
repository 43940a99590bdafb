"""In which order folders are looked at."""

from collections.abc import Iterable

from mooring.mail import Folder, SpecialUse

_ORDER = (
    SpecialUse.INBOX,
    SpecialUse.SENT,
    None,
    SpecialUse.DRAFTS,
    SpecialUse.ARCHIVE,
    SpecialUse.ALL,
    SpecialUse.TRASH,
    SpecialUse.JUNK,
)
"""What people ask for first is looked at first; None stands for folders of no special use."""


def in_order(folders: Iterable[Folder]) -> list[Folder]:
    """The folders, those first that people ask for first."""
    return sorted(folders, key=lambda folder: (_ORDER.index(special_use(folder)), folder.path))


def special_use(folder: Folder) -> SpecialUse | None:
    """What the folder is for, if it is one of the uses that have a place in the order."""
    return next((use for use in _ORDER if use is not None and use in folder.attributes), None)
