"""What a watch makes of what its looks see, and when it looks again. Pure.

A door is one service of the server, seen from one published address of ours. It counts as open after two successes in a
row, and as closed again after two failures in a row of an exit that is proved to work: one lost packet opens and closes
nothing. An address of ours is let in when all its doors are open.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from random import Random

import msgspec

from mooring.diagnosis.types import Observation, Outcome, Service, Stage
from mooring.diagnosis.verdict.cells import FILTERS, UNDECIDED

SURE = 2
"""In a row: from here on a door counts as open, or closed."""

FIRST = timedelta(hours=1)
"""How long it looks often: whoever was asked to open something often does so at once."""
SECOND = timedelta(hours=24)
"""How long it looks every 5 to 10 minutes."""
PATIENT = timedelta(days=14)
"""How long it waits for a rule at all."""
KEPT_OPEN = timedelta(days=30)
"""How long it sees to it afterwards that the rule is still there."""

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


class Door(msgspec.Struct, frozen=True):
    """One service of the server, from one published address of ours.

    Attributes:
        address: ours; ``source`` is its name.
        since: since when it is open, or closed again; None: it never was open.
        run: how often in a row it has let us in; negative: has not.
        run_since: when that began.
        outcome, said: of the last look that saw something.
    """

    address: str
    source: str
    service: Service
    host: str
    port: int
    is_open: bool = False
    since: datetime | None = None
    run: int = 0
    run_since: datetime | None = None
    outcome: str = ""
    said: str = ""
    looked_at: datetime | None = None

    @property
    def key(self) -> tuple[str, Service, str, int]:
        """What makes it this door."""
        return self.address, self.service, self.host, self.port

    @property
    def is_in_doubt(self) -> bool:
        """Whether the last look saw something else than it counts as."""
        return (self.run > 0) != self.is_open and self.run != 0 and abs(self.run) < SURE


class Standing(msgspec.Struct, frozen=True):
    """What a watch knows.

    Attributes:
        began: since when it waits, or is open.
        problem: why nothing could be looked at, such as a name that leads nowhere; "".
    """

    began: datetime
    state: WatchState = WatchState.WAITING
    doors: tuple[Door, ...] = ()
    problem: str = ""

    @property
    def addresses(self) -> dict[str, bool]:
        """Our addresses, and whether each is let in."""
        found: dict[str, bool] = {}
        for door in self.doors:
            found[door.address] = found.get(door.address, True) and door.is_open
        return found

    @property
    def open_addresses(self) -> list[str]:
        return [address for address, is_open in self.addresses.items() if is_open]


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
        addresses: of ours, those that it concerns.
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


def to_look_at(standing: Standing, doors: Sequence[Door], chance: Random) -> list[Door]:
    """The doors that the next look tries: those in doubt first, then those that were not looked at for the longest."""
    known = {door.key: door for door in standing.doors}
    current = [known.get(door.key, door) for door in doors]
    chance.shuffle(current)
    current.sort(key=lambda d: (not d.is_in_doubt, d.looked_at is not None, d.looked_at or standing.began))
    has_news = standing.state is WatchState.OPEN or any(d.is_in_doubt or d.is_open for d in current)
    return current[: NEWS if has_news else QUIET]


def after_look(
    standing: Standing, doors: Iterable[Door], seen: Sequence[Observation], proved: Collection[str], now: datetime
) -> tuple[Standing, list[Change]]:
    """What is known after a look, and what has changed by it.

    Args:
        doors: those that there are now: our list may have grown, and the server's addresses changed.
        seen: what the probes of this look saw; a door without one was not looked at. What was seen before that door's
            last look, for somebody else, is no news.
        proved: our addresses whose exits are known to work whatever the server does.
    """
    known = {door.key: door for door in standing.doors}
    looks = {(o.source_address, o.service, o.host, o.port): o for o in seen if o.outcome not in _NO_LOOK}
    after = tuple(
        _looked_through(known.get(door.key, door), looks.get(door.key), is_proved=door.address in proved)
        for door in doors
    )
    following = msgspec.structs.replace(standing, doors=after, problem="")
    changes = _changes(standing, following)
    # A list that has grown is waited for as well.
    state = WatchState.OPEN if after and all(following.addresses.values()) else WatchState.WAITING
    if state is not standing.state:
        following = msgspec.structs.replace(following, state=state, began=now)
    return following, changes


def after_time(standing: Standing, now: datetime) -> tuple[Standing, list[Change]]:
    """The watch, ended if its time is over."""
    age = now - standing.began
    kind = None
    if standing.state is WatchState.WAITING and age >= PATIENT:
        kind, state = ChangeKind.EXPIRED, WatchState.EXPIRED
    elif standing.state is WatchState.OPEN and age >= KEPT_OPEN:
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
    if any(door.is_in_doubt for door in standing.doors):
        return _about(rhythm.every, chance)
    if standing.state is WatchState.OPEN:
        return _about(rhythm.again, chance)
    age = now - standing.began
    if age < FIRST:
        return _about(rhythm.every, chance)
    return _about(rhythm.every * (_LATER if age < SECOND else _SELDOM), chance)


def _looked_through(door: Door, look: Observation | None, *, is_proved: bool) -> Door:
    if look is None or (door.looked_at is not None and look.at <= door.looked_at):
        return door
    is_in = look.outcome not in FILTERS or (look.outcome is Outcome.BROKEN and Stage.GREETING in look.passed)
    if not is_in and door.is_open and not is_proved:
        return door  # it may be our own exit
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


def _changes(before: Standing, after: Standing) -> list[Change]:
    """What has become of our addresses, together for those of one kind."""
    was, now = before.addresses, after.addresses
    changes: list[Change] = []
    for kind, is_open in ((ChangeKind.OPENED, True), (ChangeKind.CLOSED, False)):
        changed = [a for a, o in now.items() if o is is_open and was.get(a, False) is not is_open]
        if not changed:
            continue
        times = [d.since for d in after.doors if d.address in changed and d.is_open is is_open and d.since is not None]
        at = max(times, default=after.began)
        changes.append(Change(at, kind, tuple(changed), len(after.open_addresses), len(now)))
    return changes


def _about(time: timedelta, chance: Random) -> timedelta:
    """This long, give or take a third, so that many watches do not look at once."""
    return time * chance.uniform(2 / 3, 4 / 3)
