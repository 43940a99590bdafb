"""Who carries out a move is killed with -9 at each step: the account ends moved or not, never both, never neither."""

import asyncio
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from mooring.store import Database, EmbeddedPostgres
from tests.chaos.apart import Apart, apart
from tests.lab import addresses as at
from tests.lab.dovecot import User
from tests.lab.firewall import Firewall
from tests.lab.laboratory import Laboratory
from tests.lab.mails import mails
from tests.running import Running
from tests.waiting import until

PORT = 18130
LEASE_S = 1.0
DYNAMIC, STATIC = ("worker", "--environment", "v3-us-dynamic"), ("worker", "--environment", "v3-us-static")


@pytest.fixture(scope="module")
def workers(lab: Laboratory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apart]:
    """An API, a worker of the dynamic environment and one of the static; the feature is on."""
    folder = tmp_path_factory.mktemp("killed")
    with apart(folder, PORT, lab.trust, ("api",), DYNAMIC, STATIC, lease_s=LEASE_S) as found:
        found.mooring.static_ips("on")
        yield found


@pytest.fixture
def user(lab: Laboratory) -> User:
    user = lab.user(f"killed{len(lab.dovecot.users())}")
    lab.dovecot.append_many(user.address, "INBOX", mails(5, seed=7))
    return user


@pytest.fixture
def grant(workers: Apart, user: User) -> str:
    """An account that is in step in the dynamic environment."""
    grant = workers.mooring.connect_to_read(user)
    workers.mooring.synced(grant)
    workers.mooring.command("grant", "move", grant, "dynamic")
    return grant


def test_before_it_begins(workers: Apart, lab: Laboratory, user: User, grant: str) -> None:
    workers.kill(*STATIC)
    move = _begin(workers.mooring, grant)
    workers.start(*STATIC)
    assert _ended(workers, lab, user, grant, move) == "done"


def test_while_the_new_side_is_opened(
    workers: Apart, lab: Laboratory, user: User, grant: str, firewall: Firewall
) -> None:
    firewall.admit_only(at.DYNAMIC)
    move = _begin(workers.mooring, grant)
    _reached(workers.mooring, grant, move, "taken_up")
    workers.kill(*STATIC)
    firewall.open()
    workers.start(*STATIC)
    assert _ended(workers, lab, user, grant, move) == "done"


def test_in_the_transaction_that_hands_over(workers: Apart, lab: Laboratory, user: User, grant: str) -> None:
    workers.kill(*STATIC)
    move = _begin(workers.mooring, grant)
    with _locked(workers.mooring, "SELECT FROM applications FOR UPDATE") as somebody_waits:
        workers.start(*STATIC)
        until(somebody_waits, timeout_s=20, what="the handover waits")
        workers.kill(*STATIC)
    workers.start(*STATIC)
    assert _ended(workers, lab, user, grant, move) == "done"


def test_before_the_new_side_is_in_step(workers: Apart, lab: Laboratory, user: User, grant: str) -> None:
    move = _begin(workers.mooring, grant)
    _reached(workers.mooring, grant, move, "handed_over")
    workers.kill(*STATIC)
    workers.start(*STATIC)
    assert _ended(workers, lab, user, grant, move) == "done"


def test_the_old_holder_while_the_new_side_is_opened(
    workers: Apart, lab: Laboratory, user: User, grant: str, firewall: Firewall
) -> None:
    firewall.admit_only(at.DYNAMIC)
    move = _begin(workers.mooring, grant)
    _reached(workers.mooring, grant, move, "taken_up")
    workers.kill(*DYNAMIC)
    firewall.open()
    workers.start(*DYNAMIC)
    assert _ended(workers, lab, user, grant, move) == "done"


