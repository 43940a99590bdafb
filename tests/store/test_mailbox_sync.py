"""A held mailbox: passes over all folders, the inbox as it changes, and one folder's trouble, which is its own."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from mooring.store import Database
from tests.mailhost import Account, Box
from tests.store.calendar_grants import claim
from tests.store.held import Held, held_by
from tests.store.mailboxes import mail
from tests.waiting import until_async

PLAIN = frozenset[str]()
CONDSTORE = frozenset({"CONDSTORE"})
QRESYNC = frozenset({"CONDSTORE", "QRESYNC", "ENABLE", "IDLE"})
every_server = pytest.mark.parametrize(
    "capabilities", [PLAIN, CONDSTORE, QRESYNC], ids=["plain", "condstore", "qresync"]
)


@pytest.fixture
async def held(database: Database, tmp_path: Path) -> Held:
    return await held_by(database, tmp_path)


ALL = sorted(str(n) for n in (10, 11, 12, 20, 21, 22, 30, 31, 32))


async def test_all_folders_are_copied_without_news(held: Held) -> None:
    async with held.running():
        assert sorted(await held.stored.subjects()) == ALL
    assert await held.stored.facts() == []
    assert [kind for kind, _ in await held.stored.health()] == ["grant.imap_sync_completed"]
    assert all(folder.complete_at for folder in await held.stored.writer.folders())


@every_server
async def test_a_message_that_moves_keeps_its_id(held: Held, capabilities: frozenset[str]) -> None:
    held.account.capabilities = capabilities
    async with held.running():
        for source, target, number in (("INBOX", "Archive", 10), ("Odd", "INBOX", 31), ("Archive", "Odd", 22)):
            before = await held.message(number)
            box = held.account.boxes[source]
            uid = next(uid for uid, letter in box.letters.items() if letter.raw == mail(number))
            held.account.boxes[target].deliver(box.expunge(uid).raw)
            await held.look_again()
            after = await held.message(number)
            assert before is not None
            assert after is not None
            assert after.id == before.id
            assert after.folders == [held.stored.place(target)]
        await held.look_again(2)
        assert sorted(await held.stored.subjects()) == ALL
    assert {kind for kind, _ in await held.stored.facts()} == {"message.updated"}


@every_server
async def test_what_is_expunged_anywhere_is_gone_after_two_passes(held: Held, capabilities: frozenset[str]) -> None:
    held.account.capabilities = capabilities
    async with held.running():
        for name in held.account.boxes:
            held.account.boxes[name].expunge(2)
        await held.look_again(2)
        assert sorted(await held.stored.subjects()) == [n for n in ALL if n[-1] != "1"]
        deleted = {identity for kind, identity in await held.stored.facts() if kind == "message.deleted"}
        assert deleted == {held.stored.id_of(mail(n)) for n in (11, 21, 31)}


@every_server
async def test_flags_are_followed_in_every_folder(held: Held, capabilities: frozenset[str]) -> None:
    held.account.capabilities = capabilities
    async with held.running():
        for name in held.account.boxes:
            held.account.boxes[name].flag(1, "\\Seen")
        await held.look_again()
        assert sorted(await held.stored.subjects(unread=False)) == ["10", "20", "30"]


@every_server
async def test_folders_in_which_nothing_happened_are_left_alone(held: Held, capabilities: frozenset[str]) -> None:
    held.account.capabilities = capabilities
    async with held.running():
        await held.look_again()
        held.account.commands.clear()
        await held.look_again(3)
        assert {command.split()[1].strip('"') for command in held.account.heard("EXAMINE")} == {"INBOX"}


async def test_news_of_an_idle_inbox_comes_at_once(held: Held) -> None:
    held.account.capabilities = QRESYNC
    async with held.running():
        held.account.inbox.deliver(mail(13))

        async def announced() -> bool:
            held.account.ring()
            return await held.message(13) is not None

        await until_async(announced, what="the news is stored")
    assert ("message.created", held.stored.id_of(mail(13))) in await held.stored.facts()


async def test_an_inbox_into_which_mail_pours_is_looked_at_now_and_then(held: Held) -> None:
    held.account.capabilities = QRESYNC
    numbers = range(40, 80)

    async def is_here(number: int) -> bool:
        held.account.ring()
        return await held.message(number) is not None

    async with held.running():
        held.account.commands.clear()
        for number in numbers:
            held.account.inbox.deliver(mail(number))
            await held.stored.count("messages")  # as long as a little work takes
            held.account.ring()
        await until_async(lambda: is_here(numbers[-1]), what="the last one is here")
        assert len(held.account.heard("EXAMINE")) < len(numbers) / 2
    created = {identity for kind, identity in await held.stored.facts() if kind == "message.created"}
    assert created == {held.stored.id_of(mail(number)) for number in numbers}


@pytest.mark.parametrize("refused", ["STATUS Odd", "EXAMINE Odd"])
async def test_a_folder_that_is_refused_keeps_no_other_from_being_read(held: Held, refused: str) -> None:
    held.account.refuses = {refused}
    async with held.running():
        assert sorted(await held.stored.subjects()) == ALL[:6]
        error = await held.folder_error("Odd")
        assert error is not None
        assert error["server_said"] == "NO [NOPERM] not for you"
        assert await held.failed() is None
        held.account.refuses = set()
        await held.look_again()
        assert sorted(await held.stored.subjects()) == ALL
        assert await held.folder_error("Odd") is None


@every_server
@pytest.mark.parametrize("refused", ["STATUS Odd", "EXAMINE Odd"])
async def test_nothing_is_taken_for_gone_while_a_folder_cannot_be_read(
    held: Held, refused: str, capabilities: frozenset[str]
) -> None:
    held.account.capabilities = capabilities
    async with held.running():
        held.account.refuses = {refused}
        held.account.boxes["Odd"].deliver(held.account.inbox.expunge(1).raw)
        await held.look_again(3)
        assert await held.message(10) is not None
        held.account.refuses = set()
        await held.look_again(2)
        found = await held.message(10)
        assert found is not None
        assert found.folders == [held.stored.place("Odd")]
        assert await held.folder_error("Odd") is None


@every_server
@pytest.mark.parametrize("refused", ["STATUS Odd", "EXAMINE Odd"])
async def test_a_folder_that_was_never_open_to_us_keeps_nothing_from_being_deleted(
    held: Held, refused: str, capabilities: frozenset[str]
) -> None:
    held.account.capabilities = capabilities
    held.account.refuses = {refused}
    async with held.running():
        held.account.inbox.expunge(1)
        await held.look_again(3)
        assert await held.message(10) is None
    assert ("message.deleted", held.stored.id_of(mail(10))) in await held.stored.facts()


@every_server
async def test_a_refusal_is_forgotten_once_the_folder_can_be_read(held: Held, capabilities: frozenset[str]) -> None:
    held.account.capabilities = capabilities
    async with held.running():
        held.account.refuses = {"STATUS Odd"}
        await held.look_again()
        assert await held.folder_error("Odd") is not None
        held.account.refuses = set()
        await held.look_again()
        assert await held.folder_error("Odd") is None


@every_server
async def test_another_user_whose_mailbox_has_the_same_counters_keeps_nothing_of_the_first(
    held: Held, capabilities: frozenset[str]
) -> None:
    held.account.capabilities = capabilities
    async with held.running():
        pass
    other = Account(boxes={name: Box() for name in held.account.boxes}, capabilities=capabilities)
    for name, first in (("INBOX", 10), ("Archive", 60), ("Odd", 70)):
        for number in range(first, first + 3):
            other.boxes[name].deliver(mail(number))
    moved = held.moved_to(other, username="bob")
    async with moved.running():
        await moved.look_again(2)
        assert sorted(await held.stored.subjects()) == sorted(str(n) for n in (10, 11, 12, 60, 61, 62, 70, 71, 72))
    gone = {("message.deleted", held.stored.id_of(mail(n))) for n in (20, 21, 22, 30, 31, 32)}
    assert set(await held.stored.facts()) == gone
    gaps = [data["reason"] for kind, data in await held.stored.health() if kind == "sync.gap"]
    assert gaps == ["mailbox"] * 3


@every_server
async def test_the_same_mailbox_under_another_name_of_its_server_is_compared_and_nothing_happens(
    held: Held, capabilities: frozenset[str]
) -> None:
    held.account.capabilities = capabilities
    async with held.running():
        before = {m.id: (m.thread_id, sorted(m.folders)) for m in await held.stored.page()}
    moved = held.moved_to(held.account, host="mail.example.com")
    async with moved.running():
        await moved.look_again(2)
        assert {m.id: (m.thread_id, sorted(m.folders)) for m in await held.stored.page()} == before
    assert await held.stored.facts() == []
    assert {folder.origin for folder in await held.stored.writer.folders()} == {"ann at mail.example.com"}


async def test_a_folder_that_is_only_a_parent_any_more_holds_nothing(held: Held) -> None:
    async with held.running():
        await until_async(held.is_synced)
        box = held.account.boxes["Archive"]
        box.attributes = "\\Noselect"
        await held.look_again(2)
        assert await held.message(20) is None
        folder = await held.stored.folder("Archive")
        assert (folder.selectable, folder.complete_at) == (False, None)
        box.attributes = ""
        await held.look_again(2)
        assert await held.message(20) is not None


async def test_a_server_that_lists_nothing_has_not_lost_everything(held: Held) -> None:
    async with held.running():
        held.account.boxes, boxes = {}, held.account.boxes

        async def failed() -> dict[str, Any] | None:
            held.sync.look()
            return await held.failed()

        error = await until_async(failed, timeout_s=20, what="the second session fails, too, and that is written")
        assert (error or {})["stage"] == "list"
        assert sorted(await held.stored.subjects()) == ALL
        held.account.boxes = boxes


@pytest.mark.parametrize("deleted", [False, True])
async def test_it_ends_when_the_lease_is_lost_or_the_grant_gone(held: Held, deleted: bool) -> None:
    async with held.running() as task:
        if deleted:
            await held.stored.db.execute("DELETE FROM leases")
            await held.stored.db.execute("DELETE FROM grants")
        else:
            await claim(held.stored.db, held.stored.grant)
        held.account.inbox.deliver(mail(99))

        async def ended() -> bool:
            held.sync.look()
            return task.done()

        await until_async(ended, what="it ended")
        assert await task is None
        assert deleted or await held.message(99) is None


@every_server
async def test_a_message_that_is_refused_comes_as_soon_as_it_is_due_and_given(
    held: Held, capabilities: frozenset[str]
) -> None:
    held.account.capabilities = capabilities
    held.account.denies = {2}
    async with held.running():
        assert sorted(await held.stored.subjects()) == [n for n in ALL if n[-1] != "1"]
        assert all(folder.complete_at for folder in await held.stored.writer.folders())
        held.account.commands.clear()
        await held.look_again(2)
        assert not [command for command in held.account.heard("UID FETCH") if "BODY" in command]
        held.account.denies = set()
        await held.stored.db.execute("UPDATE passed_over SET again_at = now()")
        await held.look_again()
        assert sorted(await held.stored.subjects()) == ALL
        assert await held.stored.count("passed_over") == 0
    assert await held.stored.facts() == []


async def test_a_message_at_which_the_server_hangs_up_costs_only_itself(held: Held) -> None:
    held.account.breaks_at = {held.account.inbox.deliver(mail(13))}
    task = asyncio.create_task(held.sync.run())
    await until_async(held.is_synced, timeout_s=60, what="all folders are in step, after three sessions")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert sorted(await held.stored.subjects()) == ALL
    assert await held.stored.count("passed_over") == 1
