"""Whether a source of our own works at all, whatever the server does: asked of a host that is known to answer."""

import asyncio
import time
from collections.abc import Sequence
from datetime import datetime, timedelta

from mooring.clock import Clock
from mooring.config import ControlTarget, EnvironmentName, SourceConfig
from mooring.diagnosis.types import Control, Exit, Question
from mooring.egress import Caller, Dial, Dialer, Ledger, Traffic
from mooring.errors import (
    EgressError,
    LedgerUnavailable,
    MooringError,
    NetworkError,
    ResolverBusy,
    SourceBusy,
    TargetNotAllowed,
)

CONTROL_S = 5.0
"""Seconds for a control target to answer a SYN; they are chosen for being near and up."""
RECENT = timedelta(minutes=15)
"""How old a connection to somebody else may be to say that a source works."""
KEPT_S = 15.0
"""Seconds for which one answer serves all diagnoses, so that hundreds at once ask a control target once."""

_CALLER = Caller(application_id="", subject="diagnosis-control")
_OURS_FOR_NOW = (SourceBusy, ResolverBusy, LedgerUnavailable)


class Controls:
    """Looks at sources.

    Args:
        targets: asked in order, until one answers; without any, the ledger is asked.
    """

    def __init__(self, dialer: Dialer, ledger: Ledger, clock: Clock, targets: Sequence[ControlTarget]) -> None:
        self._dialer = dialer
        self._ledger = ledger
        self._clock = clock
        self._targets = targets
        self._asked: dict[tuple[str, int], tuple[asyncio.Task[Control], float]] = {}

    async def look_at(
        self,
        question: Question,
        way_out: Exit,
        environment: EnvironmentName,
        source: SourceConfig,
        family: int,
        *,
        since: datetime | None = None,
    ) -> Control:
        """Whether this source works in this address family; fails for nothing that the network does.

        Args:
            since: what the ledger tells from before says nothing; None: it may be as old as ``RECENT``.
        """
        if source.address.version != family:
            return _control(way_out, family, None, detail=f"{source.name} has no IPv{family} address.")
        try:
            await self._dialer.try_out(source)
        except EgressError as e:
            return _control(way_out, family, False, how="exit", detail=e.message)
        if self._targets:
            asked = await asyncio.shield(self._ask_once(way_out, environment, source, family))
            if asked.works is not None:
                return asked
        since = since or self._clock.now() - RECENT
        return await self._remembered(question, way_out, source, family, since)

    def _ask_once(
        self, way_out: Exit, environment: EnvironmentName, source: SourceConfig, family: int
    ) -> asyncio.Task[Control]:
        key = (source.name, family)
        task, until = self._asked.get(key, (None, 0.0))
        if task is None or time.monotonic() > until or (task.done() and task.cancelled()):
            task = asyncio.create_task(self._ask(way_out, environment, source, family))
            self._asked[key] = task, time.monotonic() + KEPT_S
        return task

    async def _ask(self, way_out: Exit, environment: EnvironmentName, source: SourceConfig, family: int) -> Control:
        """What the first target that answers says; of those that do not, the last."""
        last = _control(way_out, family, None, detail=f"No control target has an IPv{family} address.")
        for target in self._targets:
            dial = Dial(Traffic.PROBE, environment, _CALLER, target.host, target.port, tls=False)
            try:
                found = [a for a in await self._dialer.look_up(dial) if a.version == family]
                if not found:
                    continue
                stream = await self._dialer.dial_pair(dial, source, found[0], connect_s=CONTROL_S)
            except _OURS_FOR_NOW as e:
                return _control(way_out, family, None, detail=e.message)
            except EgressError as e:
                return _control(way_out, family, False, how="exit", detail=e.message)
            except TargetNotAllowed as e:
                last = _control(way_out, family, last.works, how=last.how, target=last.target, detail=e.message)
            except NetworkError as e:
                if e.route is not None:
                    last = _control(way_out, family, False, how="target", target=str(target), detail=e.message)
            except MooringError as e:
                return _control(way_out, family, None, detail=e.message)
            else:
                await stream.aclose()
                return _control(way_out, family, True, how="target", target=str(target))
        return last

    async def _remembered(
        self, question: Question, way_out: Exit, source: SourceConfig, family: int, since: datetime
    ) -> Control:
        """What the ledger says; never to whom that connection was, which is somebody else's business."""
        hosts = [target.host for target in question.targets]
        try:
            at = await self._ledger.opened_from(source, besides=hosts, since=since)
        except MooringError as e:
            return _control(way_out, family, None, detail=e.message)
        if at is None:
            return _control(way_out, family, None)
        return _control(way_out, family, True, how="ledger", detail="It opened a connection elsewhere a while ago.")


def _control(
    way_out: Exit, family: int, works: bool | None, *, how: str = "", target: str = "", detail: str = ""
) -> Control:
    return Control(way_out.source, way_out.address, family, works, how, target, detail)
