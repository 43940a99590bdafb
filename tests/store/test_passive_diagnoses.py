"""A passive diagnosis: what happened anyway is read, and nothing is dialled."""

from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from mooring.diagnosis import Ask, Asker, Code, State, Verdict
from mooring.errors import InvalidRequest
from mooring.store import Database
from tests.store.diagnosis_house import followed, process_of
from tests.store.grant_house import House, open_house

HOST = "imap.example.test"


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> House:
    return await open_house(database, tmp_path)


async def dialled(house: House, at_s: float, **changes: Any) -> None:
    """A row of the ledger, as a dial would leave it."""
    grant_id = await house.db.fetchval("SELECT id FROM grants")
    fields: dict[str, Any] = {
        "at": house.clock.now() - timedelta(minutes=10) + timedelta(seconds=at_s), "id": uuid4(),
        "application_id": house.application.id,
        "subject": await house.db.fetchval("SELECT subject FROM grants WHERE id = $1", grant_id) or "",
        "grant_id": grant_id or "", "traffic": "sync", "environment": "v3-us-dynamic", "source": "v3-us-dynamic-1",
        "source_address": "198.51.100.20", "via": "bind", "reason": "", "host": HOST, "port": 993,
        "remote": "192.0.2.1", "outcome": "failed", "phase": "connect", "cause": "timeout",
    }  # fmt: skip
    fields |= changes
    places = ", ".join(f"${n}" for n, _ in enumerate(fields, 1))
    await house.db.execute(f"INSERT INTO ledger ({', '.join(fields)}) VALUES ({places})", *fields.values())


LET_IN = {"outcome": "opened", "phase": "", "cause": "", "local": "203.0.113.10:40000"}
FROM_STATIC = {"environment": "v3-us-static", "source": "v3-us-static-1", "source_address": "203.0.113.10"}


async def works_elsewhere(house: House, at_s: float, **changes: Any) -> None:
    """The dynamic source opens a connection that has nothing to do with it."""
    fields = {"host": "another.example.test", "application_id": "another", "subject": "another", **LET_IN, **changes}
    await dialled(house, at_s, **fields)


async def fails_elsewhere(house: House, host: str) -> None:
    """Another server, that the dynamic source reached before, does not answer it any more."""
    await works_elsewhere(house, -3600, host=host)
    await works_elsewhere(house, 30, host=host, outcome="failed", phase="connect", cause="timeout", local="")


async def verdict_of(house: House) -> Verdict:
    grant_id = await house.db.fetchval("SELECT id FROM grants")
    asked = await process_of(house).ask(grant_id=grant_id, passive=True)
    assert asked.verdict is not None
    return asked.verdict


async def filtered(house: House) -> None:
    """An account that was authenticated from static, and cannot be read from dynamic."""
    await house.connect()
    await dialled(house, 0, traffic="auth", grant_id="", **FROM_STATIC, **LET_IN)
    for at_s in (5, 20, 40, 80):
        await dialled(house, at_s)


async def test_a_passive_one_is_answered_at_once_from_what_happened_anyway(house: House) -> None:
    process = process_of(house)
    grant, _ = await house.connect()
    for host, port in ((HOST, 993), ("smtp.example.test", 465)):
        await dialled(house, 0, traffic="auth", grant_id="", host=host, port=port, **FROM_STATIC, **LET_IN)
    for at_s in (5, 20, 40, 80):
        await dialled(house, at_s)
    await works_elsewhere(house, 50)
    await dialled(house, 90, subject="another", **LET_IN)
    await dialled(house, 90, traffic="probe", **LET_IN)
    asked = await process.ask(grant_id=grant.id, passive=True)
    assert (asked.state, asked.by, asked.question.passive) == (State.DONE, "application", True)
    assert asked.verdict is not None
    assert (asked.verdict.code, asked.verdict.row) == (Code.NEEDED, "s18_objects_cannot_be_retrieved")
    assert asked.evidence is not None
    assert [(o.traffic, o.outcome) for o in asked.evidence.observations] == [
        ("auth", "reached"), ("auth", "reached"), *[("sync", "silent")] * 4,
    ]  # fmt: skip
    assert asked.evidence.account is not None
    assert process.investigator.asked == []
    assert [told.kind for told in await followed(process, asked.id)] == ["verdict"]
    assert await process.diagnoses.find(house.application, asked.id, wait_s=5) == asked


