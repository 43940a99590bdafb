"""Two workers, and the one that holds a mailbox dies, or stalls: the other takes over within two lease times."""

import os
import signal
import time
from collections.abc import Iterator

import pytest

from tests.chaos.apart import Apart, apart
from tests.lab.laboratory import Laboratory
from tests.lab.mails import mails
from tests.waiting import until

PORT = 18127
LEASE_S = 2.0


@pytest.fixture
def workers(lab: Laboratory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apart]:
    """An API and two workers."""
    folder = tmp_path_factory.mktemp("workers")
    every = ("api",), ("worker",), ("worker", "--json")
    with apart(folder, PORT, lab.trust, *every, lease_s=LEASE_S) as found:
        yield found


def test_worker_taken_over(workers: Apart, lab: Laboratory) -> None:
    mooring = workers.mooring
    user = lab.user("heir")
    lab.dovecot.append_many(user.address, "INBOX", mails(20, seed=81))
    grant = mooring.connect_to_read(user)
    mooring.synced(grant)

    stalled = workers.holder(grant)
    _assert_taken_over(workers, grant, stalled, signal.SIGSTOP)
    lab.dovecot.append_many(user.address, "INBOX", mails(1, seed=82))
    until(lambda: len(mooring.listed(grant)) == 21, timeout_s=20, what="the heir brings the news")
    os.kill(stalled, signal.SIGCONT)

    killed = workers.holder(grant)
    assert killed != stalled
    _assert_taken_over(workers, grant, killed, signal.SIGKILL)
    lab.dovecot.append_many(user.address, "INBOX", mails(1, seed=83))
    until(lambda: len(mooring.listed(grant)) == 22, timeout_s=20, what="it goes on")
    told = mooring.rows(
        "SELECT data ->> 'id' AS id FROM outbox WHERE grant_id = $1 AND type = 'message.created'", grant
    )
    assert len(told) == len({row["id"] for row in told}) == 2


def _assert_taken_over(workers: Apart, grant: str, holder: int, how: signal.Signals) -> None:
    os.kill(holder, how)
    began = time.monotonic()
    until(lambda: workers.holder(grant) not in {0, holder}, timeout_s=2 * LEASE_S, what="the other one takes over")
    assert time.monotonic() - began < 2 * LEASE_S
