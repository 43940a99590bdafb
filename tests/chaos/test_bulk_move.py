"""An application's mailboxes move together to a server that admits few connections from an address: none is refused.

A hundred of them, and a server that admits 5 from each of 8 sources. ``MOORING_BULK=1000`` takes so many, and 20.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.crowd import DYNAMIC, STATIC, asked, gathered, policy
from tests.lab.firewall import Firewall
from tests.lab.laboratory import Laboratory
from tests.running import Running, configuration
from tests.waiting import until

PORT = 18128
MAILBOXES = int(os.environ.get("MOORING_BULK", "100"))
CAP = 20 if MAILBOXES >= 1000 else 5
MOVED_S = 60 + MAILBOXES / 2
"""Seconds for a batch: ten moves in a second would be a tenth of it."""


@pytest.fixture
def mooring(lab: Laboratory, tmp_path: Path) -> Iterator[Running]:
    for address in (*STATIC, *DYNAMIC):
        lab.network.plumb(address)
    (tmp_path / "mooring.toml").write_text(
        configuration(PORT, static=STATIC, dynamic=DYNAMIC, extra=policy(subset=len(STATIC), connections=CAP))
    )
    running = Running(tmp_path, PORT, lab.trust)
    running.start()
    yield running
    assert running.stop() == 0
    assert running.defects == []
    for address in (*STATIC, *DYNAMIC):
        lab.network.unplumb(address)


@pytest.mark.timeout(240 + 4 * MOVED_S)
def test_bulk_move(mooring: Running, lab: Laboratory, firewall: Firewall) -> None:
    firewall.cap(CAP)
    with asked(mooring) as rows:
        crowd = gathered(mooring, rows, lab, MAILBOXES, name="bulk")

        mooring.static_ips("on")
        paused = _followed(mooring, lambda batch: batch["ended"] >= MAILBOXES // 5)
        mooring.command("app", "pause", mooring.application_id, paused["id"])
        at_rest = _followed(mooring, lambda batch: not {"proving", "settling"} & batch["counts"].keys())
        assert (at_rest["state"], at_rest["ended"] < MAILBOXES) == ("paused", True)
        crowd.visited()
        assert _batch(mooring) == at_rest

        mooring.command("app", "resume", mooring.application_id, paused["id"])
        moved = _followed(mooring, _is_over)
        assert moved["counts"] == {"done": MAILBOXES}
        assert crowd.environments() == {("static", MAILBOXES)}
        crowd.visited()
        assert firewall.over_cap() == 0

        mooring.command("app", "roll-back", mooring.application_id, paused["id"])
        back = _followed(mooring, _is_over)
        assert (back["to"], back["counts"]) == ("dynamic", {"done": MAILBOXES})
        assert crowd.environments() == {("dynamic", MAILBOXES)}
        crowd.visited()
        assert firewall.over_cap() == 0
        assert rows("SELECT source, cause FROM ledger WHERE outcome IN ('failed', 'not_dialled')") == []
        assert {kind for _, kind, _ in crowd.facts()} & {"sync.failed", "sync.gap"} == set()


def _is_over(batch: dict[str, Any]) -> bool:
    return batch["ended"] == batch["total"]


def _batch(mooring: Running) -> dict[str, Any]:
    """The latest batch."""
    return mooring.command("app", "moves", mooring.application_id)[0]


def _followed(mooring: Running, is_there: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The batch once it is there; on the way nothing that was done is undone."""
    ended = 0

    def look() -> dict[str, Any] | None:
        nonlocal ended
        batch = _batch(mooring)
        assert (batch["total"], batch["ended"] >= ended) == (MAILBOXES, True), batch
        ended = batch["ended"]
        return batch if is_there(batch) else None

    return until(look, timeout_s=MOVED_S, what="the batch is there")
