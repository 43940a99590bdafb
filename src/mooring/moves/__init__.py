"""Moves between environments: what states they have, what is kept of them, whose turn it is.

It knows no session and dials nobody; who carries a move out is above. Start at ``states.py``.
"""

from mooring.moves.repository import (
    batches,
    find,
    insert_batch,
    lock_batch,
    of_batch,
    of_grant,
    offer_turn,
    offer_turns,
    open_in_application,
    open_of,
    set_batch_state,
    set_due,
    steps,
)
from mooring.moves.states import BEGINNINGS, TRANSITIONS, MoveState, MoveStep
from mooring.moves.types import Batch, BatchState, Move, Recorded
from mooring.moves.workflow import advance, begin, begin_batch

__all__ = [
    "BEGINNINGS",
    "TRANSITIONS",
    "Batch",
    "BatchState",
    "Move",
    "MoveState",
    "MoveStep",
    "Recorded",
    "advance",
    "batches",
    "begin",
    "begin_batch",
    "find",
    "insert_batch",
    "lock_batch",
    "of_batch",
    "of_grant",
    "offer_turn",
    "offer_turns",
    "open_in_application",
    "open_of",
    "set_batch_state",
    "set_due",
    "steps",
]
