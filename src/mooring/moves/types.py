"""A move of one account from one environment to the other, and moves that were begun together."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from math import ceil
from typing import Any

from mooring.config import EnvironmentName, Kind, MigrationMode
from mooring.moves.states import MoveState, MoveStep


@dataclass(frozen=True, slots=True)
class Move:
    """One move.

    Attributes:
        batch_id: of those it was begun with; "" when it was asked for by itself.
        environment: the one it leads to; who serves that carries out the move.
        server: the mail server's name.
        leaves, takes: the source that is left, where the environment stays the same, and the one that is kept
            instead, once it has been handed over; "" otherwise.
        dry_run: everything is tried and nothing is moved.
        by: who asked for it.
        error: why it did not come about, in the shape of ``provider_error`` with a ``message``; or None.
        warnings: what was found and does not stand in the way.
        due_at: staged: before this nothing starts the account again.
        offered_at: direct: when its turn came.
    """

    grant_id: str
    id: str
    application_id: str
    batch_id: str
    mode: MigrationMode
    target: Kind
    environment: EnvironmentName
    server: str
    leaves: str
    takes: str
    dry_run: bool
    state: MoveState
    by: str
    error: dict[str, Any] | None
    warnings: tuple[str, ...]
    created_at: datetime
    due_at: datetime | None
    offered_at: datetime | None
    ended_at: datetime | None

    @property
    def is_handed_over(self) -> bool:
        """Whether the account is on its new side already."""
        return self.state is MoveState.SETTLING

    def seconds_left(self, now: datetime) -> int:
        """Whole seconds until the delay of a staged move has passed; 0 when it has."""
        if self.ended_at is not None or self.due_at is None:
            return 0
        return max(0, ceil((self.due_at - now).total_seconds()))


@dataclass(frozen=True, slots=True)
class Recorded:
    """One step of a move: what happened, and where that led."""

    step: MoveStep
    state: MoveState
    at: datetime
    detail: str


class BatchState(StrEnum):
    """Whether the turns of a batch's moves come."""

    RUNNING = "running"
    PAUSED = "paused"
    ROLLED_BACK = "rolled_back"


@dataclass(frozen=True, slots=True)
class Batch:
    """Moves of one application that were begun together, and how far they are.

    Attributes:
        counts: how many moves are in each state.
    """

    id: str
    application_id: str
    target: Kind
    state: BatchState
    by: str
    created_at: datetime
    counts: dict[MoveState, int]

    @property
    def total(self) -> int:
        """How many moves there are in it."""
        return sum(self.counts.values())

    @property
    def ended(self) -> int:
        """How many have come to an end, whichever."""
        return sum(count for state, count in self.counts.items() if state.is_end)

    @property
    def is_over(self) -> bool:
        """Whether nobody of it moves any more, and nobody has called it back."""
        return self.state is BatchState.RUNNING and self.ended == self.total
