"""Messages that could not be had, written down: once each, due later and later, forgotten with their folder."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mooring.mail import Arrival, Folder, Obstacle, Unstorable
from mooring.mail.records import Record
from mooring.store import Database
from tests.store.mailboxes import AT, Stored, mail, stored_mailbox


@pytest.fixture
async def stored(database: Database, tmp_path: Path) -> Stored:
    return await stored_mailbox(database, tmp_path)


async def pass_over(stored: Stored, folder: Folder, obstacle: Obstacle, *uids: int, is_news: bool = False) -> None:
    await stored.writer.pass_over(folder, dict.fromkeys(uids, obstacle), is_news=is_news)


async def rows(stored: Stored) -> dict[int, tuple[str, int, timedelta]]:
    """Reason, strikes, and how long it is until it is due, by UID."""
    found = await stored.db.fetch(
        """SELECT uid, reason, strikes, CASE WHEN isfinite(again_at) THEN again_at - now() END AS rest
           FROM passed_over"""
    )
    return {r["uid"]: (r["reason"], r["strikes"], r["rest"] or timedelta.max) for r in found}


async def test_each_is_due_again_later_and_later(stored: Stored) -> None:
    [inbox] = await stored.folders("INBOX")
    rests: list[timedelta] = []
    for strikes in range(1, 8):
        await pass_over(stored, inbox, Obstacle.REFUSED if strikes == 1 else Obstacle.CUT, 7)
        [(reason, count, rest)] = (await rows(stored)).values()
        assert (reason, count) == ("refused" if strikes == 1 else "cut", strikes)
        rests.append(timedelta(minutes=round(rest / timedelta(minutes=1))))
    minute, week = timedelta(minutes=1), timedelta(days=7)
    assert rests == [minute, 8 * minute, 64 * minute, 512 * minute, 4096 * minute, week, week]


async def test_what_is_too_large_is_never_due(stored: Stored) -> None:
    [inbox] = await stored.folders("INBOX")
    await pass_over(stored, inbox, Obstacle.TOO_LARGE, 7)
    assert await rows(stored) == {7: ("too large", 1, timedelta.max)}
    await pass_over(stored, inbox, Obstacle.TOO_LARGE, 7)
    assert (await rows(stored))[7] == ("too large", 2, timedelta.max)


async def test_what_is_due_is_told_until_it_is_settled(stored: Stored) -> None:
    inbox, archive = await stored.folders("INBOX", "Archive")
    await pass_over(stored, inbox, Obstacle.REFUSED, 1, 2)
    await pass_over(stored, archive, Obstacle.CUT, 2, is_news=True)
    assert await stored.writer.due() == {}
    assert sorted(await stored.writer.passed_over(inbox)) == [1, 2]
    await stored.db.execute("UPDATE passed_over SET again_at = now()")
    assert await stored.writer.due() == {inbox.id: {1: False, 2: False}, archive.id: {2: True}}
    await stored.writer.settle(inbox, [1, 5])
    assert await stored.writer.due() == {inbox.id: {2: False}, archive.id: {2: True}}
    await pass_over(stored, archive, Obstacle.CUT, 2)
    assert await stored.writer.due() == {inbox.id: {2: False}}


@pytest.mark.parametrize("how", ["reset", "gone", "deleted"])
async def test_it_is_forgotten_with_its_folder(stored: Stored, how: str) -> None:
    inbox, archive = await stored.folders("INBOX", "Archive")
    await pass_over(stored, inbox, Obstacle.REFUSED, 1)
    await pass_over(stored, archive, Obstacle.REFUSED, 1)
    if how == "reset":
        await stored.writer.reset(inbox, 5)
        assert await stored.writer.passed_over(inbox) == []
    elif how == "gone":
        await stored.folders("INBOX")
        assert await stored.writer.passed_over(archive) == []
    else:
        await stored.db.execute("DELETE FROM grants")
    assert await stored.count("passed_over") == (0 if how == "deleted" else 1)


@pytest.mark.parametrize(
    "change",
    [
        {"date": 2**70}, {"subject": "a\0b"}, {"subject": "\ud800"}, {"size": "x"}, {"content": 5},
        {"addresses": (b"{", b"[]", b"[]", b"[]", b"[]")}, {"flags": frozenset({"a\0"})},
    ],
    ids=range(7),
)  # fmt: skip
async def test_what_the_database_does_not_take_leaves_nothing_behind(stored: Stored, change: dict[str, Any]) -> None:
    [inbox] = await stored.folders("INBOX")
    before = await stored.everything()
    batch = await stored.writer.prepare([Arrival(1, frozenset(), AT, mail(1)), Arrival(2, frozenset(), AT, mail(2))])
    odd: Record = replace(batch.records[1], **change)
    with pytest.raises(Unstorable):
        await stored.writer.add(inbox, replace(batch, records=[batch.records[0], odd]), announce=True)
    assert await stored.everything() == before
    assert await stored.packs() == set()
    await stored.writer.add(inbox, batch, announce=True)
    assert await stored.subjects() == ["2", "1"]


async def test_what_cannot_be_prepared_keeps_no_other_from_it(stored: Stored) -> None:
    nothing: Any = None
    arrivals = [Arrival(n, frozenset(), AT, nothing if n == 2 else mail(n)) for n in (1, 2, 3)]
    [inbox] = await stored.folders("INBOX")
    batch = await stored.writer.prepare(arrivals)
    assert [record.uid for record in batch.records] == [1, 3]
    assert list(batch.failed) == [2]
    await stored.writer.add(inbox, batch, announce=False)
    ids = [stored.id_of(mail(n)) for n in (1, 3)]
    found = await stored.reader.raw(stored.grant, stored.key, ids)
    assert found == {ids[0]: mail(1), ids[1]: mail(3)}
