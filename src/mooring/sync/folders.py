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
    """The folders: those that are followed, which is quick, then those to be filled, the most wanted first.

    So what has left a followed folder is known before a new one is searched for it.
    """
    return sorted(folders, key=lambda f: (f.complete_at is None, _ORDER.index(special_use(f)), f.path))


def special_use(folder: Folder) -> SpecialUse | None:
    """What the folder is for, if it is one of the uses that have a place in the order."""
    return next((use for use in _ORDER if use is not None and use in folder.attributes), None)
