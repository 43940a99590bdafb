"""What a probe has seen so far: stages with their times, and what was learnt on the way."""

import asyncio
import time
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

from mooring.clock import Clock
from mooring.config import Carrier
from mooring.diagnosis.interfaces import Tell
from mooring.diagnosis.probes.certificates import read_certificate
from mooring.diagnosis.probes.classify import Reading, reading
from mooring.diagnosis.progress import Began, Passed
from mooring.diagnosis.types import Certificate, Depth, Icmp, Observation, Outcome, Probe, Stage, Step
from mooring.egress import DialledStream
from mooring.errors import IcmpMessage, MooringError, NetworkError, ReadTimeout, TLSFailed
from mooring.grants import SERVER_SAID_MAX, TlsMode, cleaned

DETAIL_MAX = 400
"""Characters of our own words, which may quote a server's."""
MOST_OFFERS = 64
"""Of what a server offers that are kept, and so many characters of each."""


@dataclass(slots=True)
class Trail:
    """One probe's way, as far as it has come.

    Attributes:
        clock: says when the probe departs.
        at: when it did; until then when it was begun.
        secrets: cut out of whatever a server says.
        depth: how far the probe really went: whether it showed credentials.
        waited_s: seconds that it waited for leave to log in, which are not the server's.
    """

    probe: Probe
    tell: Tell
    clock: Clock
    at: datetime = field(init=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    began: float = field(default_factory=time.monotonic)
    departed: float = 0.0
    depth: Depth = Depth.GREETING
    stage: Stage = Stage.CONNECT
    steps: list[Step] = field(default_factory=list[Step])
    waited_s: float = 0.0
    local: str = ""
    tls: TlsMode | None = None
    rtt_ms: float | None = None
    retransmits: int = 0
    connections: int = 0
    icmp: IcmpMessage | None = None
    certificate: Certificate | None = None
    offers: tuple[str, ...] = ()
    detail: str = ""

    def __post_init__(self) -> None:
        self.at = self.clock.now()

    def departs(self) -> None:
        """A connection leaves now: what came before was waiting for room of our own, and says nothing of the server."""
        self.departed = time.monotonic()
        if self.connections == 1:
            self.at, self.began = self.clock.now(), self.departed
            self.tell(Began(self.probe))

    @asynccontextmanager
    async def passing(self, stage: Stage, within_s: float) -> AsyncGenerator[None]:
        """Be at this stage; it is passed when the block ends well.

        Raises:
            ReadTimeout: it took longer than so many seconds.
        """
        self.stage = stage
        began = time.monotonic()
        try:
            async with asyncio.timeout(within_s):
                yield
        except TimeoutError as e:
            raise ReadTimeout(f"the stage {stage} was not passed within {within_s:.0f} s") from e
        step = Step(stage, _ms_since(max(began, self.departed) if stage is Stage.CONNECT else began))
        self.steps.append(step)
        self.tell(Passed(self.probe.id, step))

    def start_again(self) -> None:
        """The way so far led nowhere, and another one is tried."""
        self.steps.clear()
        self.stage = Stage.CONNECT

    def connected(self, stream: DialledStream) -> None:
        """Note how the connection came about."""
        self.retransmits = stream.retransmits
        if stream.route.source.via.carrier is Carrier.BIND:
            # Of a proxy it would be our end of the way there, which the server never sees.
            self.local, self.rtt_ms = str(stream.local), stream.rtt_ms

    def protected(self, stream: DialledStream) -> None:
        """Note the certificate, which was verified."""
        self.certificate = read_certificate(stream.certificate)

    def offered(self, offers: Iterable[str]) -> None:
        """Note what the server says that it can do."""
        self.offers = tuple(cleaned(offer)[:MOST_OFFERS] for offer in list(offers)[:MOST_OFFERS])

    def failed(self, error: MooringError) -> Observation:
        """What was seen by a probe that this ended."""
        self.detail = error.message
        if isinstance(error, NetworkError):
            self.icmp = error.icmp
            self.local = self.local or error.local
            if self.stage is Stage.CONNECT:
                self.retransmits = error.retransmits
            elif error.detail and error.detail not in error.message:
                self.detail = f"{error.message}: {error.detail}"
        if isinstance(error, TLSFailed) and error.certificate:
            self.certificate = read_certificate(error.certificate, error.detail)
        return self._observed(reading(error, self.stage, self.tls))

    def reached(self) -> Observation:
        """What was seen by a probe that came as far as it was meant to."""
        self.stage = self.steps[-1].stage
        return self._observed(Reading(Outcome.REACHED))

    def _observed(self, seen: Reading) -> Observation:
        probe, target = self.probe, self.probe.target
        return Observation(
            probe=probe.id,
            at=self.at,
            vantage=probe.exit.vantage,
            environment=probe.exit.environment,
            source=probe.exit.source,
            source_address=probe.exit.address,
            service=target.service,
            host=target.host,
            port=target.port,
            address=probe.address,
            outcome=seen.outcome,
            stage=self.stage,
            depth=self.depth,
            steps=tuple(self.steps),
            elapsed_ms=_ms_since(self.began + self.waited_s),
            local=self.local,
            tls=self.tls,
            said=cleaned(seen.said, self.secrets)[:SERVER_SAID_MAX],
            spoken=seen.spoken,
            detail=cleaned(self.detail, self.secrets)[:DETAIL_MAX],
            icmp=None if self.icmp is None else Icmp(self.icmp.type, self.icmp.code, self.icmp.sender),
            retransmits=self.retransmits,
            connections=max(1, self.connections),
            rtt_ms=self.rtt_ms,
            certificate=self.certificate,
            offers=self.offers,
            is_alternative=probe.is_alternative,
        )


def _ms_since(began: float) -> float:
    return round((time.monotonic() - began) * 1000, 3)
