"""The picture of a diagnosis: which of our addresses came how far at which of the server's. Pure; others draw it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from statistics import median

import msgspec

from mooring.diagnosis.picture.outcomes import words_of
from mooring.diagnosis.types import Lookup, Observation, Outcome, Probe, Service, Stage, Step, Target, Vantage
from mooring.grants import TlsMode

LAST = {Service.IMAP: Stage.LIST, Service.SMTP: Stage.RECIPIENT, Service.CALDAV: Stage.CALENDAR}
"""The last stage of a service."""

_IN_TLS = (Stage.TLS, Stage.GREETING, Stage.CAPABILITY)
_IN_CLEAR = (Stage.GREETING, Stage.CAPABILITY, Stage.TLS)
_CLEAR_PORTS = frozenset({25, 143, 587, 2525})
"""Ports that begin in clear, where nothing else says how TLS begins."""

_ORDER = (
    Vantage.STATIC, Vantage.DYNAMIC, Vantage.OTHER_GENERATION, Vantage.OTHER_REGION, Vantage.OTHER_REGION_DYNAMIC,
)  # fmt: skip


class Mark(StrEnum):
    """What became of a stage."""

    PASSED = "passed"
    FAILED = "failed"
    #: of several probes, some passed it
    MIXED = "mixed"
    #: our own exit could not be used
    OURS = "ours"
    #: somebody is at it just now
    UNDER_WAY = "under_way"
    NOT_ASKED = "not_asked"


class MatrixCell(msgspec.Struct, frozen=True, omit_defaults=True):
    """One stage of a row.

    Attributes:
        passed: how many probes passed it, of so many that came to it.
        ms: what it took them, the median.
    """

    stage: Stage
    mark: Mark
    passed: int = 0
    asked: int = 0
    ms: float | None = None


class MatrixRow(msgspec.Struct, frozen=True, omit_defaults=True):
    """One source of ours at one address of the server; probes that were repeated are one row.

    Attributes:
        source_address, address: "" where the name led nowhere.
        words: how it ended, such as ``no answer, after 8.0 s (3 of 3)``.
        said: the peer's own words.
        probes: ids of the probes that have ended, or are under way.
    """

    vantage: Vantage | None
    environment: str
    source: str
    source_address: str
    address: str
    cells: tuple[MatrixCell, ...]
    words: str = ""
    said: str = ""
    probes: tuple[int, ...] = ()


class MatrixTable(msgspec.Struct, frozen=True, omit_defaults=True):
    """One service at one port.

    Attributes:
        columns: the stages, in the order in which this way to begin TLS has them.
        is_alternative: it was looked at beside what was asked for.
    """

    service: Service
    host: str
    port: int
    tls: TlsMode
    columns: tuple[Stage, ...]
    rows: tuple[MatrixRow, ...]
    is_alternative: bool = False


class Going(msgspec.Struct, frozen=True):
    """A probe that is under way, and the stages that it has passed."""

    probe: Probe
    steps: tuple[Step, ...] = ()


_Key = tuple[Service, str, int, bool]


def matrix_of(
    targets: Sequence[Target],
    lookups: Sequence[Lookup],
    observations: Sequence[Observation],
    going: Sequence[Going] = (),
) -> tuple[MatrixTable, ...]:
    """The tables, in the order of the question, and behind them what was looked at beside it; rows by vantage."""
    names = {lookup.host: lookup for lookup in lookups}
    asked: list[_Key] = [(t.service, t.host, t.port, False) for t in targets if t.host]
    seen = [_key_of(o) for o in observations] + [_key_of_probe(g.probe) for g in going]
    keys = dict.fromkeys([*asked, *sorted(key for key in seen if key[3])])
    return tuple(
        _table(
            key,
            next((t.tls for t in targets if (t.service, t.host, t.port) == key[:3]), None),
            names,
            [o for o in observations if _key_of(o) == key],
            [g for g in going if _key_of_probe(g.probe) == key],
        )
        for key in keys
    )


def _table(
    key: _Key,
    tls: TlsMode | None,
    names: Mapping[str, Lookup],
    observations: Sequence[Observation],
    going: Sequence[Going],
) -> MatrixTable:
    service, host, port, is_alternative = key
    mode = next((o.tls for o in observations if o.tls is not None), None) or tls
    mode = mode or (TlsMode.STARTTLS if port in _CLEAR_PORTS else TlsMode.IMPLICIT)
    middle = _IN_TLS if mode is TlsMode.IMPLICIT else _IN_CLEAR
    columns = (Stage.RESOLVE, Stage.CONNECT, *middle, Stage.LOGIN, LAST[service])
    resolved = _resolved(names.get(host))
    rows = tuple(_rows(columns, resolved, observations, going))
    lookup = names.get(host)
    if not rows and lookup is not None and lookup.problem:
        words = words_of_lookup(lookup)
        rows = (MatrixRow(None, "", "", "", "", _cells(columns, resolved, (), ()), words),)
    return MatrixTable(service, host, port, mode, columns, rows, is_alternative)


def _rows(
    columns: Sequence[Stage], resolved: MatrixCell, observations: Sequence[Observation], going: Sequence[Going]
) -> Iterator[MatrixRow]:
    """One row for each source and address of the server."""
    ended: dict[tuple[str, ...], list[Observation]] = {}
    under_way: dict[tuple[str, ...], list[Going]] = {}
    for o in observations:
        ended.setdefault((o.vantage, o.environment, o.source, o.source_address, o.address), []).append(o)
    for g in going:
        way_out = g.probe.exit
        place = (way_out.vantage, way_out.environment, way_out.source, way_out.address, g.probe.address)
        under_way.setdefault(place, []).append(g)
    for place in sorted({*ended, *under_way}, key=_place):
        these, those = ended.get(place, []), under_way.get(place, [])
        vantage, environment, source, source_address, address = place
        yield MatrixRow(
            Vantage(vantage), environment, source, source_address, address,
            cells=_cells(columns, resolved, these, those),
            words=_words(these),
            said=next((o.said for o in reversed(these) if o.said), ""),
            probes=(*(o.probe for o in these), *(g.probe.id for g in those)),
        )  # fmt: skip


def _cells(
    columns: Sequence[Stage], resolved: MatrixCell, ended: Sequence[Observation], going: Sequence[Going]
) -> tuple[MatrixCell, ...]:
    at = {_next(columns, g) for g in going}
    return tuple(resolved if stage is Stage.RESOLVE else _cell(stage, ended, going, at) for stage in columns)


def _cell(stage: Stage, ended: Sequence[Observation], going: Sequence[Going], at: set[Stage | None]) -> MatrixCell:
    stuck = [o for o in ended if o.stage is stage and o.outcome is not Outcome.REACHED]
    ours = [o for o in stuck if o.outcome is Outcome.OURS]
    failed = [o for o in stuck if o.outcome not in {Outcome.OURS, Outcome.SPARED}]
    steps = [*(s for o in ended if o not in stuck for s in o.steps), *(s for g in going for s in g.steps)]
    took = [step.ms for step in steps if step.stage is stage]
    if took:
        mark = Mark.MIXED if failed or ours else Mark.PASSED
    elif failed:
        mark = Mark.FAILED
    elif ours:
        mark = Mark.OURS
    else:
        mark = Mark.UNDER_WAY if stage in at else Mark.NOT_ASKED
    ms = round(median(took), 1) if took else None
    return MatrixCell(stage, mark, len(took), len(took) + len(failed) + len(ours), ms)


def _next(columns: Sequence[Stage], going: Going) -> Stage | None:
    """The stage that a probe under way is at."""
    passed = {Stage.RESOLVE, *(step.stage for step in going.steps)}
    return next((stage for stage in columns if stage not in passed), None)


def _resolved(lookup: Lookup | None) -> MatrixCell:
    if lookup is None:
        return MatrixCell(Stage.RESOLVE, Mark.NOT_ASKED)
    good = bool(lookup.addresses)
    return MatrixCell(Stage.RESOLVE, Mark.PASSED if good else Mark.FAILED, int(good), 1)


def _words(ended: Sequence[Observation]) -> str:
    """How these ended, each way once, with how often."""
    by_outcome: dict[Outcome, list[Observation]] = {}
    for o in ended:
        by_outcome.setdefault(o.outcome, []).append(o)
    told: list[str] = []
    for same in by_outcome.values():
        often = f" ({len(same)} of {len(ended)})" if len(ended) > 1 else ""
        told.append(words_of(same[-1]) + often)
    return "; ".join(told)


def words_of_lookup(lookup: Lookup) -> str:
    """What a name that led nowhere is told with."""
    match lookup.problem:
        case "no_such_name":
            return "there is no such name"
        case "private":
            return "leads to addresses that are not public"
        case "mixed":
            return "also leads to an address that is not public"
        case "crowd":
            return "has too many addresses"
        case "resolver":
            return "its name servers did not answer"
        case "busy":
            return "we could not look it up just now"
        case _:
            return lookup.detail or "leads nowhere"


def _place(place: tuple[str, ...]) -> tuple[int, bool, str, bool, str]:
    vantage, _, source, _, address = place
    return _ORDER.index(Vantage(vantage)), ":" in address, address, not source, source


def _key_of(observation: Observation) -> _Key:
    return observation.service, observation.host, observation.port, observation.is_alternative


def _key_of_probe(probe: Probe) -> _Key:
    return probe.target.service, probe.target.host, probe.target.port, probe.is_alternative


def probes_of(tables: Iterable[MatrixTable]) -> int:
    """How many probes there are in the picture."""
    return sum(len(row.probes) for table in tables for row in table.rows)
