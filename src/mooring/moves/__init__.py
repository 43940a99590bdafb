"""Moves between environments: what states they have, what is kept of them, whose turn it is.

It knows no session and dials nobody; who carries a move out is above. Start at ``states.py``.
"""

from mooring.moves.repository import (
    arrived,
    batches,
    call_off,
    call_off_leaving,
    find,
    insert_batch,
    leaves_a_source,
    leaving,
    lock_batch,
    of_grant,
    offer_turns,
    open_of,
    set_batch_state,
    set_due,
    set_taken,
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
    "arrived",
    "batches",
    "begin",
    "begin_batch",
    "call_off",
    "call_off_leaving",
    "find",
    "insert_batch",
    "leaves_a_source",
    "leaving",
    "lock_batch",
    "of_grant",
    "offer_turns",
    "open_of",
    "set_batch_state",
    "set_due",
    "set_taken",
    "steps",
]
