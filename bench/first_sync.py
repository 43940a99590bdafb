"""The first synchronisation of a large mailbox, until it can be listed, against mbsync pulling the same one."""

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from bench.installation import client, connect, cpu_s, process, running, sync_state
from bench.report import Finding, Series, ratio
from tests.lab import Laboratory, User, mails
from tests.lab.mailbox import Deposit
from tests.lab.namespaces import program

MESSAGES = 20_000
RUNS = 3
LOOK_S = 0.05
"""Seconds between looks at the grant; they count as ours."""
PATIENCE_S = 120.0

_MBSYNCRC = """
IMAPAccount lab
Host imap.lab.test
Port 993
SSLType IMAPS
CertificateFile {trust}
User {user.address}
Pass {user.password}

IMAPStore far
Account lab

MaildirStore near
Inbox {folder}/inbox

Channel pull
Far :far:
Near :near:
Patterns INBOX
Sync Pull
Create Near
SyncState {folder}/state/
"""


@dataclass(frozen=True, slots=True)
class Pull:
    """One first synchronisation: wall-clock seconds, and processor seconds of the process that did it."""

    seconds: float
    cpu_s: float


def measure(lab: Laboratory) -> Iterator[Finding]:
    """Both, in turn, each into an empty place on the same disk."""
    user, size = deposit(lab, "large", MESSAGES)
    ours: list[Pull] = []
    theirs: list[Pull] = []
    for _ in range(RUNS):
        theirs.append(_mbsync(lab, user))
        ours.append(_mooring(lab, user))
    yield ratio(
        "first-sync",
        "seconds from connect/custom's answer until all is listable, over seconds of mbsync",
        Series("mooring", "s", tuple(pull.seconds for pull in ours)),
        Series("mbsync", "s", tuple(pull.seconds for pull in theirs)),
        target=1.0,
        conditions=(
            f"{MESSAGES:,} messages, {size / 1e6:.0f} MB, Dovecot over TLS on port 993 for both, {RUNS} runs each in "
            f"turn; processor seconds: worker {_cpu(ours)}, mbsync {_cpu(theirs)}"
        ),
    )


def deposit(lab: Laboratory, name: str, count: int) -> tuple[User, int]:
    """A mailbox with generated mail in its inbox, and how many bytes that is."""
    user = lab.user(name)
    size = 0

    def deposits() -> Iterator[Deposit]:
        nonlocal size
        for mail in mails(count, to=user.address):
            size += len(mail.raw)
            yield Deposit(mail.raw, mail.flags, mail.date)

    lab.dovecot.append_many(user.address, "INBOX", deposits())
    return user, size


def brought_in_step(api: httpx.Client, grant: str) -> None:
    """Return as soon as the grant says that it is in step."""
    deadline = time.monotonic() + PATIENCE_S
    while sync_state(api, grant) != "ok":
        if time.monotonic() > deadline:
            raise TimeoutError(f"the grant {grant} was not in step after {PATIENCE_S} s")
        time.sleep(LOOK_S)


def _mooring(lab: Laboratory, user: User) -> Pull:
    with running(lab) as mooring, client(mooring) as api:
        worker = process(mooring, "worker")
        before = cpu_s(worker)
        grant = connect(api, user)
        started = time.perf_counter()
        brought_in_step(api, grant)
        pull = Pull(time.perf_counter() - started, cpu_s(worker) - before)
        _check_listable(api, grant)
        return pull


def _check_listable(api: httpx.Client, grant: str) -> None:
    """Walk through all pages: every message is there, once."""
    seen: set[str] = set()
    cursor: str | None = None
    while True:
        parameters = {"limit": "200", "select": "id"} | ({"page_token": cursor} if cursor else {})
        page = api.get(f"/v3/grants/{grant}/messages", params=parameters).raise_for_status().json()
        seen.update(message["id"] for message in page["data"])
        cursor = page["next_cursor"]
        if cursor is None:
            break
    if len(seen) != MESSAGES:
        raise RuntimeError(f"{len(seen)} of {MESSAGES} messages can be listed")


def _mbsync(lab: Laboratory, user: User) -> Pull:
    with tempfile.TemporaryDirectory(prefix="mbsync-bench-") as folder:
        place = Path(folder)
        (place / "state").mkdir()
        settings = place / "mbsyncrc"
        settings.write_text(_MBSYNCRC.format(trust=lab.trust, user=user, folder=folder))
        started = time.perf_counter()
        pulling = subprocess.Popen([program("mbsync", package="isync"), "-q", "-c", str(settings), "pull"])
        _, ended, usage = os.wait4(pulling.pid, 0)
        seconds = time.perf_counter() - started
        status = pulling.returncode = os.waitstatus_to_exitcode(ended)
        pulled = sum(1 for kind in ("new", "cur") for _ in (place / "inbox" / kind).iterdir())
        if status != 0 or pulled != MESSAGES:
            raise RuntimeError(f"mbsync ended with {status} and pulled {pulled} of {MESSAGES} messages")
        return Pull(seconds, usage.ru_utime + usage.ru_stime)


def _cpu(pulls: list[Pull]) -> str:
    return " ".join(f"{pull.cpu_s:.1f}" for pull in pulls)
