"""The doors that a watch looks at: every service of the server, at each of its addresses, from each of ours. Pure.

They outlive a lookup that tells nothing, or only half: a name server that is busy once takes no door away, since what
is not looked at would else count as open.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from mooring.diagnosis.types import Exit, Lookup, Service, Target
from mooring.diagnosis.verdict.plan import ADDRESSES

SURE = 2
"""In a row: from here on a door counts as open, or closed."""
GONE = 4
"""Lookups in a row that no longer name an address of the server, until it is given up."""
RECENT = timedelta(minutes=15)
"""How long a look leaves a doubt that is worth another one soon: what cannot be looked at by then waits its turn."""

Key = tuple[str, Service, str, int, str]


class Door(msgspec.Struct, frozen=True):
    """One service at one address of the server, from one published address of ours.

    Attributes:
        address: ours; ``source`` is its name.
        server: the server's.
        since: since when it is open, or closed again; None: it never was open.
        run: how often in a row it has let us in; negative: has not.
        run_since: when that began.
        outcome, said: of the last look that saw something, at ``looked_at``.
        tried_at: the last look, whether it saw something or not.
        absent: lookups in a row that did not name this address of the server.
    """

    address: str
    source: str
    service: Service
    host: str
    port: int
    server: str
    is_open: bool = False
    since: datetime | None = None
    run: int = 0
    run_since: datetime | None = None
    outcome: str = ""
    said: str = ""
    looked_at: datetime | None = None
    tried_at: datetime | None = None
    absent: int = 0

    @property
    def key(self) -> Key:
        """What makes it this door."""
        return self.address, self.service, self.host, self.port, self.server

    @property
    def family(self) -> int:
        """4 or 6."""
        return _family(self.server)

    @property
    def is_shut(self) -> bool:
        """Whether it is sure that it does not let us in."""
        return not self.is_open and self.run <= -SURE

    def is_in_doubt(self, now: datetime) -> bool:
        """Whether a look a moment ago saw something else than it counts as."""
        is_other = self.run != 0 and (self.run > 0) != self.is_open and abs(self.run) < SURE
        return is_other and self.looked_at is not None and now - self.looked_at < RECENT


@dataclass(frozen=True, slots=True)
class Doors:
    """The doors that there are now.

    Attributes:
        unheard: hosts, each with a family, of which this lookup told nothing: their doors stay as they were.
    """

    all: tuple[Door, ...]
    unheard: frozenset[tuple[str, int]]

    @property
    def to_try(self) -> list[Door]:
        """Those that can be looked at now."""
        return [door for door in self.all if (door.host, door.family) not in self.unheard]


def doors_now(
    known: Sequence[Door], exits: Collection[Exit], targets: Sequence[Target], lookups: Mapping[str, Lookup]
) -> Doors:
    """What the doors have become by a lookup.

    One leaves with our own address, or when its server's address was absent from ``GONE`` lookups in a row. One of a
    host that could not be looked up stays as it is.

    Args:
        exits: those of our published list.
        lookups: by host.
    """
    before = {door.key: door for door in known}
    doors: list[Door] = []
    unheard = {(host, family) for host, lookup in lookups.items() if lookup.problem for family in (4, 6)}
    for target in targets:
        here = [d for d in known if (d.service, d.host, d.port) == (target.service, target.host, target.port)]
        for family in sorted({way_out.family for way_out in exits}):
            had = {door.server: door.absent for door in here if door.family == family}
            heard = [a for a in lookups[target.host].addresses if _family(a) == family]
            servers = had if lookups[target.host].problem else _servers(had, heard)
            if servers and not heard:
                unheard.add((target.host, family))
            for way_out in (e for e in exits if e.family == family):
                for server, absent in servers.items():
                    door = Door(way_out.address, way_out.source, target.service, target.host, target.port, server)
                    door = before.get(door.key, door)
                    doors.append(msgspec.structs.replace(door, source=way_out.source, absent=absent))
    return Doors(tuple(doors), frozenset(unheard))


def _servers(had: Mapping[str, int], heard: Sequence[str]) -> dict[str, int]:
    """The server's addresses of one family, with how often in a row each was absent.

    Those that are known stay, whatever order they come in: a name that turns round leads to no other doors each time.
    """
    counted = {server: 0 if server in heard else absent + 1 for server, absent in had.items()}
    kept = {server: absent for server, absent in counted.items() if absent < GONE}
    new = [server for server in heard if server not in kept]
    return kept | dict.fromkeys(new[: max(0, ADDRESSES - len(kept))], 0)


def _family(address: str) -> int:
    return 6 if ":" in address else 4
