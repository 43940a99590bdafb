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
from tests.store.test_passive_diagnoses import FROM_STATIC, HOST, LET_IN, dialled, works_elsewhere

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
    await works_elsewhere(house, 50)
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


async def hours_pass(house: House, hours: float) -> None:
    """As if all that happened here had, so much earlier."""
    ago = timedelta(hours=hours)
    await house.db.execute("UPDATE diagnoses SET created_at = created_at - $1::interval", ago)
    await house.db.execute("UPDATE grants SET synced_at = synced_at - $1::interval", ago)
    await house.db.execute("UPDATE raised SET since = since - $1::interval, due_at = due_at - $1::interval", ago)


async def test_another_failure_is_looked_at_anew_and_told_if_it_says_something_else(house: House) -> None:
    grant = await filtered(house)
    await raised_by(house)
    for at_s in (100, 120, 140, 160):
        await dialled(house, at_s, port=143)
    await works_elsewhere(house, 130)
    await fails(house, grant, port=143)
    await raiser_of(house).look_once()
    soon = await house.db.fetchval("SELECT due_at - now() FROM raised")
    assert soon <= timedelta(seconds=20)
    assert await raised_by(house) == 0
    # It presents another certificate now.
    await dialled(house, 200, **{**FROM_STATIC, "traffic": "auth", "phase": "tls", "cause": "certificate"})
    await fails(house, grant, stage="tls", reason="certificate")
    assert await raised_by(house) == 1
    assert [one["code"] for one in await told(house, grant)] == ["needed", "certificate"]


async def test_a_failure_that_changes_to_and_fro_is_told_once(house: House) -> None:
    grant = await filtered(house)
    for turn in range(6):
        await fails(house, grant, stage=("connect", "login", "list")[turn % 3], reason="timeout")
        await raised_by(house)
    assert len(await told(house, grant)) == 1


async def test_verdicts_that_take_turns_are_each_told_once(house: House) -> None:
    grant = await filtered(house)
    assert await raised_by(house) == 1
    for at_s in range(200, 500, 100):
        await dialled(house, at_s, **{**FROM_STATIC, "traffic": "auth", "phase": "tls", "cause": "certificate"})
        await fails(house, grant, stage="tls", reason="certificate")
        await raised_by(house)
        await dialled(house, at_s + 50, traffic="auth", **FROM_STATIC, **LET_IN)
        for more in (10, 22, 35):
            await dialled(house, at_s + 50 + more)
        await works_elsewhere(house, at_s + 70)
        await fails(house, grant)
        await raised_by(house)
    assert [one["code"] for one in await told(house, grant)] == ["needed", "certificate"]


async def test_how_often_the_failure_changes_does_not_put_off_the_look(house: House) -> None:
    grant = await filtered(house)
    await raiser_of(house).look_once()
    await house.db.execute("UPDATE raised SET due_at = now() + interval '1 second'")
    await fails(house, grant, stage="login", reason="timeout")
    await raiser_of(house).look_once()
    assert await house.db.fetchval("SELECT due_at - now() FROM raised") <= timedelta(seconds=1)


async def test_the_same_failure_months_later_is_told_again(house: House) -> None:
    grant = await filtered(house)
    assert await raised_by(house) == 1
    await hours_pass(house, 6.5)
    assert await raised_by(house) == 0, "it has failed all the time"
    await is_well(house, grant)
    await house.db.execute("UPDATE grants SET synced_at = NULL")  # so that it cannot be simply down
    await fails(house, grant)
    await hours_pass(house, 7)
    assert await raiser_of(house).look_once() == 0, "one failure alone says little, this time as well"
    assert await house.db.fetchval("SELECT now() - since FROM raised") < timedelta(minutes=1)
    due = await house.db.fetchval("SELECT due_at - now() FROM raised")
    assert timedelta(0) < due <= timedelta(seconds=20)
    assert await raised_by(house) == 1
    assert len(await told(house, grant)) == 2


async def test_an_account_that_was_well_meanwhile_begins_anew_and_is_not_told_of_twice(house: House) -> None:
    grant = await filtered(house)
    assert await raised_by(house) == 1
    await house.db.execute("UPDATE raised SET since = now() - interval '5 hours'")
    await is_well(house, grant)
    await fails(house, grant)
    assert await raiser_of(house).look_once() == 0
    assert await house.db.fetchval("SELECT now() - since FROM raised") < timedelta(minutes=1)
    await house.db.execute("UPDATE grants SET synced_at = NULL")
    assert await raised_by(house) == 0
    again = await house.db.fetchval("SELECT due_at - now() FROM raised")
    assert timedelta(hours=5) < again <= timedelta(hours=6)


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
    await dialled(house, 5, closed_at=house.clock.now(), **LET_IN)
    await fails(house, grant, stage="login", reason="authentication", server_said="NO")
    async with house.db.transaction() as tx:
        await set_status(tx, grant.id, GrantStatus.INVALID)
    assert await raised_by(house) == 1
    [one] = await told(house, grant)
    assert one["code"] == "filter_disguised_as_wrong_password"


SMTP = {"host": "smtp.example.test", "port": 465}


async def sends(house: House) -> Grant:
    """An account that can be read from dynamic, and has been authenticated at its SMTP server as well."""
    grant, _ = await house.connect()
    await is_well(house, grant)
    await dialled(house, 0, **LET_IN)
    await dialled(house, 1, traffic="auth", grant_id="", **SMTP, **FROM_STATIC, **LET_IN)
    return grant


async def refused(house: House, grant: Grant, number: int, **error: Any) -> None:
    await house.db.execute(
        """INSERT INTO submissions (grant_id, id, request_hash, state, given_up_at, message_id, message_id_header,
                                    error)
           VALUES ($1, $2, '', 'refused', now(), 'm', '', $3)""",
        grant.id, f"s{number}", as_stored(CANNOT) | SMTP | error,
    )  # fmt: skip


async def test_letters_that_could_not_be_sent(house: House) -> None:
    grant = await sends(house)
    await dialled(house, 60, traffic="send", **SMTP)
    await refused(house, grant, 1)
    await works_elsewhere(house, 61)
    assert await raised_by(house) == 0, "one letter says little"
    await dialled(house, 160, traffic="send", **SMTP)
    await refused(house, grant, 2)
    assert await raised_by(house) == 1
    [one] = await told(house, grant)
    assert one["code"] == "needed_for_sending_only"


@pytest.mark.parametrize(
    ("said", "count"),
    [("554 5.7.1 Client host rejected: Access denied", 1), ("550 5.1.1 No such user", 0), ("550 5.7.1 Spam", 0)],
)
async def test_a_letter_that_is_refused_at_the_recipient(house: House, said: str, count: int) -> None:
    grant = await sends(house)
    await refused(house, grant, 1, stage="send", reason="refused", server_said=said)
    given = await house.db.fetchval("SELECT created_at FROM submissions")
    await dialled(house, 0, at=given, traffic="send", closed_at=given, **SMTP, **LET_IN)
    assert await raised_by(house) == count
    assert [one["code"] for one in await told(house, grant)] == ["needed_for_sending_only"] * count


async def test_an_account_that_is_deleted_takes_it_along(house: House) -> None:
    grant = await filtered(house)
    await raised_by(house)
    await house.grants.delete(house.application, grant.id)
    assert await house.db.fetchval("SELECT count(*) FROM raised") == 0
    assert await raised_by(house) == 0
