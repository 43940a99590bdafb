"""Diagnoses on pages: what is said of each state, and what is filled in to ask again."""

from dataclasses import replace

import pytest

from mooring.dashboard.diagnosis_views import counts_of, progress_of, row_of, sign_of
from mooring.diagnosis import Diagnosis, Question, Service, State, Watch
from mooring.diagnosis.progress import Began, Observed
from mooring.diagnosis.types import Outcome, Stage, Target
from tests.unit.diagnosis.observing import REFUSED, TARGET, probe, seen
from tests.unit.diagnosis.virtual import START
from tests.unit.diagnosis.worlds import HOST

QUEUED = Diagnosis(
    id="d1", application_id="app", grant_id="", by="admin adam", state=State.QUEUED,
    question=Question("app", "v3", "us", "word", (TARGET, Target(Service.SMTP, HOST, 2525))), verdict=None,
    evidence=None, error=None, run=0, created_at=START, started_at=None, ended_at=None,
)  # fmt: skip
RUNNING = replace(QUEUED, state=State.RUNNING)
DONE = replace(QUEUED, state=State.DONE, verdict=REFUSED)
FAILED = replace(QUEUED, state=State.FAILED, error={"type": "timeout", "message": "No time."})


@pytest.mark.parametrize(
    ("diagnosis", "word", "tone", "sentence"),
    [
        (QUEUED, "queued", "waiting", "It waits for its turn."),
        (RUNNING, "running", "waiting", "It is being found out."),
        (DONE, "needed", "waiting", "Done: Static addresses are needed."),
        (FAILED, "failed", "bad", "It ended without a verdict."),
    ],
)
def test_states(diagnosis: Diagnosis, word: str, tone: str, sentence: str) -> None:
    sign = sign_of(diagnosis)
    assert (sign.word, sign.tone, progress_of(diagnosis)) == (word, tone, sentence)


def test_counts_are_told_while_it_runs() -> None:
    watch = Watch((TARGET,))
    watch.take(Began(probe(2)))
    watch.take(Observed(seen(1, Stage.CONNECT, Outcome.SILENT)))
    assert counts_of(RUNNING, watch) == "1 connection ended, 1 under way."
    assert counts_of(DONE, watch) == ""


def test_a_row() -> None:
    row = row_of(DONE, {"app": "Acme"})
    assert (row.about, row.services, row.application, row.by) == (HOST, "IMAP 993, SMTP 2525", "Acme", "admin adam")
    assert row.title == "Static addresses are needed"
    assert row_of(FAILED, {}).title == "No time."
    by_address = Question("", "v3", "us", "word", (Target(Service.IMAP, "", 0),), "ann@example.com")
    found = row_of(replace(QUEUED, application_id="", question=by_address), {})
    assert (found.about, found.services, found.application) == ("ann@example.com", "IMAP", "the operator")
