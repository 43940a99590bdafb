"""Verdicts that nobody asked for: raised once by what fails, told, and not by a wrong password."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mooring.diagnosis import Code, Diagnosis, Hindsight, Raiser
from mooring.egress import Ledger
from mooring.errors import ProviderFailure
from mooring.events import read
from mooring.grants import Grant, GrantStatus, set_status, set_sync_health
from mooring.store import Database
from mooring.sync.failures import as_stored
from tests.store.diagnosis_house import POOLS, process_of
from tests.store.grant_house import House, open_house
from tests.store.test_passive_diagnoses import FROM_STATIC, HOST, LET_IN, dialled

CANNOT = ProviderFailure(
    "It did not answer.", stage="connect", reason="timeout", host=HOST, port=993, source="198.51.100.20",
    environment="dynamic", traffic="sync",
)  # fmt: skip


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> House:
    return await open_house(database, tmp_path)


def raiser_of(house: House) -> Raiser:
    ledger = Ledger(house.db, house.clock, timedelta(days=90))
    return Raiser(house.db, house.grants, Hindsight(house.db, ledger, house.clock, POOLS))


async def fails(house: House, grant: Grant, **changes: Any) -> None:
    """As ``sync/health.py`` writes it."""
    async with house.db.transaction() as tx:
        await set_sync_health(tx, grant.id, as_stored(CANNOT) | changes)


async def is_well(house: House, grant: Grant) -> None:
    async with house.db.transaction() as tx:
        await set_sync_health(tx, grant.id, None)


async def filtered(house: House) -> Grant:
    """An account that was authenticated from static, and cannot be read from dynamic."""
    grant, _ = await house.connect()
    await dialled(house, 0, traffic="auth", grant_id="", **FROM_STATIC, **LET_IN)
    await dialled(house, 1, traffic="auth", grant_id="", **FROM_STATIC, **LET_IN)
    for at_s in (5, 20, 40, 80):
        await dialled(house, at_s)
    await fails(house, grant)
    return grant


async def raised_by(house: House, *raisers: Raiser) -> int:
    """How many verdicts are told once all that fails is due."""
    told = await raiser_of(house).look_once()
    await house.db.execute("UPDATE raised SET due_at = now()")
    return told + sum(await asyncio.gather(*(r.look_once() for r in raisers or (raiser_of(house),))))


async def found(house: House) -> list[Diagnosis]:
    return list(await process_of(house).diagnoses.list(house.application, limit=10))


async def told(house: House, grant: Grant) -> list[dict[str, Any]]:
    facts = await read(house.db, grant.id, after=0, limit=100)
    return [fact.data for fact in facts if fact.type == "diagnosis.raised"]


async def test_a_failure_raises_a_verdict_and_tells_it_once(house: House) -> None:
    grant = await filtered(house)
    assert await raiser_of(house).look_once() == 0, "one failure alone says little"
    assert await raised_by(house) == 1
    [diagnosis] = await found(house)
    assert (diagnosis.by, diagnosis.grant_id, diagnosis.question.passive) == ("mooring", grant.id, True)
    assert diagnosis.verdict is not None
    assert diagnosis.verdict.code is Code.NEEDED
    assert await told(house, grant) == [
        {
            "id": diagnosis.id, "code": "needed", "confidence": diagnosis.verdict.confidence,
            "summary": diagnosis.verdict.summary,
        }
    ]  # fmt: skip
    assert await raiser_of(house).look_once() == 0
    quiet = await house.db.fetchval("SELECT due_at - now() FROM raised")
    assert timedelta(hours=5) < quiet <= timedelta(hours=6)
    assert await raised_by(house) == 0, "the same failure, and the same verdict"
    await is_well(house, grant)
    await fails(house, grant)
    assert await raised_by(house) == 0


async def test_two_processes_tell_it_once(house: House) -> None:
    grant = await filtered(house)
    assert await raised_by(house, raiser_of(house), raiser_of(house), raiser_of(house)) == 1
    assert len(await told(house, grant)) == len(await found(house)) == 1


async def test_another_failure_is_looked_at_anew(house: House) -> None:
    grant = await filtered(house)
    await raised_by(house)
    for at_s in (100, 120, 140, 160):
        await dialled(house, at_s, port=143)
    await fails(house, grant, port=143)
    await raiser_of(house).look_once()
    soon = await house.db.fetchval("SELECT due_at - now() FROM raised")
    assert soon <= timedelta(seconds=20)
    assert await raised_by(house) == 1
    assert len(await told(house, grant)) == 2


async def test_too_little_is_not_told_and_looked_at_again_soon(house: House) -> None:
    grant, _ = await house.connect()
    await dialled(house, 0)
    await fails(house, grant)
    assert await raised_by(house) == 0
    assert await found(house) == []
    again = await house.db.fetchval("SELECT due_at - now() FROM raised")
    assert timedelta(0) < again <= timedelta(minutes=1)


@pytest.mark.parametrize("error", [{"stage": "egress", "host": ""}, {"stage": "login", "reason": "authentication"}])
async def test_what_is_ours_or_a_wrong_password_raises_nothing(house: House, error: dict[str, Any]) -> None:
    grant = await filtered(house)
    await is_well(house, grant)
    await fails(house, grant, **error)
    async with house.db.transaction() as tx:
        await set_status(tx, grant.id, GrantStatus.INVALID)
    assert await raised_by(house) == 0
    assert await house.db.fetchval("SELECT count(*) FROM raised") == 0


async def test_a_password_that_was_accepted_a_moment_ago_and_never_since(house: House) -> None:
    grant, _ = await house.connect()
    await dialled(house, 0, traffic="auth", grant_id="", **FROM_STATIC, **LET_IN)
    await dialled(house, 5, **LET_IN)
    await fails(house, grant, stage="login", reason="authentication", server_said="NO")
    async with house.db.transaction() as tx:
        await set_status(tx, grant.id, GrantStatus.INVALID)
    assert await raised_by(house) == 1
    [one] = await told(house, grant)
    assert one["code"] == "filter_disguised_as_wrong_password"


async def test_a_letter_that_could_not_be_sent(house: House) -> None:
    grant, _ = await house.connect()
    await is_well(house, grant)
    await dialled(house, 0, **LET_IN)
    smtp = {"host": "smtp.example.test", "port": 465}
    await dialled(house, 1, traffic="auth", grant_id="", **smtp, **FROM_STATIC, **LET_IN)
    await dialled(house, 60, traffic="send", **smtp)
    await house.db.execute(
        """INSERT INTO submissions (grant_id, id, request_hash, state, given_up_at, message_id, message_id_header,
                                    error)
           VALUES ($1, 's', '', 'refused', now(), 'm', '', $2)""",
        grant.id, as_stored(CANNOT) | smtp,
    )  # fmt: skip
    assert await raised_by(house) == 1
    [one] = await told(house, grant)
    assert one["code"] == "needed_for_sending_only"


async def test_an_account_that_is_deleted_takes_it_along(house: House) -> None:
    grant = await filtered(house)
    await raised_by(house)
    await house.grants.delete(house.application, grant.id)
    assert await house.db.fetchval("SELECT count(*) FROM raised") == 0
    assert await raised_by(house) == 0
