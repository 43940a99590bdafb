"""How gently servers are probed, by all processes together; and what the ledger knows from before."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from mooring.clock import SystemClock
from mooring.diagnosis import LedgerMemory, SharedBudget, forget_probes
from mooring.diagnosis.gentle.budget import REFUSED, UNUSED
from mooring.diagnosis.types import (
    Depth,
    Exit,
    Observation,
    Outcome,
    Probe,
    Question,
    Service,
    Stage,
    Step,
    Target,
    Vantage,
)
from mooring.store import Database
from mooring.vault import Vault

IMAP = Target(Service.IMAP, "imap.example.test", 993, username="ann@example.test")
STATIC = Exit(Vantage.STATIC, "v3-us-static", "s1", "203.0.113.10")
ADDRESS = "192.0.2.1"
PASSED = tuple(Step(stage, 1.0) for stage in (Stage.CONNECT, Stage.TLS, Stage.GREETING, Stage.CAPABILITY))


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault.load(tmp_path / "mooring.keys", create=True)


@pytest.fixture
def processes(database: Database, vault: Vault) -> tuple[SharedBudget, SharedBudget]:
    return SharedBudget(database, vault, SystemClock()), SharedBudget(database, vault, SystemClock())


def question(subject: str, *targets: Target) -> Question:
    return Question("app", "v3", "us", subject, targets or (IMAP,))


def probe(number: int = 1, *, depth: Depth = Depth.GREETING, way_out: Exit = STATIC, target: Target = IMAP) -> Probe:
    return Probe(number, way_out, target, ADDRESS, depth)


def seen(sent: Probe, outcome: Outcome = Outcome.REACHED, *more: Step) -> Observation:
    steps = () if outcome is Outcome.SILENT else (*PASSED, *more)
    stage = Stage.LOGIN if outcome is Outcome.CREDENTIALS else steps[-1].stage if steps else Stage.CONNECT
    return Observation(
        sent.id, datetime(2026, 1, 31, tzinfo=UTC), sent.exit.vantage, sent.exit.environment, sent.exit.source,
        sent.exit.address, sent.target.service, sent.target.host, sent.target.port, sent.address, outcome, stage,
        depth=sent.depth, steps=steps, said="hello ann@example.test",
    )  # fmt: skip


async def ask(
    budget: SharedBudget, asked: Question, sent: Probe, outcome: Outcome = Outcome.REACHED, *more: Step
) -> Outcome:
    """What a diagnosis learns by this probe; what is allowed is carried out at once."""
    going, answered = await budget.reserve(asked, [sent])
    for allowed in going:
        await budget.remember(asked, seen(allowed, outcome, *more))
        return outcome
    return answered[0].outcome


async def costs(database: Database) -> list[str]:
    rows = await database.fetch("SELECT became FROM probe_counts ORDER BY id")
    return [row["became"] for row in rows]


async def older(database: Database, seconds: float) -> None:
    for table in ("probe_counts", "probe_facts"):
        await database.execute(f"UPDATE {table} SET at = at - make_interval(secs => $1)", seconds)


async def test_who_asks_the_same_a_moment_later_costs_nothing(
    processes: tuple[SharedBudget, SharedBudget], database: Database
) -> None:
    here, there = processes
    assert await ask(here, question("a"), probe()) is Outcome.REACHED
    other = msgspec.structs.replace(STATIC, vantage=Vantage.OTHER_GENERATION)
    going, [answer] = await there.reserve(question("b"), [probe(5, way_out=other)])
    assert going == []
    assert (answer.probe, answer.remembered, answer.vantage) == (5, True, Vantage.OTHER_GENERATION)
    assert (answer.outcome, answer.passed) == (Outcome.REACHED, tuple(step.stage for step in PASSED))
    assert await costs(database) == ["accepted"]
    # Who has had an answer, and wants another, asks the server: the same one would count twice.
    assert len((await there.reserve(question("b"), [probe(6)]))[0]) == 1


async def test_two_hundred_who_ask_at_once_cost_one_connection(
    processes: tuple[SharedBudget, SharedBudget], database: Database
) -> None:
    first = question("first")
    [sent], _ = await processes[0].reserve(first, [probe()])
    asking = [asyncio.create_task(processes[n % 2].reserve(question(f"q{n}"), [probe(n)])) for n in range(200)]
    await asyncio.wait(asking, timeout=0.01)
    await processes[0].remember(first, seen(sent))
    answers: Sequence[tuple[list[Probe], list[Observation]]] = await asyncio.gather(*asking)
    assert all(going == [] and answer.remembered for going, [answer] in answers)
    assert await costs(database) == ["accepted"]


async def test_two_who_want_what_the_other_has_begun_do_not_wait_for_each_other(
    processes: tuple[SharedBudget, SharedBudget],
) -> None:
    smtp = Target(Service.SMTP, "smtp.example.test", 465)
    both = [probe(1), probe(2, target=smtp)]
    (here, a), (there, b) = (processes[0], question("a")), (processes[1], question("b"))

    async def carry(budget: SharedBudget, asked: Question, wanted: list[Probe]) -> int:
        going, _ = await budget.reserve(asked, wanted)
        for sent in going:
            await budget.remember(asked, seen(sent))
        return len(going)

    went = await asyncio.gather(carry(here, a, both), carry(there, b, list(reversed(both))))
    assert sorted(went) == [0, 2]


async def test_more_than_a_few_without_a_login_are_spared_wherever_they_are_asked(
    processes: tuple[SharedBudget, SharedBudget], database: Database
) -> None:
    one, other = question("a"), question("b")
    for number in range(UNUSED.most):
        assert await ask(processes[number % 2], one if number % 2 == 0 else other, probe(number)) is Outcome.REACHED
        await older(database, 30)
    # From memory, each answer once; then there is nothing that would not count twice.
    for number in range(UNUSED.most):
        going, [remembered] = await processes[0].reserve(question("c"), [probe(number)])
        assert (going, remembered.remembered) == ([], True)
    going, [spared] = await processes[0].reserve(question("c"), [probe(9)])
    assert (going, spared.outcome, spared.remembered) == ([], Outcome.SPARED, False)
    assert "banned" in spared.detail
    await older(database, UNUSED.within_s)
    assert await ask(processes[1], one, probe(10)) is Outcome.REACHED


async def test_a_login_that_is_good_costs_nothing_and_refused_ones_end_it(
    processes: tuple[SharedBudget, SharedBudget], database: Database
) -> None:
    login = Step(Stage.LOGIN, 1.0)
    sources = [replace_source(n) for n in range(12)]
    for number, way_out in enumerate(sources[:6]):
        sent = probe(number, depth=Depth.FULL, way_out=way_out)
        assert await ask(processes[number % 2], question("a"), sent, Outcome.REACHED, login) is Outcome.REACHED
    for number, way_out in enumerate(sources[6:]):
        sent = probe(number, depth=Depth.FULL, way_out=way_out)
        outcome = await ask(processes[number % 2], question("b"), sent, Outcome.CREDENTIALS)
        assert outcome is (Outcome.CREDENTIALS if number < REFUSED.most else Outcome.SPARED)
    bob = msgspec.structs.replace(IMAP, username="bob@example.test")
    assert len((await processes[0].reserve(question("c", bob), [probe(1, depth=Depth.FULL, target=bob)]))[0]) == 1
    await older(database, REFUSED.within_s)
    assert len((await processes[0].reserve(question("d"), [probe(1, depth=Depth.FULL)]))[0]) == 1


def replace_source(number: int) -> Exit:
    return msgspec.structs.replace(STATIC, source=f"s{number}", address=f"203.0.113.{number + 10}")


async def test_nothing_of_a_user_is_kept(processes: tuple[SharedBudget, SharedBudget], database: Database) -> None:
    login = Step(Stage.LOGIN, 1.0)
    await ask(processes[0], question("a"), probe(1, depth=Depth.FULL), Outcome.REACHED, login)
    await ask(processes[0], question("a"), probe(2, depth=Depth.FULL), Outcome.CREDENTIALS)
    kept = str(
        [[dict(row) for row in await database.fetch(f"SELECT * FROM {t}")] for t in ("probe_counts", "probe_facts")]
    )
    assert "ann" not in kept
    assert "app" not in kept
    assert "imap.example.test" in kept
    # Where calendars are may name the user.
    dav = Target(Service.CALDAV, "dav.example.test", 443, path="/dav/ann@example.test/")
    await ask(processes[0], question("c", dav), probe(3, target=dav))
    assert await database.fetchval("SELECT count(*) FROM probe_facts WHERE service = 'caldav'") == 0


async def test_silence_and_exits_of_our_own(processes: tuple[SharedBudget, SharedBudget], database: Database) -> None:
    await ask(processes[0], question("a"), probe(1), Outcome.SILENT)
    await ask(processes[0], question("b"), probe(1, way_out=replace_source(2)), Outcome.OURS)
    assert await costs(database) == ["unanswered"]


async def test_who_stops_waiting_asks_himself(database: Database, vault: Vault) -> None:
    impatient = SharedBudget(database, vault, SystemClock(), join_s=0)
    await impatient.reserve(question("a"), [probe()])
    going, _ = await impatient.reserve(question("b"), [probe()])
    assert len(going) == 1
    assert await impatient.reserve(question("c"), []) == ([], [])


async def test_who_waits_to_ask_again_is_not_told_what_he_has_seen_himself(database: Database, vault: Vault) -> None:
    budget = SharedBudget(database, vault, SystemClock(), join_s=0.6)
    assert await ask(budget, question("a"), probe(1)) is Outcome.REACHED
    elsewhere = Target(Service.IMAP, "other.example.test", 993)
    begun = [probe(n, target=elsewhere) for n in range(2, 2 + UNUSED.most - 1)]
    assert len((await budget.reserve(question("b", elsewhere), begun))[0]) == len(begun)
    assert await ask(budget, question("a"), probe(2)) is Outcome.SPARED


async def test_who_was_spared_has_had_no_answer(
    processes: tuple[SharedBudget, SharedBudget], database: Database
) -> None:
    elsewhere = Target(Service.IMAP, "other.example.test", 993)
    for n in range(UNUSED.most):
        await ask(processes[0], question("a", elsewhere), probe(n, target=elsewhere))
        await older(database, 30)
    assert await ask(processes[0], question("b"), probe(1)) is Outcome.SPARED
    await older(database, UNUSED.within_s)
    assert await ask(processes[1], question("c"), probe(1)) is Outcome.REACHED
    going, [answer] = await processes[0].reserve(question("b"), [probe(2)])
    assert (going, answer.outcome, answer.remembered) == ([], Outcome.REACHED, True)


async def test_what_counts_no_longer_is_forgotten(
    processes: tuple[SharedBudget, SharedBudget], database: Database
) -> None:
    await ask(processes[0], question("a"), probe(1))
    await older(database, 7200)
    await ask(processes[0], question("a"), probe(2, way_out=replace_source(3)))
    await forget_probes(database)
    counted = "SELECT (SELECT count(*) FROM probe_counts) + (SELECT count(*) FROM probe_facts)"
    assert await database.fetchval(counted) == 2


async def test_the_ledger_tells_of_earlier_connections_of_the_application_alone(database: Database) -> None:
    now = await database.fetchval("SELECT now()")
    rows = [
        ("app", "v3-us-dynamic", "d1", 993, "sync", "opened", now - timedelta(days=2)),
        ("app", "v3-us-dynamic", "d1", 993, "live", "opened", now - timedelta(days=1)),
        ("app", "v3-us-static", "s1", 587, "auth", "opened", now - timedelta(days=3)),
        ("app", "v2-us-static", "o1", 993, "sync", "opened", now - timedelta(days=4)),
        ("app", "v2-eu-static", "e1", 993, "sync", "opened", now - timedelta(days=4)),
        ("app", "v3-us-static", "s2", 993, "probe", "opened", now - timedelta(days=1)),
        ("app", "v3-us-static", "s3", 993, "sync", "failed", now - timedelta(days=1)),
        ("app", "v3-us-static", "s4", 993, "sync", "opened", now - timedelta(days=40)),
        ("else", "v3-us-static", "s5", 993, "sync", "opened", now - timedelta(days=1)),
    ]
    for application, environment, source, port, traffic, outcome, at in rows:
        await database.execute(
            """INSERT INTO ledger (at, id, application_id, subject, grant_id, traffic, environment, source,
                   source_address, via, reason, host, port, remote, outcome)
               VALUES ($1, gen_random_uuid(), $2, '', '', $3, $4, $5, '', '', '', 'imap.example.test', $6, '', $7)""",
            at, application, traffic, environment, source, port, outcome,
        )  # fmt: skip
    memory = LedgerMemory(database)
    earlier = await memory.earlier_connections(question("a"))
    assert {(e.source, e.vantage, e.service, e.at) for e in earlier} == {
        ("d1", Vantage.DYNAMIC, Service.IMAP, now - timedelta(days=1)),
        ("s1", Vantage.STATIC, Service.SMTP, now - timedelta(days=3)),
        ("o1", Vantage.OTHER_GENERATION, Service.IMAP, now - timedelta(days=4)),
    }
    operators = await memory.earlier_connections(msgspec.structs.replace(question("a"), application_id=""))
    assert {e.source for e in operators} == {"d1", "s1", "o1", "s5"}
