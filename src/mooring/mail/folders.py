"""From what LIST says to folders, and what each of them is for."""

from collections.abc import Iterable
from dataclasses import replace

from mooring.mail.identity import folder_id
from mooring.mail.types import Folder, SpecialUse
from mooring.protocols.imap import ListedMailbox

_BY_NAME = {
    "sent": SpecialUse.SENT,
    "sent items": SpecialUse.SENT,
    "sent messages": SpecialUse.SENT,
    "drafts": SpecialUse.DRAFTS,
    "trash": SpecialUse.TRASH,
    "deleted items": SpecialUse.TRASH,
    "deleted messages": SpecialUse.TRASH,
    "junk": SpecialUse.JUNK,
    "junk e-mail": SpecialUse.JUNK,
    "spam": SpecialUse.JUNK,
    "archive": SpecialUse.ARCHIVE,
}
"""Names that servers without SPECIAL-USE (RFC 6154) are mostly set up with."""


def folders_of(grant_id: str, listed: Iterable[ListedMailbox]) -> list[Folder]:
    """All listed mailboxes as folders. Where the server marks no folder for a use, its name decides."""
    folders = [_folder_of(grant_id, mailbox) for mailbox in listed]
    marked = {attribute for folder in folders for attribute in folder.attributes}
    return [_with_guess(folder, marked) for folder in folders]


def find_special(folders: Iterable[Folder], use: SpecialUse) -> Folder | None:
    """The folder for this use."""
    return next((folder for folder in folders if use in folder.attributes), None)


def _folder_of(grant_id: str, listed: ListedMailbox) -> Folder:
    return Folder(
        grant_id=grant_id,
        id=folder_id(grant_id, listed.wire),
        path=listed.name,
        wire_name=listed.wire,
        delimiter=listed.delimiter or "",
        attributes=tuple(sorted(_attributes(listed))),
        selectable=listed.is_selectable,
    )


def _attributes(listed: ListedMailbox) -> set[str]:
    attributes = {str(attribute) for attribute in listed.attributes}
    if listed.name.upper() == "INBOX":
        attributes.add(SpecialUse.INBOX)
    return attributes


def _with_guess(folder: Folder, marked: set[str]) -> Folder:
    guess = _BY_NAME.get(folder.name.casefold())
    if guess is None or guess in marked or not folder.selectable:
        return folder
    marked.add(guess)
    return replace(folder, attributes=tuple(sorted({*folder.attributes, guess})))
