"""A mailbox moves while a message comes every 50 ms: every event once and in order, no call refused, no gap (B8)."""

import statistics
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from tests.chaos.apart import Apart, apart
from tests.lab import addresses as at
from tests.lab.dovecot import User
from tests.lab.laboratory import Laboratory
from tests.lab.mails import mails
from tests.running import Running
from tests.waiting import until

PORT = 18129
EVERY_S = 0.05
BEFORE, AFTER = 200, 200
"""Messages that come before the move is asked for, and after it is done."""
DYNAMIC, STATIC = ("worker", "--environment", "v3-us-dynamic"), ("worker", "--environment", "v3-us-static")


@pytest.fixture(scope="module")
def workers(lab: Laboratory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apart]:
    """An API, a worker of the dynamic environment and one of the static."""
    with apart(tmp_path_factory.mktemp("moved"), PORT, lab.trust, ("api",), DYNAMIC, STATIC) as found:
        found.mooring.static_ips("on")
        yield found


@dataclass
class Stream:
    """Messages that keep coming."""

    subjects: list[str] = field(default_factory=list[str])

    def past(self, count: int) -> bool:
        return len(self.subjects) >= count


@contextmanager
def coming(lab: Laboratory, user: User) -> Generator[Stream]:
    """A message every 50 ms, each with a number for its subject, while the block lasts."""
    stream, stops = Stream(), threading.Event()

    def deliver() -> None:
        due = time.monotonic()
        while not stops.is_set():
            subject = f"number {len(stream.subjects)}"
            raw = f"From: a@lab.test\r\nTo: {user.address}\r\nSubject: {subject}\r\n\r\nhello\r\n".encode()
            lab.dovecot.deliver(user.address, raw)
            stream.subjects.append(subject)
            due += EVERY_S
            stops.wait(max(0.0, due - time.monotonic()))

    thread = threading.Thread(target=deliver)
    thread.start()
    try:
        yield stream
    finally:
        stops.set()
        thread.join()


@contextmanager
def called(mooring: Running, grant: str) -> Generator[list[int]]:
    """The API is asked again and again while the block lasts; the statuses of what was not answered as it should be."""
    refused: list[int] = []
    stops = threading.Event()

    def ask() -> None:
        while not stops.is_set():
            answer = mooring.get(f"/v3/grants/{grant}/messages", limit=5)
            if "data" not in answer:
                refused.append(answer)
            folders = mooring.get(f"/v3/grants/{grant}/folders")
            if "data" not in folders:
                refused.append(folders)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield refused
    finally:
        stops.set()
        thread.join()


def test_there_and_back_under_load(workers: Apart, lab: Laboratory) -> None:
    mooring = workers.mooring
    user = lab.user("mover")
    lab.dovecot.append_many(user.address, "INBOX", mails(20, seed=91))
    grant = mooring.connect_to_read(user)
    mooring.synced(grant)

    count = 0
    with coming(lab, user) as stream, called(mooring, grant) as refused:
        for target in ("dynamic", "static"):
            count += BEFORE
            until(lambda count=count: stream.past(count), timeout_s=60, what="messages have come")
            mark = lab.dovecot.server.mark()
            ended = mooring.command("grant", "move", grant, target, "--mode", "direct")
            assert (ended["state"], ended["warnings"]) == ("done", []), ended
            assert [step["step"] for step in ended["steps"]][-2:] == ["handed_over", "in_step"]
            count += AFTER
            until(lambda count=count: stream.past(count), timeout_s=60, what="messages have come")
            _assert_overlapping(mooring, lab, grant, user, mark, at.STATIC if target == "static" else at.DYNAMIC)
    told = _told(mooring, grant, len(stream.subjects))
    assert [subject for subject, _ in told] == stream.subjects
    assert refused == []
    _report(mooring, grant, [when for _, when in told])


def _told(mooring: Running, grant: str, count: int) -> list[tuple[str, float]]:
    """Subject and time of every message that was announced, in the order of the announcements."""

    def events() -> list[tuple[str, float]]:
        facts = mooring.rows(
            """SELECT m.subject, extract(epoch FROM o.at)::float8 AS at FROM outbox o
               JOIN messages m ON m.grant_id = o.grant_id AND m.id = o.data ->> 'id'
               WHERE o.grant_id = $1 AND o.type = 'message.created' ORDER BY o.sequence""",
            grant,
        )
        return [(fact["subject"], fact["at"]) for fact in facts]

    until(lambda: len(events()) >= count, timeout_s=30, what="everything is told")
    return events()


def _assert_overlapping(
    mooring: Running, lab: Laboratory, grant: str, user: User, mark: int, addresses: tuple[str, ...]
) -> None:
    """By the server's own log the new session was logged in before the old one had ended."""
    lines = [line for line in lab.dovecot.server.log(since=mark) if user.address in line]
    login = next(i for i, line in enumerate(lines) if "Login: " in line and any(f"rip={a}" in line for a in addresses))
    ends = [i for i, line in enumerate(lines) if f"imap({user.address})" in line and "Disconnected" in line]
    assert ends, lines
    assert login < ends[0], lines


def _report(mooring: Running, grant: str, times: list[float]) -> None:
    """Hold the gap at each change of hands against the ordinary spacing of events."""
    handovers = [
        row["at"]
        for row in mooring.rows(
            """SELECT extract(epoch FROM at)::float8 AS at FROM move_steps
               WHERE grant_id = $1 AND step = 'handed_over' ORDER BY at""",
            grant,
        )
    ]
    moments = sorted(set(times))
    gaps = [(later - earlier, earlier, later) for earlier, later in pairwise(moments)]
    around = [gap for gap, earlier, later in gaps if any(earlier <= h <= later for h in handovers)]
    ordinary = sorted(gap for gap, earlier, later in gaps if not any(earlier <= h <= later for h in handovers))
    points = statistics.quantiles(ordinary, n=100)
    print(
        f"spacing of events: p50 {points[49] * 1000:.0f} ms, p95 {points[94] * 1000:.0f} ms, "
        f"p99 {points[98] * 1000:.0f} ms, most {ordinary[-1] * 1000:.0f} ms ({len(ordinary)}); "
        f"across the two moves: {', '.join(f'{gap * 1000:.0f} ms' for gap in around)}"
    )
    assert len(around) == 2
    assert max(around) <= ordinary[-1]
