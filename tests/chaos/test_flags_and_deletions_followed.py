"""What other clients do to a mailbox, while Mooring looks and while it does not: flags, moves, copies, folders."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.lab.dovecot import Dovecot
from tests.lab.laboratory import Laboratory
from tests.lab.mails import mails
from tests.looking import facts, look_again
from tests.running import Running
from tests.waiting import until

SOON_S = 15
"""Seconds in which a change of the inbox must be seen, which IDLE tells of; the poll alone would take 30."""


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A mailbox in step, and what an administrator does to it."""

    mooring: Running
    dovecot: Dovecot
    user: str
    grant: str

    def put(self, folder: str, seed: int, count: int = 1) -> tuple[list[int], list[str]]:
        """New messages in a folder: their UIDs, and the ids under which Mooring has them."""
        new = list(mails(count, seed=seed))
        uids = self.dovecot.append_many(self.user, folder, new)
        if folder != "INBOX":
            look_again(self.mooring, self.grant)
        wanted = [mail.message_id for mail in new]

        def ids() -> list[str] | None:
            known = {
                row["message_id_header"]: row["id"]
                for row in self.mooring.rows(
                    "SELECT id, message_id_header FROM messages WHERE grant_id = $1", self.grant
                )
            }
            return [known[w.strip("<>")] for w in wanted] if all(w.strip("<>") in known for w in wanted) else None

        return uids, until(ids, timeout_s=SOON_S, what="new messages are stored")

    def find(self, message: str) -> dict[str, Any]:
        return self.mooring.get(f"/v3/grants/{self.grant}/messages/{message}")

    def folder(self, name: str) -> str:
        return self.mooring.folders(self.grant)[name]["id"]

    def soon(self, condition: Callable[[], bool], what: str) -> None:
        until(condition, timeout_s=SOON_S, what=what)

    def told(self, message: str) -> list[str]:
        """The types of all facts about this message."""
        return sorted(kind for kind, identity in facts(self.mooring, self.grant) if identity == message)


@pytest.fixture(scope="module")
def mailbox(mooring: Running, lab: Laboratory) -> Mailbox:
    user = lab.user("followed")
    for folder in ("Anfang", "Ende"):
        lab.dovecot.create(user.address, folder)
    lab.dovecot.append_many(user.address, "INBOX", mails(30, seed=40))
    grant = mooring.connect_to_read(user)
    mooring.synced(grant)
    return Mailbox(mooring, lab.dovecot, user.address, grant)


def test_flags_are_followed(mailbox: Mailbox) -> None:
    for folder in ("INBOX", "Ende"):
        (uid,), (message,) = mailbox.put(folder, seed=41 if folder == "INBOX" else 42)
        for flags, unread, starred in (
            (("\\Seen", "\\Flagged"), False, True),
            ((), True, False),
            (("\\Flagged",), True, True),
        ):
            mailbox.dovecot.set_flags(mailbox.user, folder, [uid], flags)
            if folder != "INBOX":
                look_again(mailbox.mooring, mailbox.grant)

            def is_so(message: str = message, unread: bool = unread, starred: bool = starred) -> bool:
                data = mailbox.find(message)["data"]
                return (data["unread"], data["starred"]) == (unread, starred)

            mailbox.soon(is_so, f"{flags} in {folder} are seen")
        assert mailbox.told(message) == ["message.created", "message.updated"]


def test_an_expunged_message_is_gone_for_good(mailbox: Mailbox) -> None:
    uids, (gone, stays) = mailbox.put("INBOX", seed=43, count=2)
    mailbox.dovecot.expunge(mailbox.user, "INBOX", uids[:1])
    mailbox.soon(lambda: "error" in mailbox.find(gone), "the expunged message is gone")
    assert mailbox.find(gone)["error"]["type"] == "api.not_found_error"
    assert mailbox.told(gone)[-2:] == ["message.deleted", "message.updated"]
    assert gone not in {m["id"] for m in mailbox.mooring.listed(mailbox.grant)}
    assert mailbox.find(stays)["data"]["id"] == stays


