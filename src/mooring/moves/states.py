"""Every state of a move, and every step that leads from one to another: one table, which docs/moves.md draws.

Read from the top, the rows of the staged mode are the lines S9 to S13 of the article.
"""

from enum import StrEnum

from mooring.config import MigrationMode
from mooring.errors import Conflict

DIRECT, STAGED = MigrationMode.DIRECT, MigrationMode.STAGED


class MoveState(StrEnum):
    """Where a move is."""

    #: staged: authenticated once, and still placed where it was
    PLACED = "placed"
    #: staged: nothing is dialled for the account; the delay runs, or it has passed and nobody has come yet
    STOPPED = "stopped"
    #: direct: its turn has not come
    WAITING = "waiting"
    #: direct: a session on the new side is opened and held against the old one, which goes on
    PROVING = "proving"
    #: direct: the new session holds the mailbox, and has yet to come in step once
    SETTLING = "settling"
    #: the account is where it was to go
    DONE = "done"
    #: it could not go there; it never left
    FAILED = "failed"
    #: it is back where it was, or was called off before it had arrived
    ROLLED_BACK = "rolled_back"

    @property
    def is_end(self) -> bool:
        """Whether nothing follows."""
        return self in {MoveState.DONE, MoveState.FAILED, MoveState.ROLLED_BACK}


class MoveStep(StrEnum):
    """What happens to a move."""

    #: staged: the first authentication has placed the account (S9)
    AUTHENTICATED = "authenticated"
    #: staged: somebody asked for the move of an account that runs
    ASKED = "asked"
    #: staged: the account stops, by rule (S10)
    STOPPED = "stopped"
    #: an authentication placed the account where the move leads; of a staged move it is the second (S11)
    AUTHENTICATED_AGAIN = "authenticated_again"
    #: staged: an administrator started it, after the delay (S12)
    STARTED = "started"
    #: direct: asked for
    QUEUED = "queued"
    #: direct: a worker of the new side has begun, or begins anew for one that died
    TAKEN_UP = "taken_up"
    #: direct: every server lets the new side in; a dry run ends here
    PROVEN = "proven"
    #: direct: the mailbox has a new holder, in one transaction
    HANDED_OVER = "handed_over"
    #: direct: the account is on the new side, and whether it comes in step there is not waited for
    MOVED = "moved"
    #: direct: the new side has looked at every folder
    IN_STEP = "in_step"
    #: direct: the new side is not let in, or finds another mailbox
    REFUSED = "refused"
    #: direct: the new side failed after all
    STEPPED_BACK = "stepped_back"
    #: the feature was switched, an operator called the move back, or something else went before a dry run
    CALLED_OFF = "called_off"


BEGINNINGS = {
    (STAGED, MoveStep.AUTHENTICATED): MoveState.PLACED,
    (STAGED, MoveStep.ASKED): MoveState.PLACED,
    (DIRECT, MoveStep.QUEUED): MoveState.WAITING,
}
"""How a move comes to be."""

TRANSITIONS = {
    (MoveState.PLACED, MoveStep.STOPPED): MoveState.STOPPED,
    (MoveState.STOPPED, MoveStep.AUTHENTICATED_AGAIN): MoveState.DONE,
    (MoveState.STOPPED, MoveStep.STARTED): MoveState.DONE,
    (MoveState.STOPPED, MoveStep.CALLED_OFF): MoveState.ROLLED_BACK,
    (MoveState.WAITING, MoveStep.TAKEN_UP): MoveState.PROVING,
    (MoveState.WAITING, MoveStep.AUTHENTICATED_AGAIN): MoveState.DONE,
    (MoveState.WAITING, MoveStep.CALLED_OFF): MoveState.ROLLED_BACK,
    (MoveState.PROVING, MoveStep.TAKEN_UP): MoveState.PROVING,
    (MoveState.PROVING, MoveStep.PROVEN): MoveState.DONE,
    (MoveState.PROVING, MoveStep.HANDED_OVER): MoveState.SETTLING,
    (MoveState.PROVING, MoveStep.MOVED): MoveState.DONE,
    (MoveState.PROVING, MoveStep.REFUSED): MoveState.FAILED,
    (MoveState.PROVING, MoveStep.AUTHENTICATED_AGAIN): MoveState.DONE,
    (MoveState.PROVING, MoveStep.CALLED_OFF): MoveState.ROLLED_BACK,
    (MoveState.SETTLING, MoveStep.IN_STEP): MoveState.DONE,
    (MoveState.SETTLING, MoveStep.MOVED): MoveState.DONE,
    (MoveState.SETTLING, MoveStep.STEPPED_BACK): MoveState.ROLLED_BACK,
    (MoveState.SETTLING, MoveStep.AUTHENTICATED_AGAIN): MoveState.DONE,
    (MoveState.SETTLING, MoveStep.CALLED_OFF): MoveState.ROLLED_BACK,
}
"""All that can follow; whatever is not here cannot happen."""


CALLED_OFF_IN = frozenset(state for state, step in TRANSITIONS if step is MoveStep.CALLED_OFF)
"""The states in which a move can be called off: all that have not ended and wait for something."""


def first_state(mode: MigrationMode, step: MoveStep) -> MoveState:
    """The state that a move of this mode begins in, by this step."""
    return BEGINNINGS[(mode, step)]


def next_state(state: MoveState, step: MoveStep) -> MoveState:
    """The state that this step leads to.

    Raises:
        Conflict: it cannot follow.
    """
    found = TRANSITIONS.get((state, step))
    if found is None:
        raise Conflict(f"A move that is {state} cannot be {str(step).replace('_', ' ')}.")
    return found
