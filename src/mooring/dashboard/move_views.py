"""What pages show of moves, and what can be done about them: words, tones and buttons. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from mooring.applications import Application
from mooring.config import Kind, MigrationMode
from mooring.dashboard.views import Sign, failure_words
from mooring.errors import MooringError
from mooring.grants import Grant, MovePolicy, TooEarly
from mooring.moves import Batch, BatchState, Move, MoveState, MoveStep, Recorded


@dataclass(frozen=True, slots=True)
class Wait:
    """A staged move has stopped an account.

    Attributes:
        to: where it is started.
        left: how long until it can be, in words; "" when it can.
    """

    to: Kind
    due_at: datetime
    left: str


@dataclass(frozen=True, slots=True)
class Controls:
    """What can be done with an account now.

    Attributes:
        target: where it can be moved; None while it is on its way, or where the application lacks the addresses.
        lacks: whether those are what is missing.
        mode: how it moves unless somebody says otherwise; delay: of a move in two steps, in words.
    """

    is_stopped: bool
    wait: Wait | None
    target: Kind | None
    lacks: bool
    mode: MigrationMode
    delay: str

    @property
    def key(self) -> str:
        """The same for as long as the same can be done."""
        waits = "" if self.wait is None else f"{self.wait.to} {self.wait.due_at} {self.wait.left == ''}"
        return f"{self.is_stopped} {waits} {self.target} {self.lacks} {self.mode} {self.delay}"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something was not done, and what to do next."""

    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class StepView:
    """One step of a move."""

    at: datetime
    words: str
    detail: str


@dataclass(frozen=True, slots=True)
class MoveView:
    """A move of an account.

    Attributes:
        failure: why it did not come about, by word; empty where nothing stood in the way.
        steps: empty where they are not shown.
    """

    to: Kind
    how: str
    state: Sign
    by: str
    created_at: datetime
    ended_at: datetime | None
    warnings: Sequence[str]
    failure: Mapping[str, str]
    steps: Sequence[StepView]


@dataclass(frozen=True, slots=True)
class BatchView:
    """Accounts that move together.

    Attributes:
        actions: what an operator can do about them: ``pause``, ``resume``, ``roll-back``.
        moved: how many would move back if they were rolled back.
    """

    id: str
    to: Kind
    state: Sign
    by: str
    created_at: datetime
    ended: int
    total: int
    counts: Sequence[Sign]
    actions: Sequence[str]
    moved: int

    @property
    def key(self) -> str:
        """The same for as long as the same can be done."""
        return f"{self.id} {self.state.word}"


_STATES = {
    MoveState.PLACED: Sign("begun", "waiting"),
    MoveState.STOPPED: Sign("stopped", "waiting"),
    MoveState.WAITING: Sign("waiting", "waiting"),
    MoveState.PROVING: Sign("proving", "waiting"),
    MoveState.SETTLING: Sign("settling", "waiting"),
    MoveState.DONE: Sign("done", "good"),
    MoveState.FAILED: Sign("failed", "bad"),
    MoveState.ROLLED_BACK: Sign("rolled back", "calm"),
}

_STEPS = {
    MoveStep.AUTHENTICATED: "Authenticated for the first time",
    MoveStep.ASKED: "Asked for",
    MoveStep.STOPPED: "Stopped",
    MoveStep.AUTHENTICATED_AGAIN: "Authenticated again",
    MoveStep.STARTED: "Started",
    MoveStep.QUEUED: "Waits for its turn",
    MoveStep.TAKEN_UP: "Taken up by a worker of the new side",
    MoveStep.PROVEN: "Every server lets the new side in",
    MoveStep.HANDED_OVER: "Handed over to the new side",
    MoveStep.MOVED: "Moved to the new side",
    MoveStep.IN_STEP: "In step on the new side",
    MoveStep.REFUSED: "Refused",
    MoveStep.STEPPED_BACK: "Stepped back to the old side",
    MoveStep.CALLED_OFF: "Called off",
}

_BATCHES = {
    BatchState.RUNNING: Sign("moving", "waiting"),
    BatchState.PAUSED: Sign("paused", "waiting"),
    BatchState.ROLLED_BACK: Sign("rolled back", "calm"),
}

