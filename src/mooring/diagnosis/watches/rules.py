"""What a watch makes of what its looks see, and when it looks again. Pure.

A door counts as open after two successes in a row, and as closed again after two failures in a row of an exit that is
proved to work: one lost packet opens and closes nothing. An address of ours is let in when all its doors are open, and
no longer when one of them is shut.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from random import Random
from typing import Self

import msgspec

from mooring.diagnosis.types import Observation, Outcome, Stage
from mooring.diagnosis.verdict.cells import FILTERS, UNDECIDED
from mooring.diagnosis.watches.doors import SURE, Door, Doors, Key

FIRST = timedelta(hours=1)
"""How long it looks often: whoever was asked to open something often does so at once."""
SECOND = timedelta(hours=24)
"""How long it looks every 5 to 10 minutes."""
PATIENT = timedelta(days=14)
"""How long it waits for a rule at all."""
KEPT_OPEN = timedelta(days=30)
"""How long it sees to it afterwards that the rule is still there."""
LONGEST = PATIENT + KEPT_OPEN
"""How long a watch goes on at most, whatever opens and closes meanwhile."""

FREE_TURNS, STAYS = 3, timedelta(hours=1)
"""So often an address of ours opens and closes as soon as it is so; from then on what was told last stays for an hour,
and for twice as long each time: a server that comes and goes makes a dozen events, and not one every few minutes."""

QUIET, NEWS = 6, 16
"""Doors that one look tries: as long as nothing happens, and when something has begun to. At first that is two thirds
of what all who probe a server may cost it together (``budget.SERVER``)."""

_NO_LOOK = UNDECIDED | {Outcome.LIMITED}
"""Says nothing of a rule: who is told that it is too much for now has been let in, or has not."""

_LATER, _SELDOM = 5, 40
"""How many times longer it waits between looks in the second phase (5 to 10 min), and in the third (an hour)."""


class WatchState(StrEnum):
    """How far a watch is."""

    #: not all of our addresses are let in
    WAITING = "waiting"
    #: all are, and it goes on looking whether that stays so
    OPEN = "open"
    #: nobody opened in 14 days
    EXPIRED = "expired"
    #: it was open for 30 days
    ENDED = "ended"

    @property
    def is_end(self) -> bool:
        """Whether nothing more happens."""
        return self in {WatchState.EXPIRED, WatchState.ENDED}


class Ours(msgspec.Struct, frozen=True):
    """One published address of ours, as it was told last.

    Attributes:
        is_open: whether it is let in.
        turned_at: when that changed last; ``turns``: how often it has.
    """

    is_open: bool = False
    turned_at: datetime | None = None
    turns: int = 0

    def becoming(self, is_open: bool, now: datetime) -> Self:
        """The same, or changed; one that has changed often only after it has stayed as it is for longer each time."""
        if is_open is self.is_open or (self.turned_at is not None and now - self.turned_at < self._stays):
            return self
        return type(self)(is_open, now, self.turns + 1)

    @property
    def _stays(self) -> timedelta:
        return STAYS * 2 ** (self.turns - FREE_TURNS) if self.turns >= FREE_TURNS else timedelta(0)


class Standing(msgspec.Struct, frozen=True):
    """What a watch knows.

    Attributes:
        began: since when it waits, or is open.
        problem: why something could not be looked at, such as a name that leads nowhere; "".
        ours: our addresses, and what was told of each.
        is_complete: whether the last look heard of all the server's addresses that are known.
    """

    began: datetime
    state: WatchState = WatchState.WAITING
    doors: tuple[Door, ...] = ()
    problem: str = ""
    ours: dict[str, Ours] = {}
    is_complete: bool = True

    @property
    def addresses(self) -> dict[str, bool]:
        """Our addresses, and whether each is let in."""
        return {address: ours.is_open for address, ours in self.ours.items()}

    @property
    def open_addresses(self) -> list[str]:
        return [address for address, is_open in self.addresses.items() if is_open]

    @property
    def may_close(self) -> set[str]:
        """Our addresses of which a failure might be told, so that it has to be the server's."""
        return {*self.open_addresses, *(door.address for door in self.doors if door.is_open)}

    @property
    def may_connect(self) -> bool:
        """Whether a password may be shown: all that is known of the server is open, and nothing is missing."""
        is_open = self.state is WatchState.OPEN and all(door.is_open for door in self.doors)
        return is_open and self.is_complete


