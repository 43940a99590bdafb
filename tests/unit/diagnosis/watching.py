"""A watch by its rules alone, with a clock and a server that a test moves."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from mooring.diagnosis.types import Exit, Lookup, Observation, Outcome, Service, Stage, Target, Vantage
from mooring.diagnosis.watches.doors import Door, doors_now
from mooring.diagnosis.watches.rules import (
    Change,
    Look,
    Standing,
    WatchState,
    after_look,
)

START = datetime(2026, 1, 31, 14, tzinfo=UTC)
IMAP_HOST, SMTP_HOST = "imap.example.com", "smtp.example.com"
NODE, OTHER_NODE, SMTP_NODE, NODE6 = "198.51.100.7", "198.51.100.8", "198.51.100.9", "2001:db8:1::7"
FOUR = tuple(f"203.0.113.{n}" for n in (10, 11, 12, 13))
SIX = "2001:db8::10"
IMAP, SMTP = Service.IMAP, Service.SMTP
IMAP_TARGET, SMTP_TARGET = Target(IMAP, IMAP_HOST, 993), Target(SMTP, SMTP_HOST, 465)
UNHEARD = Lookup(SMTP_HOST, problem="busy", detail="no thread was free")


@dataclass
class Watching:
    """A watch of four addresses, that looks at every door once a minute.

    Attributes:
        ours: our published addresses.
        names: what each host leads to now.
        lets_in: whether a door lets us in, and how it does not.
        proved: our addresses whose exits are known to work.
    """

    ours: tuple[str, ...] = FOUR
    targets: tuple[Target, ...] = (IMAP_TARGET,)
    names: dict[str, Lookup] = field(
        default_factory=lambda: {
            IMAP_HOST: Lookup(IMAP_HOST, (NODE,)), SMTP_HOST: Lookup(SMTP_HOST, (SMTP_NODE,)),
        }
    )  # fmt: skip
    lets_in: Callable[[Door], bool | Outcome] = lambda _: False
    proved: tuple[str, ...] | None = None
    remembered: bool = False
    now: datetime = START
    standing: Standing = field(default_factory=lambda: Standing(START))
    changes: list[Change] = field(default_factory=list[Change])

    def look(self, times: int = 1, *, after: timedelta = timedelta(minutes=1)) -> list[Change]:
        """Look so often; returns what has changed by that."""
        told: list[Change] = []
        for _ in range(times):
            self.now += after
            exits = [Exit(Vantage.STATIC, "v3-us-static", f"s-{a}", a) for a in self.ours]
            hosts = {target.host for target in self.targets}
            names = {host: lookup for host, lookup in self.names.items() if host in hosts}
            doors = doors_now(self.standing.doors, exits, self.targets, names)
            seen = [self.seen_of(door) for door in doors.to_try]
            tried = {door.key for door in doors.to_try}
            proved = self.ours if self.proved is None else self.proved
            self.standing, changes = after_look(self.standing, Look(self.now, doors, tried, seen, proved))
            told += changes
        self.changes += told
        return told

    def seen_of(self, door: Door) -> Observation:
        is_in = self.lets_in(door)
        outcome = is_in if isinstance(is_in, Outcome) else Outcome.REACHED if is_in else Outcome.SILENT
        return Observation(
            1, self.now, Vantage.STATIC, "v3-us-static", door.source, door.address, door.service, door.host, door.port,
            door.server, outcome, Stage.CAPABILITY, remembered=self.remembered,
        )  # fmt: skip

    def admit(self, *addresses: str, at: tuple[str, ...] = (NODE, OTHER_NODE, SMTP_NODE, NODE6)) -> None:
        """Have these addresses of ours be let in, and no others, at these of the server's."""
        self.lets_in = lambda door: door.address in addresses and door.server in at

    @property
    def state(self) -> WatchState:
        return self.standing.state

    def open_up(self) -> None:
        """Have all be open, and nothing told of it."""
        self.admit(*self.ours)
        self.look(2)
        assert self.state is WatchState.OPEN
        self.changes.clear()


def told(changes: list[Change]) -> list[tuple[str, tuple[str, ...], int, int]]:
    return [(str(c.kind), c.addresses, c.open, c.total) for c in changes]
