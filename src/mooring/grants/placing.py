"""Where an authentication places an account: rules alone (spec S9 to S13, S14, B8)."""

from dataclasses import dataclass
from datetime import datetime

from mooring.config import Kind, MigrationMode
from mooring.grants.errors import TooEarly
from mooring.moves import Move, MoveStep


@dataclass(frozen=True, slots=True)
class Placing:
    """Where an account is placed by an authentication.

    Attributes:
        stops: whether it stops then, as the first of the two authentications of a staged move (S10).
        ends: the open move that this brings to its end, by this step.
    """

    kind: Kind
    stops: bool = False
    ends: tuple[Move, MoveStep] | None = None


def new_account(*, feature_on: bool, mode: MigrationMode) -> Placing:
    """The first authentication of an account that was not known."""
    if feature_on and mode is MigrationMode.STAGED:
        return Placing(Kind.DYNAMIC, stops=True)
    return Placing(_by_feature(feature_on))


def known_account(*, feature_on: bool, mode: MigrationMode, current: Kind, move: Move | None, now: datetime) -> Placing:
    """An authentication of an account that is placed already.

    Args:
        current: where it is placed.
        move: the one that has not ended.

    Raises:
        TooEarly: a staged move's delay has not passed.
    """
    wanted, ends = _by_feature(feature_on), None
    if move is not None and not move.dry_run:
        if move.mode is MigrationMode.STAGED:
            require_due(move, now)
            return Placing(move.target, ends=(move, MoveStep.AUTHENTICATED_AGAIN))
        if move.leaves and wanted is current:
            return Placing(wanted)
        # Every session is made anew, so nothing is left to hand over.
        if move.target is wanted:
            return Placing(wanted, ends=(move, MoveStep.AUTHENTICATED_AGAIN))
        ends = move, MoveStep.CALLED_OFF
    if mode is MigrationMode.STAGED and wanted is Kind.STATIC and current is Kind.DYNAMIC:
        return Placing(current, stops=True, ends=ends)
    return Placing(wanted, ends=ends)


def require_due(move: Move, now: datetime) -> None:
    """See to it that a staged move's delay has passed.

    Raises:
        TooEarly.
    """
    if left := move.seconds_left(now):
        raise TooEarly(left)


def _by_feature(feature_on: bool) -> Kind:
    return Kind.STATIC if feature_on else Kind.DYNAMIC
