"""The effects of a diagnosis: names are looked up, probes are carried out, sources of our own are looked at."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from ipaddress import ip_address

from mooring.clock import Clock
from mooring.config import ControlTarget, IPNetwork, PoolConfig, SourceConfig
from mooring.diagnosis.asking.question import is_usual_port
from mooring.diagnosis.interfaces import MayLogin, Tell
from mooring.diagnosis.probes.caldav import probe_caldav
from mooring.diagnosis.probes.control import Controls
from mooring.diagnosis.probes.imap import probe_imap
from mooring.diagnosis.probes.smtp import probe_smtp
from mooring.diagnosis.probes.trail import Trail
from mooring.diagnosis.probes.walk import Limits, Walk
from mooring.diagnosis.types import (
    Control,
    Depth,
    Exit,
    Lookup,
    Observation,
    Probe,
    Question,
    Secrets,
    Service,
    Vantage,
)
from mooring.egress import Caller, CrowdedName, Dial, Dialer, Ledger, MixedName, Traffic
from mooring.errors import (
    MooringError,
    NameNotFound,
    NetworkError,
    NoSource,
    ReadTimeout,
    TargetNotAllowed,
)

LIMITS = Limits()

_SCRIPTS: dict[Service, Callable[[Walk], Awaitable[None]]] = {
    Service.IMAP: probe_imap,
    Service.SMTP: probe_smtp,
    Service.CALDAV: probe_caldav,
}

_MAY_SHOW_CREDENTIALS = frozenset({Vantage.DYNAMIC, Vantage.STATIC})
"""From the addresses of other applications a password is never shown, whatever a probe says."""


class NetworkProber:
    """The Prober of ``interfaces.py``, over the dialer.

    Args:
        pools: those that this process may leave by, as the dialer's.
        targets: what ``[diagnosis] control_targets`` names.
        private: networks that the operator opened, where any port may be asked.
    """

    def __init__(
        self,
        dialer: Dialer,
        ledger: Ledger,
        clock: Clock,
        pools: Sequence[PoolConfig],
        targets: Sequence[ControlTarget] = (),
        limits: Limits = LIMITS,
        *,
        private: tuple[IPNetwork, ...] = (),
    ) -> None:
        self._dialer = dialer
        self._clock = clock
        self._limits = limits
        self._private = private
        self._pools = {str(pool.environment): pool for pool in pools}
        self._controls = Controls(dialer, ledger, clock, targets)

    async def look_up(self, question: Question, host: str, port: int) -> Lookup:
        """The addresses of a host that may be dialled from this application."""
        pool = next((p for p in self._pools.values() if _is_own(p, question)), next(iter(self._pools.values()), None))
        if pool is None:
            return Lookup(host, problem="busy", detail="This process has no pool to leave by.")
        dial = Dial(Traffic.PROBE, pool.environment, _caller(question), host, port, tls=False)
        try:
            found = await self._dialer.look_up(dial)
        except NameNotFound as e:
            return Lookup(host, problem="no_such_name", detail=e.message)
        except NetworkError as e:
            return Lookup(host, problem="resolver", detail=e.message)
        except CrowdedName as e:
            return Lookup(host, problem="crowd", detail=e.message)
        except MixedName as e:
            return Lookup(host, problem="mixed", detail=e.message)
        except TargetNotAllowed as e:
            return Lookup(host, problem="private", detail=e.message)
        except MooringError as e:
            return Lookup(host, problem="busy", detail=e.message)
        return Lookup(host, tuple(str(address) for address in found))

    async def observe(
        self, question: Question, probe: Probe, secrets: Secrets, *, may_login: MayLogin, tell: Tell
    ) -> Observation:
        """Carry one probe out, politely to its end."""
        password = secrets.passwords.get(probe.target.service, "")
        trail = Trail(probe, tell, self._clock, secrets=tuple(filter(None, secrets.passwords.values())))
        shows = probe.depth is Depth.FULL and probe.exit.vantage in _MAY_SHOW_CREDENTIALS
        try:
            self._require_port(probe)
            source, dial = self._way(question, probe)
            walk = Walk(self._dialer, dial, source, trail, self._limits, question.email)
            if shows and probe.target.username:
                walk.password, walk.may_login = password, may_login
            async with asyncio.timeout(self._limits.probe_s) as walk.deadline:
                await _SCRIPTS[probe.target.service](walk)
        except TimeoutError:
            return trail.failed(ReadTimeout(f"the probe was not over after {self._limits.probe_s:.0f} s"))
        except MooringError as e:
            return trail.failed(e)
        return trail.reached()

    async def control(
        self, question: Question, way_out: Exit, family: int, *, since: datetime | None = None
    ) -> Control:
        """Whether this source works at all in this address family, whatever the server does."""
        found = self._find(way_out)
        if found is None:
            detail = f"This process does not leave by {way_out.source} of {way_out.environment}."
            return Control(way_out.source, way_out.address, family, works=None, detail=detail)
        pool, source = found
        return await self._controls.look_at(question, way_out, pool.environment, source, family, since=since)

    def _require_port(self, probe: Probe) -> None:
        """See that this is no port scan, wherever the name leads by now.

        Raises:
            TargetNotAllowed.
        """
        address = ip_address(probe.address)
        if not is_usual_port(probe.target.port) and not any(address in network for network in self._private):
            raise TargetNotAllowed(f"Port {probe.target.port} of {address} is not one that mail or calendars use.")

    def _way(self, question: Question, probe: Probe) -> tuple[SourceConfig, Dial]:
        found = self._find(probe.exit)
        if found is None:
            raise NoSource(
                f"{probe.exit.source} is not a source of {probe.exit.environment} in this process",
                reason="unknown_source",
            )
        pool, source = found
        target = probe.target
        return source, Dial(Traffic.PROBE, pool.environment, _caller(question), target.host, target.port, tls=False)

    def _find(self, way_out: Exit) -> tuple[PoolConfig, SourceConfig] | None:
        pool = self._pools.get(way_out.environment)
        sources = pool.sources if pool is not None else ()
        return next(((pool, s) for s in sources if pool is not None and s.name == way_out.source), None)


def _caller(question: Question) -> Caller:
    return Caller(question.application_id, question.subject, question.grant_id)


def _is_own(pool: PoolConfig, question: Question) -> bool:
    environment = pool.environment
    return (environment.generation, environment.region) == (question.generation, question.region)