def test_a_moved_message_keeps_its_id_and_is_one(mailbox: Mailbox) -> None:
    (uid,), (message,) = mailbox.put("INBOX", seed=44)
    thread = mailbox.find(message)["data"]["thread_id"]
    mailbox.dovecot.move(mailbox.user, "INBOX", [uid], "Ende")
    ende = mailbox.folder("Ende")
    mailbox.soon(lambda: mailbox.find(message)["data"]["folders"] == [ende], "it is in the other folder")
    assert mailbox.find(message)["data"]["thread_id"] == thread
    assert [m["id"] for m in mailbox.mooring.listed(mailbox.grant)].count(message) == 1
    assert mailbox.told(message) == ["message.created", "message.updated"]


def test_moves_at_any_moment_are_never_told_as_deletions(mailbox: Mailbox) -> None:
    _, messages = mailbox.put("Anfang", seed=45, count=12)
    chance, places = random.Random(45), ["INBOX", "Anfang", "Ende"]
    where = dict.fromkeys((mail.message_id for mail in mails(12, seed=45)), "Anfang")
    # In turn: a message that is moved twice within one look, each time behind our back, is not told from a new one.
    for name in [*where] * 3:
        to = chance.choice([place for place in places if place != where[name]])
        mailbox.dovecot.doveadm(
            "move", "-u", mailbox.user, to, "mailbox", where[name], "header", "Message-ID", name.strip("<>")
        )
        where[name] = to
        mailbox.mooring.rows("UPDATE leases SET nudges = nudges + 1 WHERE subject = $1", mailbox.grant)
    look_again(mailbox.mooring, mailbox.grant)
    ids = dict(zip(where, messages, strict=True))
    folders = {name: folder["id"] for name, folder in mailbox.mooring.folders(mailbox.grant).items()}
    for name, place in where.items():
        assert mailbox.find(ids[name])["data"]["folders"] == [folders[place]]
    told = facts(mailbox.mooring, mailbox.grant)
    assert not {identity for kind, identity in told if kind == "message.deleted"} & set(messages)


def test_a_copied_message_is_one_in_two_folders(mailbox: Mailbox) -> None:
    (uid,), (message,) = mailbox.put("INBOX", seed=46)
    inbox, anfang = mailbox.folder("INBOX"), mailbox.folder("Anfang")
    mailbox.dovecot.copy(mailbox.user, "INBOX", [uid], "Anfang")
    look_again(mailbox.mooring, mailbox.grant)
    assert set(mailbox.find(message)["data"]["folders"]) == {inbox, anfang}
    for folder in (inbox, anfang):
        listed = mailbox.mooring.listed(mailbox.grant, **{"in": folder})
        assert [m["id"] for m in listed].count(message) == 1
    mailbox.dovecot.expunge(mailbox.user, "INBOX", [uid])
    mailbox.soon(lambda: mailbox.find(message)["data"]["folders"] == [anfang], "only the copy is left")
    look_again(mailbox.mooring, mailbox.grant)
    assert mailbox.find(message)["data"]["folders"] == [anfang]


def test_folders_are_made_renamed_and_deleted(mailbox: Mailbox) -> None:
    mailbox.dovecot.create(mailbox.user, "Neu")
    _, messages = mailbox.put("Neu", seed=47, count=5)
    neu = mailbox.folder("Neu")
    mailbox.dovecot.rename(mailbox.user, "Neu", "Anders")
    look_again(mailbox.mooring, mailbox.grant)
    folders = mailbox.mooring.folders(mailbox.grant)
    assert "Neu" not in folders
    anders = folders["Anders"]["id"]
    assert {m["id"] for m in mailbox.mooring.listed(mailbox.grant, **{"in": anders})} == set(messages)
    mailbox.dovecot.delete(mailbox.user, "Anders")
    look_again(mailbox.mooring, mailbox.grant)
    assert "Anders" not in mailbox.mooring.folders(mailbox.grant)
    assert not set(messages) & {m["id"] for m in mailbox.mooring.listed(mailbox.grant)}
    assert {
        ("folder.created", neu),
        ("folder.deleted", neu),
        ("folder.created", anders),
        ("folder.deleted", anders),
    } <= (facts(mailbox.mooring, mailbox.grant))
    answer = mailbox.mooring.get(f"/v3/grants/{mailbox.grant}/messages", **{"in": neu})
    assert answer["error"]["type"] == "api.invalid_request_error"
