"""From LIST to folders, and the order in which they are looked at."""

from collections.abc import Iterable

import pytest

from mooring.mail import Folder, SpecialUse, find_special, folder_id, folders_of
from mooring.protocols.imap import ListedMailbox
from mooring.sync.folders import in_order, special_use


def listed(name: str, *attributes: str, wire: bytes = b"", delimiter: str | None = "/") -> ListedMailbox:
    return ListedMailbox(name, wire or name.encode(), delimiter, frozenset(attributes))


def by_path(mailboxes: Iterable[ListedMailbox]) -> dict[str, Folder]:
    return {folder.path: folder for folder in folders_of("g", mailboxes)}


def test_what_is_listed_is_kept() -> None:
    (folder,) = folders_of("g", [listed("Projekte/Häfen", "\\HasNoChildren", wire=b"Projekte/H&AOQ-fen")])
    assert (folder.id, folder.wire_name) == (folder_id("g", b"Projekte/H&AOQ-fen"), b"Projekte/H&AOQ-fen")
    assert (folder.path, folder.name, folder.delimiter) == ("Projekte/Häfen", "Häfen", "/")
    assert folder.attributes == ("\\HasNoChildren",)
    assert folder.selectable


@pytest.mark.parametrize("attribute", ["\\Noselect", "\\NonExistent"])
def test_a_level_of_the_tree_is_no_folder_to_look_into(attribute: str) -> None:
    (folder,) = folders_of("g", [listed("Trash", attribute)])
    assert not folder.selectable
    assert SpecialUse.TRASH not in folder.attributes


def test_a_flat_name_has_no_levels() -> None:
    (folder,) = folders_of("g", [listed("a/b.c", delimiter=None)])
    assert (folder.name, folder.delimiter) == ("a/b.c", "")


@pytest.mark.parametrize("name", ["INBOX", "Inbox", "inbox"])
def test_the_inbox_is_the_inbox_in_any_spelling(name: str) -> None:
    folders = folders_of("g", [listed("Other"), listed(name)])
    found = find_special(folders, SpecialUse.INBOX)
    assert found is not None
    assert (found.path, found.id) == (name, folder_id("g", b"INBOX"))


def test_a_folder_below_the_inbox_is_not_the_inbox() -> None:
    folders = by_path([listed("INBOX"), listed("INBOX/INBOX")])
    assert SpecialUse.INBOX not in folders["INBOX/INBOX"].attributes


def test_what_the_server_marks_is_not_guessed() -> None:
    folders = by_path([listed("Gesendet", "\\Sent"), listed("Sent"), listed("Trash")])
    assert special_use(folders["Gesendet"]) is SpecialUse.SENT
    assert folders["Sent"].attributes == ()
    assert special_use(folders["Trash"]) is SpecialUse.TRASH


def test_of_two_folders_of_one_use_the_first_is_guessed() -> None:
    folders = by_path([listed("Sent Items"), listed("Sent"), listed("INBOX.Spam", delimiter="."), listed("Junk")])
    assert [path for path, f in folders.items() if SpecialUse.SENT in f.attributes] == ["Sent Items"]
    assert [path for path, f in folders.items() if SpecialUse.JUNK in f.attributes] == ["INBOX.Spam"]


def test_nothing_is_found_where_nothing_is() -> None:
    assert find_special([], SpecialUse.SENT) is None
    assert find_special(folders_of("g", [listed("INBOX")]), SpecialUse.SENT) is None


def test_what_people_ask_for_first_is_looked_at_first() -> None:
    names = [
        listed("Junk"), listed("Zebra"), listed("Trash"), listed("All", "\\All"), listed("Archive"), listed("Drafts"),
        listed("Sent"), listed("INBOX"), listed("Apple"), listed("Important", "\\Important"),
    ]  # fmt: skip
    assert [folder.path for folder in in_order(folders_of("g", names))] == [
        "INBOX", "Sent", "Apple", "Important", "Zebra", "Drafts", "Archive", "All", "Trash", "Junk",
    ]  # fmt: skip
