"""The stored copy: one message however many places it has, facts that are true, and nothing by a stale holder."""

import random
import string
from pathlib import Path

import msgspec
import pytest

from mooring.errors import LostOwnership
from mooring.mail import Arrival
from mooring.mail.writer import pack_key
from mooring.store import Database
from tests.store.calendar_grants import claim
from tests.store.mailboxes import AT, Stored, mail, stored_mailbox

SEEN, FLAGGED = frozenset({"\\Seen"}), frozenset({"\\Flagged"})


@pytest.fixture
async def stored(database: Database, tmp_path: Path) -> Stored:
    return await stored_mailbox(database, tmp_path)


async def test_one_message_in_two_folders_is_one_message(stored: Stored) -> None:
    inbox, archive = await stored.folders("INBOX", "Archive")
    await stored.add(inbox, mail(1), flags=SEEN)
    await stored.add(archive, mail(1), mail(2))
    one = await stored.find(mail(1))
    assert one is not None
    assert sorted(one.folders) == sorted([inbox.id, archive.id])
    assert (one.unread, one.starred) == (False, False)
    assert await stored.count("messages") == 2
    assert await stored.reader.raw(stored.grant, stored.key, [one.id]) == {one.id: mail(1)}
    counts = {f.path: (f.total_count, f.unread_count) for f in await stored.reader.folders(stored.grant)}
    assert counts == {"INBOX": (1, 0), "Archive": (2, 2)}


async def test_flags_follow_from_all_places(stored: Stored) -> None:
    inbox, archive = await stored.folders("INBOX", "Archive")
    [here], [there] = await stored.add(inbox, mail(1)), await stored.add(archive, mail(1))

    async def state() -> tuple[bool, bool]:
        found = await stored.find(mail(1))
        assert found is not None
        return found.unread, found.starred

    assert await state() == (True, False)
    await stored.writer.change(archive, flags={there: SEEN | FLAGGED}, gone=[], announce=True)
    assert await state() == (False, True)
    await stored.writer.change(archive, flags={there: frozenset()}, gone=[], announce=True)
    assert await state() == (True, False)
    await stored.writer.change(inbox, flags={here: frozenset({"work", "\\Answered"})}, gone=[], announce=True)
    assert await state() == (True, False)
    assert await stored.writer.stored_flags(inbox) == {here: frozenset({"work", "\\Answered"})}
    assert await stored.facts() == [("message.updated", stored.id_of(mail(1)))] * 2


async def test_a_move_keeps_the_message(stored: Stored) -> None:
    inbox, archive = await stored.folders("INBOX", "Archive")
    [uid] = await stored.add(inbox, mail(1))
    before = await stored.find(mail(1))
    await stored.writer.change(inbox, flags={}, gone=[uid], announce=True)
    assert await stored.writer.homeless() == {stored.id_of(mail(1))}
    await stored.add(archive, mail(1), announce=True)
    await stored.sweep()
    after = await stored.find(mail(1))
    assert before is not None
    assert after is not None
    assert (after.id, after.thread_id, after.created_at) == (before.id, before.thread_id, before.created_at)
    assert after.folders == [archive.id]
    assert await stored.facts() == [("message.updated", after.id)] * 2


async def test_what_lies_nowhere_is_hidden_and_kept_until_the_sweep(stored: Stored) -> None:
    [inbox] = await stored.folders("INBOX")
    uid, other = await stored.add(inbox, mail(1), mail(2))
    await stored.writer.change(inbox, flags={}, gone=[uid], announce=True)
    assert await stored.subjects() == ["2"]
    assert await stored.subjects(folder_id=inbox.id) == ["2"]
    assert await stored.find(mail(1)) is not None
    await stored.writer.sweep(["of something else"])
    assert await stored.count("messages") == 2
    await stored.sweep()
    assert await stored.find(mail(1)) is None
    assert await stored.facts() == [
        ("message.updated", stored.id_of(mail(1))),
        ("message.deleted", stored.id_of(mail(1))),
    ]
    assert len(await stored.packs()) == 1
    await stored.writer.change(inbox, flags={}, gone=[other], announce=False)
    await stored.sweep()
    assert (await stored.packs(), await stored.count("packs"), await stored.count("placements")) == (set(), 0, 0)


async def test_history_is_not_announced_and_news_is_once(stored: Stored) -> None:
    inbox, archive = await stored.folders("INBOX", "Archive")
    await stored.add(inbox, mail(1))
    assert await stored.facts() == []
    await stored.add(inbox, mail(2), mail(2), mail(3), announce=True)
    await stored.add(archive, mail(1), mail(3), announce=True)
    ids = {n: stored.id_of(mail(n)) for n in (1, 2, 3)}
    facts = await stored.facts()
    assert [fact for fact in facts if fact[0] == "message.created"] == [
        ("message.created", ids[2]),
        ("message.created", ids[3]),
    ]
    assert {fact for fact in facts if fact[0] == "message.updated"} == {
        ("message.updated", ids[1]),
        ("message.updated", ids[3]),
    }