class ChangeKind(StrEnum):
    """What can have changed."""

    #: addresses are let in that were not
    OPENED = "opened"
    #: addresses are not let in any longer
    CLOSED = "closed"
    #: an account was authenticated
    AUTHENTICATED = "authenticated"
    #: the server refused the login, or it failed for good
    NOT_AUTHENTICATED = "not_authenticated"
    EXPIRED = "expired"
    ENDED = "ended"


class Change(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something that changed.

    Attributes:
        at: UTC: when the first look saw it; that it is so, the next one has confirmed.
        addresses: of ours, those that it concerns; none where all is open since the last closed one is gone.
        open, total: how many of our addresses are let in by now, and of how many.
        grant_id: of an authentication.
        message: why not.
    """

    at: datetime
    kind: ChangeKind
    addresses: tuple[str, ...] = ()
    open: int = 0
    total: int = 0
    grant_id: str = ""
    message: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether all of our addresses are let in now."""
        return self.open == self.total


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often a watch looks.

    Attributes:
        every: at first, on average; later some times less often.
        again: once all are open.
    """

    every: timedelta = timedelta(seconds=90)
    again: timedelta = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Look:
    """One look.

    Attributes:
        doors: those that there are by now.
        tried: which of them were chosen; what was seen of the others, nobody looked for.
        seen: what the probes saw, and what is remembered.
        proved: our addresses whose exits are known to work, whatever the server does.
        problem: why something could not be looked at.
    """

    at: datetime
    doors: Doors
    tried: Collection[Key]
    seen: Sequence[Observation]
    proved: Collection[str]
    problem: str = ""


def to_look_at(standing: Standing, doors: Sequence[Door], now: datetime, chance: Random) -> list[Door]:
    """The doors that the next look tries: those in doubt first, then those that were not tried for the longest."""
    current = list(doors)
    chance.shuffle(current)
    current.sort(key=lambda d: (not d.is_in_doubt(now), d.tried_at is not None, d.tried_at or standing.began))
    has_news = standing.state is WatchState.OPEN or any(d.is_in_doubt(now) or d.is_open for d in current)
    return current[: NEWS if has_news else QUIET]


def after_look(standing: Standing, look: Look) -> tuple[Standing, list[Change]]:
    """What is known after a look, and what has changed by it.

    A door that nothing was seen of was not looked at; what was seen before its last look, for somebody else, is no
    news. Nothing opens by a look that a part of the server was missing from.
    """
    looks = {(o.source_address, o.service, o.host, o.port, o.address): o for o in _telling(standing, look)}
    doors = tuple(
        _looked_through(
            msgspec.structs.replace(door, tried_at=look.at) if door.key in look.tried else door, looks.get(door.key)
        )
        for door in look.doors.all
    )
    is_complete = not look.doors.unheard
    following = msgspec.structs.replace(
        standing,
        doors=doors,
        problem=look.problem,
        ours=_ours(standing, doors, look.at, may_open=is_complete),
        is_complete=is_complete,
    )
    changes = _changes(standing, following)
    # A list that has grown is waited for as well.
    state = WatchState.WAITING
    if doors and all(following.addresses.values()):
        state = WatchState.OPEN if is_complete else standing.state
    if state is standing.state:
        return following, changes
    if state is WatchState.OPEN and not changes:
        # What was still closed has left the list, or the server.
        total = len(following.ours)
        changes = [Change(look.at, ChangeKind.OPENED, open=total, total=total)]
    return msgspec.structs.replace(following, state=state, began=look.at), changes


def after_time(standing: Standing, created_at: datetime, now: datetime) -> tuple[Standing, list[Change]]:
    """The watch, ended if its time is over, however often it began to wait anew."""
    age, whole_age = now - standing.began, now - created_at
    if standing.state is WatchState.WAITING and (age >= PATIENT or whole_age >= LONGEST):
        kind, state = ChangeKind.EXPIRED, WatchState.EXPIRED
    elif standing.state is WatchState.OPEN and (age >= KEPT_OPEN or whole_age >= LONGEST):
        kind, state = ChangeKind.ENDED, WatchState.ENDED
    else:
        return standing, []
    total = len(standing.addresses)
    change = Change(now, kind, open=len(standing.open_addresses), total=total)
    return msgspec.structs.replace(standing, state=state), [change]


def next_look(standing: Standing, now: datetime, rhythm: Rhythm, chance: Random) -> timedelta | None:
    """How long until the next look; None: there is none."""
    if standing.state.is_end:
        return None
    if any(door.is_in_doubt(now) for door in standing.doors):
        return _about(rhythm.every, chance)
    if standing.state is WatchState.OPEN:
        return _about(rhythm.again, chance)
    age = now - standing.began
    if age < FIRST:
        return _about(rhythm.every, chance)
    return _about(rhythm.every * (_LATER if age < SECOND else _SELDOM), chance)


def patience(standing: Standing, now: datetime, rhythm: Rhythm) -> timedelta:
    """How long until the account is tried again that our own side kept from being connected: soon, then less often."""
    return min(max(rhythm.every, (now - standing.began) / 4), rhythm.again)


def _telling(standing: Standing, look: Look) -> Iterator[Observation]:
    """What says something of the server; a failure that could close something does where it can be nothing of ours."""
    guarded = standing.may_close
    for o in look.seen:
        is_sure = o.source_address in look.proved and not o.remembered
        if o.outcome not in _NO_LOOK and (_lets_in(o) or is_sure or o.source_address not in guarded):
            yield o


def _lets_in(observation: Observation) -> bool:
    is_broken_later = observation.outcome is Outcome.BROKEN and Stage.GREETING in observation.passed
    return observation.outcome not in FILTERS or is_broken_later


def _looked_through(door: Door, look: Observation | None) -> Door:
    if look is None or (door.looked_at is not None and look.at <= door.looked_at):
        return door
    is_in = _lets_in(look)
    if not is_in and door.absent:
        return door  # the server may have left this address
    run = door.run + 1 if is_in else door.run - 1
    is_new_run = (door.run > 0) != is_in or door.run == 0
    if is_new_run:
        run = 1 if is_in else -1
    began = look.at if is_new_run else door.run_since
    door = msgspec.structs.replace(
        door, run=run, run_since=began, outcome=str(look.outcome), said=look.said, looked_at=look.at
    )
    if abs(run) >= SURE and is_in != door.is_open:
        door = msgspec.structs.replace(door, is_open=is_in, since=began)
    return door


def _ours(standing: Standing, doors: Sequence[Door], now: datetime, *, may_open: bool) -> dict[str, Ours]:
    """What our addresses become: open with all their doors, closed with one of them, and as they were in between."""
    found: dict[str, Ours] = {}
    for address in dict.fromkeys(door.address for door in doors):
        mine = [door for door in doors if door.address == address]
        was = standing.ours.get(address, Ours())
        is_shut = any(door.is_shut for door in mine)
        is_open = not is_shut and (was.is_open or (may_open and all(door.is_open for door in mine)))
        found[address] = was.becoming(is_open, now)
    return found


def _changes(before: Standing, after: Standing) -> list[Change]:
    """What has become of our addresses, together for those of one kind."""
    was, now = before.addresses, after.addresses
    changes: list[Change] = []
    for kind, is_open in ((ChangeKind.OPENED, True), (ChangeKind.CLOSED, False)):
        changed = [a for a, o in now.items() if o is is_open and was.get(a, False) is not is_open]
        if not changed:
            continue
        # One of a new address of the server that never was open is closed since it was first looked at.
        times = [d.since or d.run_since for d in after.doors if d.address in changed and d.is_open is is_open]
        at = max((time for time in times if time is not None), default=after.began)
        changes.append(Change(at, kind, tuple(changed), len(after.open_addresses), len(now)))
    return changes


def _about(time: timedelta, chance: Random) -> timedelta:
    """This long, give or take a third, so that many watches do not look at once."""
    return time * chance.uniform(2 / 3, 4 / 3)
