"""What a mailbox weighs while nothing happens in it: resident memory of the worker that holds a thousand."""

import subprocess
import sys
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager

import httpx

from bench.installation import client, process, resident_kib, running
from bench.mailboxes import alike, connected
from bench.report import Finding, Series
from tests.lab import Dovecot, Laboratory, User
from tests.running import Running
from tests.waiting import until

MAILBOXES = 1_000
MESSAGES = 10
WARM_UP = 20
"""Mailboxes that come and go before the base is taken: what the first of them loads is no mailbox's weight."""
HIBERNATE_S = 2
REST_S = 40.0
"""Seconds before a look: longer than a turn of IDLE, so that each mailbox has begun another, and longer than the
worker takes to give back what it no longer needs."""
SAMPLES = 3
SAMPLE_S = 3.0


def measure(lab: Laboratory) -> Iterator[Finding]:
    """With TLS, as the worker is; then in clear, by a worker of the benchmark's own."""
    dovecot = Dovecot(lab.root / "idle", lab.certificate, plaintext=True, hibernate_s=HIBERNATE_S)
    dovecot.server.start()
    try:
        users = alike(dovecot, lab.root / "idle", MAILBOXES + WARM_UP, MESSAGES)
        with running(lab) as mooring, client(mooring) as api:
            yield _finding("memory-tls", 80, "TLS", *_weigh(api, process(mooring, "worker"), users))
        with running(lab) as mooring, _in_clear(mooring) as worker, client(mooring) as api:
            yield _finding("memory-plain", 16, "in clear", *_weigh(api, worker, users))
    finally:
        dovecot.server.stop()


def _finding(name: str, target: float, how: str, base: int, held: list[int]) -> Finding:
    series = Series(
        "resident, less the base, by mailbox", "KiB", tuple((resident - base) / MAILBOXES for resident in held)
    )
    return Finding(
        name,
        f"resident memory of an idle mailbox, {how}",
        series.median,
        "KiB",
        target,
        at_least=False,
        series=(series, Series("base", "MiB", (base / 1024,)), Series("whole", "MiB", tuple(h / 1024 for h in held))),
        conditions=(
            f"{MAILBOXES:,} mailboxes of {MESSAGES} messages in one worker process, real Dovecot, each in IDLE; the "
            f"base is the same process after {WARM_UP} mailboxes have come and gone; one run, looked at {SAMPLES} times"
        ),
    )


def _weigh(api: httpx.Client, worker: int, users: Sequence[User]) -> tuple[int, list[int]]:
    """Resident KiB of the worker without a mailbox, and several times with all of them."""
    for grant in connected(api, users[MAILBOXES:]):
        api.delete(f"/v3/grants/{grant}").raise_for_status()
    time.sleep(REST_S)
    base = resident_kib(worker)
    connected(api, users[:MAILBOXES])
    time.sleep(REST_S)
    held: list[int] = []
    for _ in range(SAMPLES):
        time.sleep(SAMPLE_S)
        held.append(resident_kib(worker))
    return base, held


@contextmanager
def _in_clear(mooring: Running) -> Generator[int]:
    """The API of this Mooring with a plain worker beside it, instead of ``mooring up``; the worker's process id."""
    mooring.stop()
    settings = str(mooring.folder / "mooring.toml")
    with (mooring.folder / "mooring.log").open("a") as log, ExitStack() as ending:

        def start(*words: str) -> int:
            started = subprocess.Popen([sys.executable, *words], env=mooring.environment(), stdout=log, stderr=log)
            ending.callback(started.wait, 30)
            ending.callback(started.terminate)
            return started.pid

        # The first of them starts the database, which must not be weighed with the worker.
        start("-m", "mooring", "api", "--config", settings)
        until(lambda: _answers(mooring), timeout_s=30, what="the API answers")
        yield start("-m", "bench.plain_worker", settings)
    mooring.start()


def _answers(mooring: Running) -> bool:
    try:
        return httpx.get(f"{mooring.url}/readyz", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False