_ACTIONS = {
    BatchState.RUNNING: ("pause", "roll-back"),
    BatchState.PAUSED: ("resume", "roll-back"),
    BatchState.ROLLED_BACK: (),
}


def span(seconds: int) -> str:
    """A time in words: ``12 min 30 s``."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{number} {unit}" for number, unit in ((hours, "h"), (minutes, "min"), (rest, "s")) if number]
    return " ".join(parts) or "0 s"


def controls_of(
    grant: Grant, application: Application, latest: Move | None, policy: MovePolicy, now: datetime
) -> Controls:
    """What can be done with the account.

    Args:
        latest: the move that was begun last.
    """
    under_way = latest if latest is not None and latest.ended_at is None else None
    wait = None
    if under_way is not None and under_way.due_at is not None and grant.stopped_at is not None:
        left = under_way.seconds_left(now)
        wait = Wait(under_way.target, under_way.due_at, span(left) if left else "")
    # A dry run is in nobody's way: it is called off for a move.
    on_its_way = under_way is not None and not under_way.dry_run
    target = Kind.STATIC if grant.environment is Kind.DYNAMIC else Kind.DYNAMIC
    lacks = target is Kind.STATIC and not application.feature_on
    return Controls(
        is_stopped=grant.stopped_at is not None,
        wait=wait,
        target=None if on_its_way or lacks else target,
        lacks=lacks and not on_its_way,
        mode=policy.mode_of(application),
        delay=span(int(policy.staged_delay.total_seconds())),
    )


def next_look_s(wait: Wait | None, now: datetime, otherwise_s: float) -> float:
    """Seconds until what is said of a wait is true no more; they end with a second of it, and with the wait itself."""
    if wait is None or not wait.left:
        return otherwise_s
    return (wait.due_at - now).total_seconds() % 1 or 1.0


def refusal_of(error: MooringError) -> Refusal:
    """What is said where something was refused; it stays true while time passes."""
    if isinstance(error, TooEarly):
        return Refusal(f"Not started: it was too early by {span(error.seconds_left)}.", error.hint)
    return Refusal(error.message, error.hint)


def move_view(move: Move, steps: Sequence[Recorded] = ()) -> MoveView:
    """The move, in words."""
    how = "in two steps" if move.mode is MigrationMode.STAGED else "directly"
    return MoveView(
        to=move.target,
        how="dry run" if move.dry_run else how,
        state=_STATES[move.state],
        by=move.by,
        created_at=move.created_at,
        ended_at=move.ended_at,
        warnings=move.warnings,
        failure=failure_words(move.error),
        steps=[StepView(step.at, _STEPS[step.step], step.detail) for step in steps],
    )


def batch_view(batch: Batch) -> BatchView:
    """The batch, in words."""
    counts = [(_STATES[state], batch.counts[state]) for state in MoveState if batch.counts.get(state)]
    return BatchView(
        id=batch.id,
        to=batch.target,
        state=Sign("ended", "good") if batch.is_over else _BATCHES[batch.state],
        by=batch.by,
        created_at=batch.created_at,
        ended=batch.ended,
        total=batch.total,
        counts=[Sign(f"{count} {sign.word}", sign.tone) for sign, count in counts],
        actions=("roll-back",) if batch.is_over else _ACTIONS[batch.state],
        moved=sum(batch.counts.get(state, 0) for state in (MoveState.DONE, MoveState.SETTLING)),
    )


@dataclass(frozen=True, slots=True)
class Modes:
    """How an application's accounts move.

    Attributes:
        now: as it is.
        own: what was said for this application; "" where the policy decides.
        policy: what that says for its generation.
    """

    now: MigrationMode
    own: str
    policy: MigrationMode
    delay: str


def modes_of(application: Application, policy: MovePolicy) -> Modes:
    """How the application's accounts move, and why so."""
    return Modes(
        now=policy.mode_of(application),
        own=str(application.migration_mode or ""),
        policy=policy.modes[application.generation],
        delay=span(int(policy.staged_delay.total_seconds())),
    )