def test_for_good_before_the_new_side_is_in_step(workers: Apart, lab: Laboratory, user: User, grant: str) -> None:
    """Nobody of the new environment comes back for a while: the account waits there, and nobody else takes it."""
    move = _begin(workers.mooring, grant)
    _reached(workers.mooring, grant, move, "handed_over")
    dead, dynamic = workers.processes[STATIC].pid, workers.processes[DYNAMIC].pid
    workers.kill(*STATIC)
    until(lambda: workers.holders() == {dynamic}, what="the static worker is thought dead")
    assert workers.holder(grant) == dead
    workers.start(*STATIC)
    assert _ended(workers, lab, user, grant, move) == "done"


def _begin(mooring: Running, grant: str) -> str:
    answer = httpx.post(
        f"{mooring.url}/v3/grants/{grant}/moves", json={"to": "static"}, timeout=30,
        headers={"Authorization": f"Bearer {mooring.api_key}"},
    )  # fmt: skip
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]["id"]


def _steps(mooring: Running, grant: str, move: str) -> list[str]:
    return [step["step"] for step in _move(mooring, grant, move)["steps"]]


def _move(mooring: Running, grant: str, move: str) -> dict[str, Any]:
    return mooring.get(f"/v3/grants/{grant}/moves/{move}")["data"]


def _reached(mooring: Running, grant: str, move: str, step: str) -> None:
    until(lambda: step in _steps(mooring, grant, move), timeout_s=20, what=f"the move is {step}")


def _ended(workers: Apart, lab: Laboratory, user: User, grant: str, move: str) -> str:
    """How the move ended. The account is held by one session, from where it is placed, and news come once."""
    mooring = workers.mooring
    until(lambda: _move(mooring, grant, move)["ended_at"], timeout_s=30, what="the move has ended")
    ended = _move(mooring, grant, move)
    placed = mooring.get(f"/v3/grants/{grant}")["data"]["environment"]
    assert (placed == "static") == (ended["state"] == "done"), ended
    addresses = set(at.STATIC if placed == "static" else at.DYNAMIC)
    lab.dovecot.append_many(user.address, "INBOX", mails(1, seed=8))

    def told() -> int:
        return mooring.rows("SELECT count(*) AS n FROM outbox WHERE grant_id = $1 AND type = 'message.created'", grant)[
            0
        ]["n"]

    until(lambda: told() >= 1, timeout_s=20, what="the news is told")
    until(
        lambda: _sessions(lab, user) and _sessions(lab, user) <= addresses,
        timeout_s=20,
        what=f"the account is held from {placed} addresses alone",
    )
    assert told() == 1
    assert workers.holder(grant) == workers.processes[STATIC if placed == "static" else DYNAMIC].pid
    return ended["state"]


def _sessions(lab: Laboratory, user: User) -> set[str]:
    lines = lab.dovecot.doveadm("-f", "tab", "who", "-1", user.address).splitlines()[1:]
    return {line.split("\t")[-1] for line in lines}


@contextmanager
def _locked(mooring: Running, statement: str) -> Generator[Callable[[], bool]]:
    """Rows that this statement locks stay so while the block lasts; yields whether somebody waits for a lock."""
    runner = asyncio.Runner()

    async def begin() -> tuple[Any, Database, Any, Any]:
        postgres = EmbeddedPostgres(mooring.folder / "data").connect_or_start()
        url = await postgres.__aenter__()
        db = await Database.open(url, max_size=2)
        transaction = db.transaction()
        tx = await transaction.__aenter__()
        await tx.execute(statement)
        return postgres, db, transaction, tx

    postgres, db, transaction, _ = runner.run(begin())

    async def waits() -> bool:
        return await db.fetchval(
            """SELECT EXISTS (SELECT FROM pg_stat_activity
                              WHERE wait_event_type = 'Lock' AND datname = current_database())"""
        )

    async def end() -> None:
        await transaction.__aexit__(None, None, None)
        await db.close()
        await postgres.__aexit__(None, None, None)

    try:
        yield lambda: runner.run(waits())
    finally:
        runner.run(end())
        runner.close()