async def test_a_passive_one_of_a_host_counts_all_accounts_of_the_application_and_no_others(house: House) -> None:
    process = process_of(house)
    await house.connect()
    for n in range(40):
        await dialled(house, n, traffic="auth", subject=f"s{n}", **FROM_STATIC, **LET_IN)
        await dialled(house, n, subject=f"s{n}")
        await dialled(house, n, application_id="another", **LET_IN)
    await works_elsewhere(house, 20)
    asked = await process.ask(host=HOST, passive=True)
    assert asked.verdict is not None
    assert asked.verdict.code is Code.NEEDED
    assert asked.evidence is not None
    # Of those that are alike the newest, and the first.
    assert len(asked.evidence.observations) == 52
    told: list[Any] = []
    there = await process.diagnoses.carry_out(
        Ask(host=HOST, passive=True), Asker(house.application.id, "v3", "us"), by="operator ann", tell=told.append
    )
    assert (there.by, there.verdict) == ("operator ann", asked.verdict)
    assert len(told) == 1
    with pytest.raises(InvalidRequest, match="by server and by account"):
        await process.ask(email="ann@example.test", passive=True)


async def test_a_stopped_account_can_be_looked_back_at(house: House) -> None:
    process = process_of(house)
    grant, _ = await house.connect()
    await house.placements.stop(house.application, grant, by="test")
    asked = await process.ask(grant_id=grant.id, passive=True)
    assert asked.verdict is not None
    assert asked.verdict.code is Code.INCONCLUSIVE


async def test_an_exit_of_ours_of_which_nobody_knows_whether_it_works_decides_nothing(house: House) -> None:
    await filtered(house)
    await works_elsewhere(house, -60)
    await works_elsewhere(house, 50, source_address="198.51.100.99", source="v3-us-dynamic-2")
    assert (await verdict_of(house)).code is Code.INCONCLUSIVE
    await works_elsewhere(house, 500)
    assert (await verdict_of(house)).code is Code.INCONCLUSIVE, "it may have been mended since"
    await works_elsewhere(house, 50)
    assert (await verdict_of(house)).code is Code.NEEDED


async def test_an_exit_of_ours_that_opens_nothing_elsewhere_is_what_is_broken(house: House) -> None:
    await filtered(house)
    await fails_elsewhere(house, "one.example.test")
    assert (await verdict_of(house)).code is Code.INCONCLUSIVE, "that one may be down itself"
    await fails_elsewhere(house, "two.example.test")
    verdict = await verdict_of(house)
    assert (verdict.code, verdict.confidence) == (Code.OWN_EXIT_BROKEN, 0.9)
    assert not any("example.test" in word for word in verdict.summary.replace(HOST, "").split())


async def test_an_exit_of_ours_that_never_opened_anything_is_doubted(house: House) -> None:
    await filtered(house)
    for host in ("one.example.test", "two.example.test", "three.example.test"):
        await works_elsewhere(house, 30, host=host, outcome="failed", phase="connect", cause="timeout", local="")
    verdict = await verdict_of(house)
    assert (verdict.code, verdict.confidence) == (Code.OWN_EXIT_BROKEN, 0.55)
    await works_elsewhere(house, 60)
    assert (await verdict_of(house)).code is Code.NEEDED


@pytest.mark.parametrize("closed", [None, timedelta(minutes=9)])
async def test_a_session_counts_as_long_as_it_was_open(house: House, closed: timedelta | None) -> None:
    """It was dialled before the look begins, and ended a moment ago, or never."""
    await filtered(house)
    await works_elsewhere(house, 50)
    assert (await verdict_of(house)).code is Code.NEEDED
    closed_at = house.clock.now() - closed if closed is not None else None
    await dialled(house, -8 * 24 * 3600, closed_at=closed_at, **LET_IN)
    assert (await verdict_of(house)).code is Code.INCONCLUSIVE


async def test_a_session_that_ended_long_ago_is_forgotten(house: House) -> None:
    await filtered(house)
    await works_elsewhere(house, 50)
    await dialled(house, -9 * 24 * 3600, closed_at=house.clock.now() - timedelta(days=8), **LET_IN)
    assert (await verdict_of(house)).code is Code.NEEDED


async def test_an_account_that_was_in_step_worked(house: House) -> None:
    """Whatever the ledger has forgotten: it may simply be down."""
    await filtered(house)
    await works_elsewhere(house, 50)
    await house.db.execute("UPDATE grants SET synced_at = now() - interval '20 days'")
    assert (await verdict_of(house)).code is Code.INCONCLUSIVE