async def test_folders_come_and_go(stored: Stored) -> None:
    inbox, archive = await stored.folders("INBOX", "Archive")
    assert await stored.facts() == []
    await stored.add(archive, mail(1), mail(2))
    await stored.add(inbox, mail(2))
    [inbox, sent] = await stored.folders("INBOX", "Sent")
    assert await stored.facts() == [("folder.created", sent.id), ("folder.deleted", archive.id)]
    assert await stored.subjects() == ["2"]
    assert await stored.writer.homeless() == {stored.id_of(mail(1))}
    again = await stored.folders("INBOX", "Sent", "Archive")
    assert again[2].id == archive.id
    assert again[2].fetched_at is None


async def test_another_uidvalidity_keeps_ids_threads_and_what_was_fetched(stored: Stored) -> None:
    [inbox] = await stored.folders("INBOX")
    await stored.add(inbox, mail(1), mail(2, headers="References: <a@x>\r\n"))
    await stored.writer.mark(inbox, uid_next=3, highest_modseq=9, complete=True)
    before = {m.id: m.thread_id for m in await stored.page()}
    await stored.writer.reset(inbox, 77)
    inbox = await stored.folder()
    assert (inbox.uid_validity, inbox.uid_next, inbox.highest_modseq, inbox.complete_at) == (77, None, None, None)
    assert inbox.origin == "ann at imap.example.com"
    assert inbox.fetched_at is not None
    assert await stored.page() == []
    stored.uids = 500
    await stored.add(inbox, mail(2, headers="References: <a@x>\r\n"), mail(1))
    await stored.sweep()
    assert {m.id: m.thread_id for m in await stored.page()} == before
    assert await stored.facts() == []
    assert await stored.count("packs") == 1


async def test_what_was_read_is_marked(stored: Stored) -> None:
    [inbox] = await stored.folders("INBOX")
    assert (inbox.fetched_at, inbox.synced_at) == (None, None)
    await stored.writer.fail(inbox, {"reason": "refused"})
    assert (await stored.folder()).error == {"reason": "refused"}
    await stored.writer.mark(inbox, uid_next=7, highest_modseq=None, complete=False)
    marked = await stored.folder()
    assert (marked.error, marked.uid_next, marked.complete_at) == (None, 7, None)
    assert marked.fetched_at is not None
    await stored.writer.mark(inbox, uid_next=None, highest_modseq=5, complete=True)
    later = await stored.folder()
    assert (later.uid_next, later.highest_modseq, later.fetched_at) == (7, 5, marked.fetched_at)
    assert later.complete_at is not None


async def test_only_packs_without_a_row_are_removed_as_strays(stored: Stored) -> None:
    [inbox] = await stored.folders("INBOX")
    await stored.add(inbox, mail(1))
    await stored.add(inbox, mail(2))
    known = await stored.packs()
    await stored.objects.put(pack_key(stored.grant.id, "stray"), b"what a killed writer left")
    await stored.objects.put("grants/other/stray", b"somebody else's")
    await stored.writer.remove_strays()
    assert await stored.packs() == known
    assert len(known) == 2
    assert [info.key async for info in stored.objects.list("grants/other")] == ["grants/other/stray"]
    assert await stored.reader.raw(stored.grant, stored.key, [stored.id_of(mail(n)) for n in (1, 2)]) == {
        stored.id_of(mail(n)): mail(n) for n in (1, 2)
    }


async def test_a_stale_holder_writes_nothing(stored: Stored) -> None:
    inbox, archive = await stored.folders("INBOX", "Archive")
    [uid] = await stored.add(inbox, mail(1))
    await stored.writer.change(inbox, flags={}, gone=await stored.add(inbox, mail(2)), announce=False)
    await claim(stored.db, stored.grant)
    before = await stored.everything()
    await stored.objects.put(pack_key(stored.grant.id, "of-the-new-holder"), b"not committed yet")
    packs = await stored.packs()
    writer = stored.writer
    batch = await writer.prepare([Arrival(9, frozenset(), AT, mail(3))])
    known = await writer.prepare([Arrival(9, frozenset(), AT, mail(1))])
    for writing in (
        writer.add(inbox, known, announce=True),
        writer.set_folders([inbox]),
        writer.set_folders([]),
        writer.reset(inbox, 5),
        writer.change(inbox, flags={uid: SEEN}, gone=[], announce=True),
        writer.change(inbox, flags={}, gone=[uid], announce=True),
        writer.mark(archive, uid_next=1, highest_modseq=1, complete=True),
        writer.fail(inbox, {"reason": "x"}),
        writer.sweep(await writer.homeless()),
        writer.remove_strays(),
    ):
        with pytest.raises(LostOwnership):
            await writing
    assert await stored.packs() == packs
    with pytest.raises(LostOwnership):
        await writer.add(inbox, batch, announce=True)
    assert await stored.everything() == before
    assert await stored.packs() == packs


