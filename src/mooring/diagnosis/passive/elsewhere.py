"""Whether our own exits worked while a server did not answer them: asked of the ledger, since nothing is dialled."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile

from mooring.config import SourceConfig
from mooring.diagnosis.passive.past import KEPT_OUT
from mooring.diagnosis.types import Control, Evidence, Observation
from mooring.diagnosis.verdict.cells import UNDECIDED, is_theirs
from mooring.egress import Ledger

LOST = 2
"""Other hosts that a source opened connections with before, and now with none of them: two do not go down at once."""
ALL_SILENT = 3
"""Other hosts, whatever they did before, with none of which a source opens one: then it is doubtful."""


@dataclass(frozen=True, slots=True)
class Run:
    """Connections of one source, without one between that was let in, that ended without a word of the server.

    Attributes:
        since, until: when the first and the last of them began.
    """

    source: str
    source_address: str
    family: int
    since: datetime
    until: datetime


def runs_of(evidence: Evidence) -> list[Run]:
    """Those that go on: what may be the server, or our own exit. Whose source is answered at another port is not."""
    by_source: dict[str, list[Observation]] = {}
    for o in evidence.observations:
        if o.outcome not in UNDECIDED:
            by_source.setdefault(o.source, []).append(o)
    found: list[Run] = []
    for source, seen in by_source.items():
        services = {o.service for o in seen}
        runs = [run for s in services if (run := _without_a_word([o for o in seen if o.service is s]))]
        # Of several services what all of them went through.
        since = max((run[0].at for run in runs), default=None)
        if since is not None and all(_is_wordless(o) for o in seen if o.at >= since):
            last = max((run[-1] for run in runs), key=lambda o: o.at)
            found.append(Run(source, last.source_address, last.family, since, last.at))
    return found


async def controls_of(
    ledger: Ledger, sources: Mapping[str, SourceConfig], runs: Iterable[Run], hosts: Sequence[str]
) -> tuple[Control, ...]:
    """What the ledger says of the sources meanwhile; never with whom, which is somebody else's business.

    Args:
        sources: those that are configured, by name.
        hosts: of the question: what happened with them proves nothing.

    Raises:
        StoreUnavailable.
    """
    return tuple(
        [await _control(ledger, sources[run.source], run, hosts) for run in runs if run.source in sources]
    )  # fmt: skip


async def _control(ledger: Ledger, source: SourceConfig, run: Run, hosts: Sequence[str]) -> Control:
    works: bool | None = None
    how, detail = "", ""
    if await ledger.opened_from(source, besides=hosts, since=run.since, until=run.until):
        works, how, detail = True, "ledger", "It opened a connection elsewhere meanwhile."
    elif not await ledger.opened_from(source, besides=hosts, since=run.since):
        silent, lost = await ledger.unanswered_from(source, besides=hosts, since=run.since)
        if lost >= LOST:
            works, how = False, "ledger"
            detail = f"{lost} other hosts that it used to open connections with do not answer it any more"
        elif silent >= ALL_SILENT:
            how, detail = "ledger", f"{silent} other hosts do not answer it either"
    return Control(run.source, run.source_address, run.family, works, how, detail=detail)


def _without_a_word(seen: Sequence[Observation]) -> list[Observation]:
    """Those at the end that were kept out by nobody in particular."""
    return list(takewhile(_is_wordless, reversed(seen)))[::-1]


def _is_wordless(o: Observation) -> bool:
    """Whether a box of our own may have made it fail."""
    return o.outcome in KEPT_OUT and not o.said and not is_theirs(o)
