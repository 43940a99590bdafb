"""A diagnosis is asked for, carried out by whoever is free, followed from anywhere, and ends whoever dies."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mooring.applications import Application
from mooring.diagnosis import Ask, Asker, Code, Service, State, forget_diagnoses
from mooring.diagnosis.types import Lookup
from mooring.errors import InvalidRequest, MooringError, NoSource, NotFound, TargetNotAllowed
from mooring.grants import GrantStatus, Stopped, set_status
from mooring.store import Database
from tests.store.diagnosis_house import VERDICT, Process, followed, pool, process_of
from tests.store.grant_house import PASSWORD, House, open_house
from tests.waiting import until_async

HOST = "imap.example.test"


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> House:
    return await open_house(database, tmp_path)


async def everything(db: Database) -> str:
    tables = ("diagnoses", "diagnosis_progress", "probe_counts", "probe_facts")
    return str([[tuple(row) for row in await db.fetch(f"SELECT * FROM {table}")] for table in tables])


async def test_asked_for_carried_out_and_read(house: House) -> None:
    process = process_of(house)
    asked = await process.ask(host=HOST)
    assert (asked.state, asked.verdict, asked.by) == (State.QUEUED, None, "application")
    async with process.running():
        found = await process.diagnoses.find(house.application, asked.id, wait_s=20)
    assert found.state is State.DONE
    assert found.verdict == VERDICT
    assert found.evidence is not None
    assert [o.host for o in found.evidence.observations] == [HOST]
    assert found.started_at is not None
    assert found.ended_at is not None
    [(question, secrets)] = process.investigator.asked
    assert [(t.service, t.port) for t in question.targets] == [(Service.IMAP, 993), (Service.SMTP, 465)]
    assert secrets.passwords == {}
    assert [d.id for d in await process.diagnoses.list(house.application, limit=10)] == [asked.id]


async def test_detection_has_to_be_admitted_where_a_server_is_yet_to_be_found(house: House) -> None:
    diagnoses = process_of(house).diagnoses

    def refuse() -> None:
        raise InvalidRequest("Too many.")

    for settings in (None, {"imap_host": HOST}):
        by_address = Ask(email="ann@example.test", settings=settings, services=(Service.IMAP, Service.SMTP))
        with pytest.raises(InvalidRequest, match="Too many"):
            await diagnoses.ask(house.application, by_address, admit_detection=refuse)
    assert await diagnoses.list(house.application, limit=10) == []
    named = Ask(email="ann@example.test", settings={"imap_host": HOST})
    for ask in (named, Ask(host=HOST), Ask(host=HOST, email="ann@example.test")):
        await diagnoses.ask(house.application, ask, admit_detection=refuse)


async def test_nobody_sees_those_of_another_application(house: House) -> None:
    process = process_of(house)
    asked = await process.ask(host=HOST)
    other: Application = replace(house.application, id="another")
    with pytest.raises(NotFound):
        await process.diagnoses.find(other, asked.id)
    assert await process.diagnoses.list(other, limit=10) == []
    assert len(await process.diagnoses.list(None, limit=10)) == 1


async def test_passwords_are_sealed_while_it_waits_and_erased_when_it_ends(house: House) -> None:
    process = process_of(house, opened=False)
    settings = {"imap_host": HOST, "imap_username": "ann", "imap_password": PASSWORD, "smtp_password": "other-secret"}
    asked = await process.ask(settings=settings, services=(Service.IMAP,))
    assert await house.db.fetchval("SELECT secrets IS NOT NULL FROM diagnoses")
    assert PASSWORD not in await everything(house.db)
    async with process.running():
        await process.until_asked()
        [(question, secrets)] = process.investigator.asked
        assert secrets.passwords == {Service.IMAP: PASSWORD}
        assert question.with_credentials
        process.investigator.gate.set()
        await process.ended(asked.id)
    assert await house.db.fetchval("SELECT secrets IS NULL FROM diagnoses")
    assert PASSWORD not in await everything(house.db)


async def test_a_grant_with_its_own_servers_and_passwords(house: House) -> None:
    process = process_of(house)
    grant, _ = await house.connect()
    with pytest.raises(NotFound):
        await process.diagnoses.ask(replace(house.application, id="another"), Ask(grant_id=grant.id))
    asked = await process.ask(grant_id=grant.id)
    async with process.running():
        ended = await process.ended(asked.id)
    [(question, secrets)] = process.investigator.asked
    assert (question.subject, question.email, ended.grant_id) == (grant.subject, grant.email, grant.id)
    assert secrets.passwords == {Service.IMAP: PASSWORD, Service.SMTP: PASSWORD}
    assert PASSWORD not in await everything(house.db)


async def test_a_refused_password_is_not_shown_again_and_a_stopped_account_is_left_alone(house: House) -> None:
    process = process_of(house)
    grant, _ = await house.connect()
    await house.placements.stop(house.application, grant, by="test")
    with pytest.raises(Stopped):
        await process.ask(grant_id=grant.id)
    await house.placements.start(house.application, await house.grants.get(grant.id), by="test")
    async with house.db.transaction() as tx:
        await set_status(tx, grant.id, GrantStatus.INVALID)
    asked = await process.ask(grant_id=grant.id)
    async with process.running():
        await process.ended(asked.id)
    [(question, secrets)] = process.investigator.asked
    assert (question.with_credentials, secrets.passwords) == (False, {})


async def test_a_grant_that_is_deleted_meanwhile_takes_its_diagnoses_along(house: House) -> None:
    process = process_of(house)
    grant, _ = await house.connect()
    asked = await process.ask(grant_id=grant.id)
    await house.grants.delete(house.application, grant.id)
    with pytest.raises(NotFound):
        await process.diagnoses.get(asked.id)
    assert await followed(process, asked.id) == []


async def test_the_server_of_an_address_is_found(house: House) -> None:
    process = process_of(house)
    process.names["mail.example.test"] = Lookup("mail.example.test", ("192.0.2.1",))
    asked = await process.ask(email="Ann@Example.test", settings={"imap_password": PASSWORD})
    async with process.running():
        ended = await process.ended(asked.id)
    [(question, secrets)] = process.investigator.asked
    assert [(t.host, t.port, t.username) for t in question.targets] == [
        ("mail.example.test", 993, "ann@example.test"), ("mail.example.test", 465, "ann@example.test"),
    ]  # fmt: skip
    assert set(secrets.passwords) == {Service.IMAP, Service.SMTP}
    assert ended.question == question


@pytest.mark.parametrize(
    ("error", "kind"), [(InvalidRequest("Not so.", hint="Do."), "InvalidRequest"), (RuntimeError("secret"), "internal")]
)
async def test_what_fails_says_why(house: House, error: Exception, kind: str) -> None:
    process = process_of(house)
    process.investigator.error = error
    asked = await process.ask(host=HOST)
    async with process.running():
        ended = await process.ended(asked.id)
    assert (ended.state, ended.verdict) == (State.FAILED, None)
    assert ended.error is not None
    assert ended.error["type"] == kind
    assert "secret" not in ended.error["message"]
    last = (await followed(process, asked.id))[-1]
    assert (last.kind, last.data["type"]) == ("failed", kind)


async def test_what_is_told_is_heard_from_another_process_and_ends_with_the_verdict(house: House) -> None:
    process, elsewhere = process_of(house, opened=False), process_of(house)
    asked = await process.ask(host=HOST)
    async with process.running():
        await process.until_asked()
        hearing = [asyncio.create_task(followed(p, asked.id)) for p in (process, elsewhere)]
        process.investigator.gate.set()
        heard, there = await asyncio.gather(*hearing)
    assert [told.kind for told in heard] == ["started", "lookup", "observed", "verdict"]
    assert [told.number for told in heard] == [1, 2, 3, 4]
    assert there == heard
    assert heard[-1].data["verdict"]["code"] == str(Code.NEEDED)
    assert [told.number for told in await followed(elsewhere, asked.id, after=2)] == [3, 4]
    assert await followed(elsewhere, asked.id, after=4) == []
    assert await followed(elsewhere, asked.id, after=10**15) == []


async def test_who_follows_is_let_go_when_the_process_ends(house: House) -> None:
    process = process_of(house, opened=False)
    asked = await process.ask(host=HOST)
    async with process.running():
        await process.until_asked()
        hearing = asyncio.create_task(followed(process, asked.id))
        await until_async(lambda: house.db.fetchval("SELECT told >= 2 FROM diagnoses"))
    assert [told.kind for told in await hearing] == ["started", "lookup"]


async def test_a_process_that_ends_leaves_its_work_to_others_at_once(house: House) -> None:
    first, second = process_of(house, opened=False), process_of(house)
    asked = await first.ask(host=HOST)
    async with first.running():
        await first.until_asked()
    assert (await first.diagnoses.get(asked.id)).state is State.QUEUED
    async with second.running():
        ended = await second.ended(asked.id)
    assert (ended.state, ended.run) == (State.DONE, 2)


async def test_a_process_that_is_cut_off_is_taken_over_from_and_cannot_write_any_more(
    house: House, database_url: str
) -> None:
    lease = timedelta(seconds=1)
    its_own = await Database.open(database_url)
    cut_off = process_of(replace(house, db=its_own), opened=False, lease=lease)
    living = process_of(house, lease=lease)
    asked = await cut_off.ask(host=HOST)
    async with cut_off.running():
        await cut_off.until_asked()
        await until_async(lambda: house.db.fetchval("SELECT told >= 2 FROM diagnoses"))
        await its_own.close()
        async with living.running():
            ended = await living.ended(asked.id)
        assert (ended.state, ended.run) == (State.DONE, 2)
        # The second run began anew, behind what the first one had told.
        told = await followed(living, asked.id)
        assert [t.kind for t in told] == ["started", "lookup", "observed", "verdict"]
        assert (told[0].number > 2, told[0].data["run"]) == (True, 2)


async def test_who_was_thought_dead_cannot_conclude(house: House) -> None:
    slow, quick = process_of(house, opened=False), process_of(house)
    asked = await slow.ask(host=HOST)
    async with slow.running():
        await slow.until_asked()
        await until_async(lambda: house.db.fetchval("SELECT told >= 2 FROM diagnoses"))
        await house.db.execute("UPDATE diagnoses SET holder = NULL")
        async with quick.running():
            ended = await quick.ended(asked.id)
        slow.investigator.gate.set()
        await until_async(lambda: _idle(slow))
    assert (await quick.diagnoses.get(asked.id)) == ended
    assert ended.run == 2


async def test_who_was_too_slow_to_say_that_he_lives_goes_on(house: House) -> None:
    process = process_of(house, opened=False)
    first = await process.ask(host=HOST)
    async with process.running():
        await process.until_asked()
        await house.db.execute("UPDATE holders SET expires_at = now() - interval '1 second'")
        second = await process.ask(host="other.example.test")
        await process.until_asked(2)
        process.investigator.gate.set()
        assert [(await process.ended(one.id)).run for one in (first, second)] == [1, 1]
    assert len(process.investigator.asked) == 2


async def _idle(process: Process) -> bool:
    return process.investigator.under_way == 0


async def test_so_many_at_once_and_the_others_in_order(house: House) -> None:
    process = process_of(house, at_once=3, opened=False)
    asked = [await process.ask(host=f"h{n}.example.test") for n in range(8)]
    async with process.running():
        await process.until_asked(3)
        assert [q.targets[0].host for q, _ in process.investigator.asked] == [f"h{n}.example.test" for n in range(3)]
        process.investigator.gate.set()
        for one in asked:
            await process.ended(one.id)
    assert process.investigator.most == 3
    assert [q.targets[0].host for q, _ in process.investigator.asked] == [f"h{n}.example.test" for n in range(8)]


async def test_two_hundred_at_once(house: House) -> None:
    process = process_of(house)
    async with process.running():
        asked = await asyncio.gather(*(process.ask(host=f"h{n}.example.test") for n in range(200)))
        told = await asyncio.gather(*(followed(process, one.id) for one in asked))
        assert {one[-1].kind for one in told} == {"verdict"}
    assert len({q.targets[0].host for q, _ in process.investigator.asked}) == 200


async def test_nobody_carries_out_what_he_has_no_pools_for(house: House) -> None:
    elsewhere = process_of(house, pools=(pool("v3-eu-static", "203.0.113.40"),))
    here = process_of(house)
    asked = await here.ask(host=HOST)
    async with elsewhere.running(), here.running():
        await here.ended(asked.id)
    assert elsewhere.investigator.asked == []


@pytest.mark.parametrize(
    ("about", "error"),
    [
        ({"host": "10.0.0.1"}, TargetNotAllowed),
        ({"host": "127.0.0.1"}, TargetNotAllowed),
        ({"host": "169.254.169.254"}, TargetNotAllowed),
        ({"host": "203.0.113.99"}, TargetNotAllowed),
        ({"host": "[::1]"}, TargetNotAllowed),
        ({"settings": {"imap_host": "9.9.9.9", "imap_port": 22}}, TargetNotAllowed),
        ({"settings": {"imap_host": "9.9.9.9", "imap_port": 3306}}, InvalidRequest),
        ({"settings": {"imap_host": "mail.example.test", "imap_port": 22}}, InvalidRequest),
        ({}, InvalidRequest),
    ],
)
async def test_what_is_never_asked(house: House, about: dict[str, Any], error: type[MooringError]) -> None:
    process = process_of(house)
    with pytest.raises(error):
        await process.ask(**about)
    assert await process.diagnoses.list(None, limit=1) == []


async def test_a_network_that_the_operator_opened_may_be_asked_at_any_port(house: House) -> None:
    process = process_of(house, allow=("10.0.0.0/8",))
    process.names["inside.test"] = Lookup("inside.test", ("10.0.0.7",))
    process.names["outside.test"] = Lookup("outside.test", ("10.0.0.7", "9.9.9.9"))
    for host in ("10.0.0.7", "inside.test", "nowhere.test"):
        await process.ask(settings={"imap_host": host, "imap_port": 10993})
    with pytest.raises(InvalidRequest, match="10993"):
        await process.ask(settings={"imap_host": "outside.test", "imap_port": 10993})


async def test_an_application_without_pools_is_told_so(house: House) -> None:
    process = process_of(house)
    with pytest.raises(NoSource, match="v3-mars"):
        await process.diagnoses.ask(replace(house.application, region="mars"), Ask(host=HOST))


async def test_an_operator_carries_one_out_himself(house: House) -> None:
    process, elsewhere = process_of(house, opened=False), process_of(house)
    heard: list[Any] = []
    ask = Ask(host=HOST)
    asker = await process.diagnoses.asker_of(ask)
    assert asker == Asker("", "v3", "us")
    async with elsewhere.running():
        work = asyncio.create_task(process.diagnoses.carry_out(ask, asker, by="operator olga", tell=heard.append))
        await process.until_asked()
        process.investigator.gate.set()
        done = await work
    assert (done.state, done.by, done.application_id, done.run) == (State.DONE, "operator olga", "", 1)
    assert elsewhere.investigator.asked == []
    assert [type(told).__name__ for told in heard] == ["LookedUp", "Observed", "Concluded"]


async def test_who_goes_away_from_his_own_has_ended_it(house: House) -> None:
    process = process_of(house, opened=False)
    asker = Asker("", "v3", "us")
    work = asyncio.create_task(process.diagnoses.carry_out(Ask(host=HOST), asker, by="operator", tell=lambda _: None))
    await process.until_asked()
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    [left] = await process.diagnoses.list(None, limit=2)
    assert (left.state, left.error and left.error["type"]) == (State.FAILED, "interrupted")


async def test_they_are_kept_for_thirty_days(house: House) -> None:
    process = process_of(house)
    old, new = await process.ask(host=HOST), await process.ask(host=HOST)
    await house.db.execute("UPDATE diagnoses SET created_at = now() - interval '31 days' WHERE id = $1", old.id)
    assert await forget_diagnoses(house.db) == 1
    assert [d.id for d in await process.diagnoses.list(None, limit=5)] == [new.id]
