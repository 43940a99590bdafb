"""A diagnosis while it runs, for people: the matrix of sources and stages, or a line for each thing that happens."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from rich.table import Table
from rich.text import Text

from mooring.cli.tables import shown
from mooring.diagnosis import (
    Began,
    Control,
    Controlled,
    LookedUp,
    Lookup,
    Observation,
    Observed,
    Outcome,
    Passed,
    Probe,
    Progress,
    Stage,
    Step,
    Vantage,
    words_of_lookup,
)

COLUMNS: tuple[tuple[str, tuple[Stage, ...]], ...] = (
    ("CONNECT", (Stage.CONNECT,)),
    ("TLS", (Stage.TLS,)),
    ("GREETING", (Stage.GREETING,)),
    ("OFFERS", (Stage.CAPABILITY,)),
    ("LOGIN", (Stage.LOGIN,)),
    ("USE", (Stage.LIST, Stage.RECIPIENT, Stage.CALENDAR)),
)
"""The last one is what the service is for: folders are listed, a recipient is taken, calendars are found."""

WIDE = 96
"""Columns that the matrix needs."""

PASSED, FAILED, UNDER_WAY, SPARED = "✓", "✗", "●", "…"

_ORDER = (Vantage.STATIC, *(vantage for vantage in Vantage if vantage is not Vantage.STATIC))


@dataclass(slots=True)
class Row:
    """One probe, as far as it is known."""

    probe: Probe | None = None
    steps: list[Step] = field(default_factory=list[Step])
    seen: Observation | None = None

    @property
    def vantage(self) -> Vantage:
        """Whose address it leaves from."""
        return self.seen.vantage if self.seen is not None else self._probe.exit.vantage

    @property
    def source(self) -> str:
        """The address that it leaves from."""
        return self.seen.source_address if self.seen is not None else self._probe.exit.address

    @property
    def server(self) -> tuple[str, str, int]:
        """Service, address and port."""
        if self.seen is not None:
            return (str(self.seen.service), self.seen.address, self.seen.port)
        return (str(self._probe.target.service), self._probe.address, self._probe.target.port)

    def cells(self) -> list[Text]:
        """The columns of the matrix."""
        service, address, port = self.server
        way = f"{self.source} {words(self.vantage)}"
        return [shown(way), shown(f"{service} {address}:{port}"), *(self._stage(s) for _, s in COLUMNS), self._end()]

    def few_cells(self) -> list[Text]:
        """The same where there is little room."""
        service, address, port = self.server
        passed = (self.seen.steps if self.seen is not None and self.seen.steps else tuple(self.steps))[-1:]
        last = Text(f"{PASSED} {passed[0].stage}" if passed else "", "green")
        if self.seen is not None and self.seen.outcome not in {Outcome.REACHED, Outcome.SPARED}:
            last = Text(f"{FAILED} {self.seen.stage}", "bold red")
        way = f"{self.source} {words(self.vantage)}"
        return [shown(way), shown(f"{service} {address}:{port}"), last, self._end()]

    @property
    def is_spared(self) -> bool:
        """Whether it never left."""
        return self.seen is not None and self.seen.outcome is Outcome.SPARED and not self.seen.steps

    @property
    def _probe(self) -> Probe:
        assert self.probe is not None
        return self.probe

    def _stage(self, stages: tuple[Stage, ...]) -> Text:
        if self.seen is not None and self.seen.stage in stages and self.seen.outcome is not Outcome.REACHED:
            if self.seen.outcome is Outcome.SPARED:
                return Text(SPARED, "dim")
            return Text(FAILED, "bold red")
        for step in reversed(self.seen.steps if self.seen is not None and self.seen.steps else self.steps):
            if step.stage in stages:
                return Text(f"{PASSED} {step.ms:.0f}", "green")
        return Text("")

    def _end(self) -> Text:
        if self.seen is None:
            return Text(UNDER_WAY, "yellow")
        remembered = " (a moment ago)" if self.seen.remembered else ""
        style = {Outcome.REACHED: "green", Outcome.SPARED: "dim"}.get(self.seen.outcome, "red")
        return Text(words(self.seen.outcome) + remembered, style)


@dataclass(slots=True)
class Board:
    """Everything that has been told so far."""

    rows: dict[int, Row] = field(default_factory=dict[int, Row])
    lookups: list[Lookup] = field(default_factory=list[Lookup])
    controls: list[Control] = field(default_factory=list[Control])

    def tell(self, progress: Progress) -> None:
        """Take note."""
        match progress:
            case LookedUp(lookup=lookup):
                self.lookups.append(lookup)
            case Began(probe=probe):
                self.rows.setdefault(probe.id, Row()).probe = probe
            case Passed(probe=number, step=step):
                if number in self.rows:
                    self.rows[number].steps.append(step)
            case Observed(observation=seen):
                self.rows.setdefault(seen.probe, Row()).seen = seen
            case Controlled(control=control):
                self.controls.append(control)
            case _:
                pass

    def table(self, width: int = WIDE) -> Table:
        """The matrix: a line for each probe, the stages from left to right, with their milliseconds.

        Args:
            width: of the terminal; where the stages have no room, the last one stands for all.
        """
        table = Table(box=None, pad_edge=False, header_style="bold")
        stages = [name for name, _ in COLUMNS] if width >= WIDE else ["STAGE"]
        for name in ("FROM", "TO", *stages, "RESULT"):
            table.add_column(name, overflow="fold")
        for row in sorted(self._shown(), key=lambda r: (r.server, _ORDER.index(r.vantage), r.source)):
            table.add_row(*(row.cells() if width >= WIDE else row.few_cells()))
        return table

    def _shown(self) -> list[Row]:
        """Of what was not asked, once for each way: more of them tell nobody anything."""
        spared = {(row.source, row.server): row for row in self.rows.values() if row.is_spared}
        asked = {(row.source, row.server) for row in self.rows.values() if not row.is_spared}
        return [row for row in self.rows.values() if not row.is_spared] + [
            row for way, row in spared.items() if way not in asked
        ]


def lines_of(progress: Progress) -> Iterator[str]:
    """What happened, as lines for a log; the verdict is told by itself."""
    match progress:
        case LookedUp(lookup=lookup):
            found = f" is {' '.join(lookup.addresses)}" if lookup.addresses else f": {words_of_lookup(lookup)}"
            if lookup.addresses != (lookup.host,):
                yield f"{lookup.host}{found}"
        case Began(probe=probe):
            yield f"#{probe.id} {_from(probe.exit.vantage, probe.exit.address)} to {_to(probe)}"
        case Passed(probe=number, step=step):
            yield f"#{number} {step.stage} after {step.ms:.0f} ms"
        case Observed(observation=seen):
            yield f"#{seen.probe} {line_of(seen)}"
        case Controlled(control=control):
            works = {True: "works", False: "does not work", None: "cannot be checked"}[control.works]
            yield f"our source {control.source} {works} (IPv{control.family}) {control.detail}".rstrip()
        case _:
            return


def line_of(seen: Observation) -> str:
    """What a probe saw, in a line."""
    where = f"{_from(seen.vantage, seen.source_address)} to {seen.service} {seen.address}:{seen.port}"
    if seen.outcome is Outcome.SPARED:
        return f"{where}: {words(seen.outcome)}: {seen.detail}"
    # Of silence and of a refusal there is no more to tell.
    detail = "" if seen.outcome in {Outcome.SILENT, Outcome.RESET} else seen.detail
    told = f": {seen.said or detail}" if seen.said or detail else ""
    when = "a moment ago" if seen.remembered else f"after {seen.elapsed_ms:.0f} ms"
    return f"{where}: {words(seen.outcome)} at {seen.stage} {when}{told}"


def words(name: str) -> str:
    """A word of the wire as people read it."""
    return str(name).replace("_", " ")


def _from(vantage: Vantage, address: str) -> str:
    return f"{address} ({words(vantage)})"


def _to(probe: Probe) -> str:
    return f"{probe.target.service} {probe.address}:{probe.target.port}"
