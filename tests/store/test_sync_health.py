"""What a mailbox's synchronisation says of itself: on the grant, and as facts."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mooring.errors import ProviderFailure
from mooring.grants.repository import reauthenticate
from mooring.store import Database
from tests.store.held import Held, held_by, held_mailbox
from tests.waiting import until_async


def failure(stage: str, reason: str) -> ProviderFailure:
    return ProviderFailure(
        "The server could not be used.", stage=stage, reason=reason, host="imap.example.test", port=993,
        source="", environment="dynamic", traffic="sync",
    )  # fmt: skip


UNREACHABLE = failure("connect", "timeout")
REFUSED = failure("login", "authentication")


@pytest.fixture
async def held(database: Database, tmp_path: Path) -> Held:
    return await held_by(database, tmp_path)


async def test_a_refused_login_makes_the_grant_invalid(held: Held) -> None:
    held.sessions.failing = ("login", "authentication")
    task = asyncio.create_task(held.sync.run())
    await until_async(held.failed, what="the failure is written")
    grant = await held.grant()
    assert (grant.status, grant.synced_at) == ("invalid", None)
    assert (grant.sync_error or {})["stage"] == "login"
    assert [kind for kind, _ in await held.stored.health()] == ["grant.expired"]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert held.sessions.opened == 1


async def test_a_failure_of_the_network_leaves_the_grant_valid(held: Held) -> None:
    held.sessions.failing = ("connect", "timeout")
    task = asyncio.create_task(held.sync.run())
    await until_async(held.failed, what="the failure is written")
    assert (await held.grant()).status == "valid"
    held.sessions.failing = None
    await until_async(held.is_synced, what="it is tried again")
    assert await held.failed() is None
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    (failed, told), *after = await held.stored.health()
    assert failed == "sync.failed"
    assert (told["grant_id"], told["error"]["stage"]) == (held.stored.grant.id, "connect")
    assert [kind for kind, _ in after] == ["sync.recovered", "grant.imap_sync_completed"]


async def test_a_session_that_worked_may_end_without_a_word(held: Held) -> None:
    async with held.running():
        held.account.boxes, boxes = {}, held.account.boxes
        held.sessions.gate.clear()
        opened = held.sessions.opened

        async def is_opened_again() -> bool:
            held.sync.look()
            return held.sessions.opened > opened

        await until_async(is_opened_again, what="another session")
        held.account.boxes = boxes
        held.sessions.gate.set()
        await held.look_again()
    assert [kind for kind, _ in await held.stored.health()] == ["grant.imap_sync_completed"]


async def test_a_time_in_which_nobody_looked_is_a_gap(held: Held) -> None:
    async with held.running():
        pass
    await held.stored.health()
    was = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=6)
    await held.stored.db.execute("UPDATE grants SET synced_at = $1", was)
    later = replace(held, sync=held_mailbox(held.stored, held.sessions), since=datetime.now(UTC))
    async with later.running():
        await later.look_again()
    [(kind, gap)] = await held.stored.health()
    assert (kind, gap["reason"], gap["since"]) == ("sync.gap", "unwatched", int(was.timestamp()))


async def test_new_numbers_for_the_messages_are_a_gap(held: Held) -> None:
    async with held.running():
        await held.stored.health()
        held.account.boxes["Archive"].uid_validity += 1
        await held.look_again()
    [(kind, gap)] = await held.stored.health()
    archive = await held.stored.folder("Archive")
    assert (kind, gap["reason"], gap["folder_id"]) == ("sync.gap", "uid_validity", archive.id)


async def test_a_failure_and_its_end_are_told_in_turns_over_a_new_authentication(held: Held) -> None:
    health = held.health()
    await health.failed(UNREACHABLE)
    for _ in range(2):
        async with held.stored.db.transaction() as tx:
            await reauthenticate(tx, held.stored.grant.id, {"name": "Ann"})
        await health.failed(UNREACHABLE)
    assert await held.failed() is not None
    await health.in_step()
    await health.in_step()
    assert await kinds(held) == ["sync.failed", "sync.recovered", "grant.imap_sync_completed"]


async def test_a_failure_and_its_end_are_told_in_turns_over_a_refused_login(held: Held) -> None:
    health = held.health()
    for _ in range(2):
        await health.failed(UNREACHABLE)
        await health.failed(REFUSED)
        await health.failed(UNREACHABLE)
        await health.in_step()
    turn = ["sync.failed", "grant.expired", "grant.updated", "sync.recovered"]
    assert await kinds(held) == [*turn, "grant.imap_sync_completed", *turn]


async def test_of_an_expired_grant_no_other_failure_is_told(held: Held) -> None:
    health = held.health()
    await health.failed(REFUSED)
    await health.failed(UNREACHABLE)
    await health.in_step()
    assert await kinds(held) == ["grant.expired", "grant.updated", "grant.imap_sync_completed"]


async def kinds(held: Held) -> list[str]:
    return [kind for kind, _ in await held.stored.health()]
