"""A passive diagnosis: what happened anyway is read, and nothing is dialled."""

from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from mooring.diagnosis import Ask, Asker, Code, State
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


async def test_a_passive_one_is_answered_at_once_from_what_happened_anyway(house: House) -> None:
    process = process_of(house)
    grant, _ = await house.connect()
    for host, port in ((HOST, 993), ("smtp.example.test", 465)):
        await dialled(house, 0, traffic="auth", grant_id="", host=host, port=port, **FROM_STATIC, **LET_IN)
    for at_s in (5, 20, 40, 80):
        await dialled(house, at_s)
    await dialled(house, 90, host="another.example.test", **LET_IN)
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
    asked = await process.ask(host=HOST, passive=True)
    assert asked.verdict is not None
    assert asked.verdict.code is Code.NEEDED
    assert asked.evidence is not None
    # Of those that are alike the newest.
    assert len(asked.evidence.observations) == 50
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