async def test_a_pack_that_was_put_while_its_grant_was_deleted_goes_with_it(stored: Stored) -> None:
    [inbox] = await stored.folders("INBOX")
    batch = await stored.writer.prepare([Arrival(1, frozenset(), AT, mail(1))])
    await stored.db.execute("DELETE FROM leases")
    await stored.db.execute("DELETE FROM grants WHERE id = $1", stored.grant.id)
    with pytest.raises(LostOwnership):
        await stored.writer.add(inbox, batch, announce=False)
    assert await stored.packs() == set()


async def test_folders_have_names_as_long_as_their_server_lets_them(stored: Stored) -> None:
    chance = random.Random(5)
    long = "".join(chance.choices(string.ascii_letters, k=20_000))
    one, other = await stored.folders(long, f"{long}a")
    assert (one.path, one.wire_name, other.path) == (long, long.encode(), f"{long}a")
    await stored.add(one, mail(1))
    assert await stored.folders(long, f"{long}a") == [await stored.folder(long), other]
    assert await stored.subjects(folder_id=one.id) == ["1"]


async def test_raw_bytes_are_exact_over_several_packs(stored: Stored) -> None:
    [inbox] = await stored.folders("INBOX")
    chance = random.Random(3)
    mails = [mail(n, headers=f"X-Number: {n}\r\n") + chance.randbytes(chance.randint(0, 5000)) for n in range(40)]
    for start in range(0, 40, 7):
        await stored.add(inbox, *mails[start : start + 7])
    wanted = chance.sample(mails, 25)
    found = await stored.reader.raw(stored.grant, stored.key, [*map(stored.id_of, wanted), "unknown"])
    assert found == {stored.id_of(raw): raw for raw in wanted}


@pytest.mark.parametrize(
    "raw",
    [
        b"Subject: a\x00b\r\nFrom: \x00 <a\x00@x>\r\nMessage-ID: <a\x00b@x>\r\n\r\nNUL \x00 here",
        b"Subject: =?utf-8?b?AAAA?= =?utf-16?b?2AA=?=\r\n\r\n\xed\xa0\x80 half a pair",
        "Subject: 🍕 \u202e\uffff\U0010ffff\r\nFrom: \u0301 <ü@ö.example>\r\n\r\n\ufeff\u2028".encode(),
        b"Content-Type: text/plain; charset=utf-7\r\nSubject: =?utf-7?q?+2AA-?=\r\n\r\n+2AA-",
        b'Content-Disposition: attachment; filename="a\x00/../b\xff.exe"\r\nContent-Type: a/b\r\n\r\nx',
        b"",
        b"\x00" * 100,
        bytes(range(256)),
        ("Message-ID: <" + "".join(chr(0x4E00 + n * 7 % 20000) for n in range(2990)) + "@x>\r\n\r\n").encode(),
        b"References: " + b" ".join(b"<%d.%s@x>" % (n, b"r" * 900) for n in range(60)) + b"\r\n\r\n",
        b"Date: Fri, 31 Dec 9999 23:59:59 -9999\r\n\r\n",
    ],
    ids=range(11),
)
async def test_ugly_mail_survives(stored: Stored, raw: bytes) -> None:
    [inbox] = await stored.folders("INBOX")
    await stored.add(inbox, raw)
    found = await stored.find(raw)
    assert found is not None
    assert "\x00" not in msgspec.json.encode(found).decode()
    assert await stored.reader.raw(stored.grant, stored.key, [found.id]) == {found.id: raw}
    assert [m.id for m in await stored.page()] == [found.id]


async def test_nothing_of_a_body_can_be_read_without_the_key(stored: Stored) -> None:
    [inbox] = await stored.folders("INBOX")
    letters = [
        mail(1, "wallflower at the beginning, and at the end wallflower"),
        mail(2, "<p>wallflower</p>" * 9000, headers="MIME-Version: 1.0\r\nContent-Type: text/html\r\n"),
    ]
    await stored.add(inbox, *letters, announce=True)
    for letter in letters:
        found = await stored.find(letter)
        assert found is not None
        assert "wallflower" in found.snippet
        assert b"wallflower" in bytes(found.body)
    everything = await stored.everything()
    assert [len(everything[table]) for table in ("messages", "placements", "outbox")] == [2, 2, 2]
    assert "wallflower" not in str(everything)
    # Nor does a column hold it in another spelling, as bytea shows in hexadecimal.
    rows = await stored.db.fetch("SELECT m::text AS row FROM messages m")
    assert all(spelling not in row["row"] for row in rows for spelling in ("wallflower", b"wallflower".hex()))


async def test_deleting_the_grant_erases_everything(stored: Stored) -> None:
    [inbox] = await stored.folders("INBOX")
    await stored.add(inbox, mail(1), mail(2))
    await stored.db.execute("DELETE FROM grants WHERE id = $1", stored.grant.id)
    for table in ("folders", "packs", "messages", "placements", "thread_links"):
        assert await stored.count(table) == 0
