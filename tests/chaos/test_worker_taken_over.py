"""Two workers, and the one that holds a mailbox dies, or stalls: the other takes over within two lease times."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest

from tests.lab.laboratory import Laboratory
from tests.lab.mails import mails
from tests.running import Running, configuration
from tests.waiting import until

PORT = 18127
LEASE_S = 2.0


@pytest.fixture
def mooring(lab: Laboratory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """An API and two workers, each a process of its own, as on several machines; the database is theirs together."""
    folder = tmp_path_factory.mktemp("workers")
    (folder / "mooring.toml").write_text(configuration(PORT, extra=f'[workers]\nlease = "{LEASE_S:g}s"\n'))
    running = Running(folder, PORT, lab.trust)
    made = running.command("app", "create", "--name", "Taken over", "--generation", "v3", "--region", "us")
    running.api_key, running.application_id = made["api_key"], made["application_id"]
    with ExitStack() as stack:
        for name in ("api", "worker", "worker"):
            process = stack.enter_context(_started(running, name))
            stack.callback(_end, process)
        until(lambda: _answers(running), timeout_s=30, what="the API answers")
        until(lambda: len(_workers(running)) == 2, timeout_s=30, what="both workers are there")
        yield running
    assert running.defects == []


def test_worker_taken_over(mooring: Running, lab: Laboratory) -> None:
    user = lab.user("heir")
    lab.dovecot.append_many(user.address, "INBOX", mails(20, seed=81))
    grant = mooring.connect_to_read(user)
    mooring.synced(grant)

    stalled = _holder(mooring, grant)
    _assert_taken_over(mooring, grant, stalled, signal.SIGSTOP)
    lab.dovecot.append_many(user.address, "INBOX", mails(1, seed=82))
    until(lambda: len(mooring.listed(grant)) == 21, timeout_s=20, what="the heir brings the news")
    os.kill(stalled, signal.SIGCONT)

    killed = _holder(mooring, grant)
    assert killed != stalled
    _assert_taken_over(mooring, grant, killed, signal.SIGKILL)
    lab.dovecot.append_many(user.address, "INBOX", mails(1, seed=83))
    until(lambda: len(mooring.listed(grant)) == 22, timeout_s=20, what="it goes on")
    told = mooring.rows(
        "SELECT data ->> 'id' AS id FROM outbox WHERE grant_id = $1 AND type = 'message.created'", grant
    )
    assert len(told) == len({row["id"] for row in told}) == 2


def _assert_taken_over(mooring: Running, grant: str, holder: int, how: signal.Signals) -> None:
    os.kill(holder, how)
    began = time.monotonic()
    until(lambda: _holder(mooring, grant) not in {0, holder}, timeout_s=2 * LEASE_S, what="the other one takes over")
    assert time.monotonic() - began < 2 * LEASE_S


def _holder(mooring: Running, grant: str) -> int:
    """The process that holds the mailbox; 0 for nobody."""
    holder = mooring.rows("SELECT holder FROM leases WHERE subject = $1", grant)[0]["holder"]
    return _process(holder) if holder else 0


def _workers(mooring: Running) -> set[int]:
    """The processes that hold something, or may: each is a holder of mailboxes and one of webhooks."""
    return {_process(row["id"]) for row in mooring.rows("SELECT id FROM holders")}


def _process(holder: str) -> int:
    return int(holder.split("-")[-2])


def _started(running: Running, name: str) -> "subprocess.Popen[bytes]":
    with (running.folder / "mooring.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "mooring", name], cwd=running.folder, env=running.environment(),
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGCONT)
    process.terminate()
    process.wait(timeout=30)


def _answers(running: Running) -> bool:
    try:
        return running.get("/v3/grants")["data"] == []
    except httpx.HTTPError:
        return False
