"""What pages show of moves: how long one waits, what can be done, and what is said of a refusal."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from mooring.applications import Application, StaticIps
from mooring.config import EnvironmentName, Generation, Kind, MigrationMode
from mooring.dashboard.move_views import batch_view, controls_of, modes_of, move_view, next_look_s, refusal_of, span
from mooring.errors import Forbidden
from mooring.grants import MovePolicy, TooEarly
from mooring.moves import Batch, BatchState, Move, MoveState, MoveStep, Recorded
from tests.unit.dashboard.test_views import GRANT

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
POLICY = MovePolicy(timedelta(minutes=30), {Generation.V2: MigrationMode.STAGED, Generation.V3: MigrationMode.DIRECT})
ACME = Application("acme", "org", "Acme", Generation.V3, "us", StaticIps.ON, NOW, NOW)
STAGED = Move(
    grant_id="g1", id="m1", application_id="acme", batch_id="", mode=MigrationMode.STAGED, target=Kind.STATIC,
    environment=EnvironmentName(Generation.V3, "us", Kind.STATIC), server="imap.example.com", leaves="", takes="",
    dry_run=False,
    state=MoveState.STOPPED, by="operator olga", error=None, warnings=(), created_at=NOW,
    due_at=NOW + timedelta(seconds=750), offered_at=None, ended_at=None,
)  # fmt: skip
STOPPED = replace(GRANT, stopped_at=NOW)
DIRECT = replace(STAGED, mode=MigrationMode.DIRECT, state=MoveState.PROVING, due_at=None)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(750, "12 min 30 s"), (5, "5 s"), (60, "1 min"), (1800, "30 min"), (3661, "1 h 1 min 1 s"), (0, "0 s")],
)
def test_a_time_is_told_in_words(seconds: int, words: str) -> None:
    assert span(seconds) == words


def test_an_account_that_runs_can_be_stopped_and_moved_where_it_is_not() -> None:
    controls = controls_of(GRANT, ACME, None, POLICY, NOW)
    assert (controls.is_stopped, controls.wait, controls.target) == (False, None, Kind.STATIC)
    assert (controls.mode, controls.delay) == (MigrationMode.DIRECT, "30 min")
    in_static = replace(GRANT, environment=Kind.STATIC)
    assert controls_of(in_static, ACME, None, POLICY, NOW).target is Kind.DYNAMIC


def test_without_static_addresses_only_the_way_back_is_offered() -> None:
    poor = replace(ACME, static_ips=StaticIps.OFF)
    controls = controls_of(GRANT, poor, None, POLICY, NOW)
    assert (controls.target, controls.lacks) == (None, True)
    assert controls_of(replace(GRANT, environment=Kind.STATIC), poor, None, POLICY, NOW).target is Kind.DYNAMIC


def test_an_account_on_its_way_is_not_offered_another_one() -> None:
    assert controls_of(GRANT, ACME, DIRECT, POLICY, NOW).target is None
    assert controls_of(GRANT, ACME, replace(DIRECT, dry_run=True), POLICY, NOW).target is Kind.STATIC
    ended = replace(DIRECT, state=MoveState.FAILED, ended_at=NOW)
    assert controls_of(GRANT, ACME, ended, POLICY, NOW).target is Kind.STATIC


def test_a_wait_is_told_to_the_second_and_ends() -> None:
    at = [NOW + timedelta(seconds=passed) for passed in (0, 749, 750)]
    waits = [controls_of(STOPPED, ACME, STAGED, POLICY, now).wait for now in at]
    assert [wait.left for wait in waits if wait is not None] == ["12 min 30 s", "1 s", ""]
    assert {wait.to for wait in waits if wait is not None} == {Kind.STATIC}


def test_the_form_is_the_same_while_time_passes_and_another_once_the_account_can_be_started() -> None:
    at = [NOW + timedelta(seconds=passed) for passed in (0, 1, 749, 750, 800)]
    keys = [controls_of(STOPPED, ACME, STAGED, POLICY, now).key for now in at]
    assert keys[0] == keys[1] == keys[2] != keys[3] == keys[4]


def test_the_next_look_is_when_what_is_said_is_true_no_more() -> None:
    now = NOW + timedelta(seconds=0.75)
    assert next_look_s(controls_of(STOPPED, ACME, STAGED, POLICY, now).wait, now, 2.0) == pytest.approx(0.25)
    assert next_look_s(controls_of(STOPPED, ACME, STAGED, POLICY, NOW).wait, NOW, 2.0) == pytest.approx(1.0)
    late = NOW + timedelta(hours=1)
    assert next_look_s(controls_of(STOPPED, ACME, STAGED, POLICY, late).wait, late, 2.0) == pytest.approx(2.0)
    assert next_look_s(None, NOW, 2.0) == pytest.approx(2.0)


def test_what_is_said_of_a_refusal_stays_true() -> None:
    early = refusal_of(TooEarly(750))
    assert early.message == "Not started: it was too early by 12 min 30 s."
    assert "nothing is lost" in early.hint
    refused = refusal_of(Forbidden("No.", hint="Ask."))
    assert (refused.message, refused.hint) == ("No.", "Ask.")


def test_a_move_is_told_with_its_steps_and_why_it_did_not_come_about() -> None:
    failed = replace(
        DIRECT, state=MoveState.FAILED, warnings=("Another key.",), ended_at=NOW,
        error={"message": "No answer.", "stage": "connect", "password": "hunter2"},
    )  # fmt: skip
    view = move_view(failed, [Recorded(MoveStep.QUEUED, MoveState.WAITING, NOW, "by operator olga")])
    assert (view.how, view.state.word, view.warnings) == ("directly", "failed", ("Another key.",))
    assert view.failure == {"message": "No answer.", "stage": "connect"}
    assert [(step.words, step.detail) for step in view.steps] == [("Waits for its turn", "by operator olga")]
    assert [move_view(m).how for m in (STAGED, replace(DIRECT, dry_run=True))] == ["in two steps", "dry run"]


@pytest.mark.parametrize("state", MoveState)
def test_every_state_of_a_move_has_a_word(state: MoveState) -> None:
    assert move_view(replace(STAGED, state=state)).state.word


@pytest.mark.parametrize("step", MoveStep)
def test_every_step_of_a_move_has_words(step: MoveStep) -> None:
    [view] = move_view(STAGED, [Recorded(step, MoveState.DONE, NOW, "")]).steps
    assert view.words


@pytest.mark.parametrize(
    ("state", "counts", "word", "actions"),
    [
        (BatchState.RUNNING, {MoveState.WAITING: 2, MoveState.DONE: 1}, "moving", ("pause", "roll-back")),
        (BatchState.PAUSED, {MoveState.WAITING: 2, MoveState.SETTLING: 1}, "paused", ("resume", "roll-back")),
        (BatchState.RUNNING, {MoveState.DONE: 1, MoveState.FAILED: 2}, "ended", ("roll-back",)),
        (BatchState.ROLLED_BACK, {MoveState.ROLLED_BACK: 2, MoveState.DONE: 1}, "rolled back", ()),
    ],
)
def test_of_accounts_that_move_together_is_told_how_far_they_are_and_what_can_be_done(
    state: BatchState, counts: dict[MoveState, int], word: str, actions: tuple[str, ...]
) -> None:
    view = batch_view(Batch("b1", "acme", Kind.STATIC, state, "operator olga", NOW, counts))
    assert (view.state.word, view.actions, view.total, view.moved) == (word, actions, 3, 1)
    assert len(view.counts) == 2


def test_how_accounts_move_is_told_with_who_said_so() -> None:
    by_policy = modes_of(ACME, POLICY)
    own = modes_of(replace(ACME, migration_mode=MigrationMode.STAGED), POLICY)
    assert (by_policy.now, by_policy.own, by_policy.delay) == (MigrationMode.DIRECT, "", "30 min")
    assert (own.now, own.own, own.policy) == (MigrationMode.STAGED, "staged", MigrationMode.DIRECT)
