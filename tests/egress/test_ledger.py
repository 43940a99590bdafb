"""The ledger: no ledger, no dial; many intents in few commits; questions, pages, days."""

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from mooring.egress import Caller, Ledger, Outcome, repository
from mooring.egress.ledger import GroupCommit
from mooring.egress.types import Intent, Settlement
from mooring.errors import LedgerUnavailable
from mooring.store import Database, StoreUnavailable
from tests.egress.exits import SERVER, SOURCES, Exits, Server, bound, dial_to
from tests.postgres import run_on

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class StoppedClock:
    """A clock that is set by hand."""

    def __init__(self, now: datetime = NOW) -> None:
        self.time = now

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return 0.0


def intent(
    *,
    at: datetime = NOW,
    host: str = "mail.test",
    remote: str = SERVER,
    address: str = SOURCES[0],
    caller: Caller | None = None,
    reason: str = "",
) -> Intent:
    dial = dial_to(host, 993, caller=caller or Caller("application", "subject"))
    return Intent(uuid.uuid4(), at, dial, bound(address), remote, reason)


class CountingDatabase:
    """Counts the statements that go to a database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.statements = 0

    async def execute(self, query: str, *args: object) -> str:
        self.statements += 1
        return await self._database.execute(query, *args)


@pytest.fixture
async def ledger(database: Database) -> Ledger:
    return Ledger(database, StoppedClock(), timedelta(days=90))


async def test_a_hundred_intents_at_once_are_few_statements(database: Database) -> None:
    counting = CountingDatabase(database)
    commits = GroupCommit[Intent](lambda batch: repository.insert_intents(counting, batch))  # type: ignore[arg-type]
    await asyncio.gather(*(commits.add(intent()) for _ in range(100)))
    assert counting.statements <= 3
    assert await database.fetchval("SELECT count(*) FROM ledger") == 100


async def test_a_lone_intent_waits_for_nobody(ledger: Ledger, database: Database) -> None:
    lone = intent()
    await ledger.intend(lone)
    assert await database.fetchval("SELECT id FROM ledger") == lone.id


async def test_without_a_ledger_nothing_is_dialled(exits: Exits, server: Server, database_url: str) -> None:
    dialer = exits.dialer()
    dial = dial_to(SERVER, server.port)
    await run_on(database_url, "ALTER TABLE ledger RENAME TO gone")
    with pytest.raises(LedgerUnavailable, match="nothing was dialled"):
        await dialer.dial(dial)
    assert server.seen == []


async def test_without_a_database_nothing_is_dialled(database_url: str, server: Server) -> None:
    database = await Database.open(database_url)
    exits = Exits(database)
    # So that the choice of the source is known, and only the ledger is asked.
    dialer, dial = exits.dialer(), dial_to(SERVER, server.port, caller=Caller("application", "subject", "grant"))
    await (await dialer.dial(dial)).aclose()
    await exits.ledger.aclose()
    await database.close()
    with pytest.raises(LedgerUnavailable):
        await dialer.dial(dial)
    assert len(server.seen) == 1


async def test_what_the_database_would_not_take_does_not_take_the_others_with_it(ledger: Ledger) -> None:
    poisoned = replace(intent(), remote="a\0b")
    results = await asyncio.gather(
        *(ledger.intend(item) for item in (intent(), poisoned, intent())), return_exceptions=True
    )
    assert [type(result) for result in results] == [type(None), LedgerUnavailable, type(None)]
    assert len(await ledger.entries()) == 2
    await ledger.intend(intent())


async def test_what_users_write_is_kept_as_text(ledger: Ledger) -> None:
    odd = intent(host="a\0b\ud800" + "x" * 300, reason="\0")
    await ledger.intend(replace(odd, dial=replace(odd.dial, port=2**40)))
    (entry,) = await ledger.entries()
    assert entry.host == ("a\ufffdb?" + "x" * 300)[:255]
    assert entry.port == 2**31 - 1


async def test_who_gives_up_before_its_turn_has_not_written(database: Database) -> None:
    go = asyncio.Event()
    written: list[int] = []

    async def write(batch: Sequence[int]) -> None:
        await go.wait()
        written.extend(batch)

    commits = GroupCommit[int](write)
    first = asyncio.create_task(commits.add(1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    second, third = asyncio.create_task(commits.add(2)), asyncio.create_task(commits.add(3))
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    go.set()
    await asyncio.gather(first, third)
    assert written == [1, 3]


async def test_a_failed_commit_fails_those_who_wait_for_it_and_not_the_next() -> None:
    failures = [StoreUnavailable("away")]
    written: list[int] = []

    async def write(batch: Sequence[int]) -> None:
        if failures:
            raise failures.pop()
        written.extend(batch)

    commits = GroupCommit[int](write)
    commits.add_unawaited(0)
    with pytest.raises(StoreUnavailable):
        await commits.add(1)
    await commits.add(2)
    await commits.flushed()
    assert written == [2]


async def test_later_settlements_stand_over_earlier_ones_in_one_batch_and_in_two(ledger: Ledger) -> None:
    for together in (True, False):
        made = intent()
        await ledger.intend(made)
        opened = Settlement(made.id, made.at, outcome=Outcome.OPENED, local="127.0.1.10:5", connect_ms=3.5)
        ended = Settlement(made.id, made.at, outcome=Outcome.FAILED, phase="tls", cause="closed", closed_at=NOW)
        ledger.settle_soon(opened)
        if not together:
            await ledger.entries()
        await ledger.settle(ended)
        (entry,) = (e for e in await ledger.entries() if e.id == str(made.id))
        assert (entry.outcome, entry.local, entry.connect_ms) == (Outcome.FAILED, "127.0.1.10:5", 3.5)
        assert (entry.phase, entry.cause, entry.closed_at) == ("tls", "closed", NOW)


async def test_a_settlement_that_is_lost_is_not_an_error(ledger: Ledger, database_url: str) -> None:
    made = intent()
    await ledger.intend(made)
    await run_on(database_url, "ALTER TABLE ledger RENAME TO gone")
    await ledger.settle(Settlement(made.id, made.at, outcome=Outcome.OPENED))
    ledger.settle_soon(Settlement(made.id, made.at, outcome=Outcome.OPENED))
    await ledger.aclose()
    await run_on(database_url, "ALTER TABLE gone RENAME TO ledger")
    assert [entry.outcome for entry in await ledger.entries()] == [Outcome.INTENDED]


async def test_the_ledger_answers_who_called_whom_from_where_for_whom(ledger: Ledger) -> None:
    one, other = Caller("app-1", "alice"), Caller("app-2", "bob")
    for item in (
        intent(at=NOW - timedelta(hours=2), caller=one),
        intent(at=NOW - timedelta(hours=1), caller=other, host="other.test", remote="127.0.2.2"),
        intent(at=NOW, caller=one, address=SOURCES[1]),
    ):
        await ledger.intend(item)

    async def found(**asked: object) -> list[tuple[str, str]]:
        return [(e.application_id, e.source_address) for e in await ledger.entries(**asked)]  # type: ignore[arg-type]

    alice, alice_late, bob = ("app-1", SOURCES[0]), ("app-1", SOURCES[1]), ("app-2", SOURCES[0])
    assert await found() == [alice_late, bob, alice]
    assert await found(application_id="app-1") == [alice_late, alice]
    assert await found(application_id="app-1", subject="bob") == []
    assert await found(subject="bob") == [bob]
    assert await found(server="mail.test") == [alice_late, alice]
    assert await found(server="127.0.2.2") == [bob]
    assert await found(source=SOURCES[0]) == [bob, alice]
    assert await found(source=f"bind-{SOURCES[1]}") == [alice_late]
    assert await found(since=NOW - timedelta(hours=1)) == [alice_late, bob]
    assert await found(limit=1) == [alice_late]


async def test_pages_follow_each_other_without_a_gap_also_at_one_instant(ledger: Ledger) -> None:
    # Half of them at the very same time.
    made = [intent(at=NOW + timedelta(seconds=n // 10)) for n in range(20)]
    await asyncio.gather(*(ledger.intend(item) for item in made))
    seen: list[tuple[datetime, str]] = []
    before: tuple[datetime, str] | None = None
    while page := await ledger.entries(limit=3, before=before):
        seen += [(entry.at, entry.id) for entry in page]
        before = seen[-1]
    assert seen == sorted(((item.at, str(item.id)) for item in made), reverse=True)


async def days(database: Database) -> list[str]:
    """The partitions that there are."""
    rows = await database.fetch(
        "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'ledger'::regclass ORDER BY 1"
    )
    return [row["name"] for row in rows]


async def where(database: Database) -> list[str]:
    """The partition of each entry, oldest first."""
    rows = await database.fetch("SELECT tableoid::regclass::text AS name FROM ledger ORDER BY at")
    return [row["name"] for row in rows]


async def test_days_are_made_ahead_and_dropped_when_retention_ends(database: Database) -> None:
    clock = StoppedClock()
    ledger = Ledger(database, clock, timedelta(days=2))
    await ledger.keep_partitions()
    await ledger.keep_partitions()
    assert await days(database) == ["ledger_20260301", "ledger_20260302", "ledger_20260303", "ledger_default"]
    for number in range(3):
        await ledger.intend(intent(at=NOW + timedelta(days=number)))
    await ledger.intend(intent(at=NOW - timedelta(days=9)))
    assert await where(database) == ["ledger_default", "ledger_20260301", "ledger_20260302", "ledger_20260303"]
    clock.time = NOW + timedelta(days=4)
    await ledger.keep_partitions()
    assert (await days(database))[:2] == ["ledger_20260303", "ledger_20260305"]
    assert await where(database) == ["ledger_20260303"]


async def test_a_day_that_nobody_made_in_time_is_made_up_for(database: Database) -> None:
    clock = StoppedClock()
    ledger = Ledger(database, clock, timedelta(days=90))
    await ledger.keep_partitions()
    clock.time = NOW + timedelta(days=5)
    late = intent(at=clock.time)
    await ledger.intend(late)
    assert await where(database) == ["ledger_default"]
    await ledger.keep_partitions()
    assert await where(database) == ["ledger_20260306"]
    await ledger.settle(Settlement(late.id, late.at, outcome=Outcome.OPENED))
    assert [entry.outcome for entry in await ledger.entries()] == [Outcome.OPENED]


async def test_many_processes_make_the_same_days_at_once(database: Database) -> None:
    ledgers = [Ledger(database, StoppedClock(), timedelta(days=90)) for _ in range(4)]
    await asyncio.gather(*(ledger.keep_partitions() for ledger in ledgers))
    assert len(await days(database)) == 4
    assert await repository.drop_partitions(database, date(2026, 3, 3)) == ["ledger_20260301", "ledger_20260302"]


async def test_partitions_are_indexed_like_the_ledger(database: Database) -> None:
    await repository.ensure_partitions(database, NOW.date(), days=1)
    indexed = await database.fetchval("SELECT count(*) FROM pg_indexes WHERE tablename = 'ledger_20260301'")
    assert indexed == await database.fetchval("SELECT count(*) FROM pg_indexes WHERE tablename = 'ledger_default'")
