"""What happened to an account, or to an application's accounts at a host, seen by what it was for. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from mooring.diagnosis.types import Account, Evidence, Observation, Outcome, Service, Vantage
from mooring.diagnosis.verdict.cells import FILTERS, UNDECIDED
from mooring.egress import Traffic


@dataclass(frozen=True, slots=True)
class Strand:
    """Connections that have something in common, in the order of time; only those that say something of the server."""

    seen: tuple[Observation, ...]

    @property
    def let_in(self) -> tuple[Observation, ...]:
        return tuple(o for o in self.seen if o.outcome is Outcome.REACHED)

    @property
    def kept_out(self) -> tuple[Observation, ...]:
        return tuple(o for o in self.seen if o.outcome in FILTERS)

    @property
    def now(self) -> tuple[Observation, ...]:
        """Those that were kept out since the last that was let in; none where the last one was."""
        last = max((o.at for o in self.let_in), default=None)
        return tuple(o for o in self.kept_out if last is None or o.at > last)

    def since(self, at: datetime) -> "Strand":
        return Strand(tuple(o for o in self.seen if o.at >= at))

    def of(self, *outcomes: Outcome) -> tuple[Observation, ...]:
        return tuple(o for o in self.seen if o.outcome in outcomes)


class Past:
    """All of it.

    Attributes:
        targets: the services that are asked about.
    """

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self.targets = evidence.question.targets
        self._seen = tuple(o for o in evidence.observations if o.outcome not in UNDECIDED)

    @property
    def account(self) -> Account | None:
        return self.evidence.account

    def strand(self, vantage: Vantage, *traffic: Traffic, services: Iterable[Service] = tuple(Service)) -> Strand:
        """What left from one group of ours, for these purposes."""
        wanted = set(services)
        return Strand(
            tuple(o for o in self._seen if o.vantage is vantage and o.traffic in traffic and o.service in wanted)
        )

    @property
    def authentications(self) -> Strand:
        """From S: those of v3, and of v2 with the feature on."""
        return self.strand(Vantage.STATIC, Traffic.AUTH)

    @property
    def static(self) -> Strand:
        return self.strand(Vantage.STATIC, *Traffic)

    def reading(self, vantage: Vantage) -> Strand:
        return self.strand(vantage, Traffic.SYNC, Traffic.LIVE, services=(Service.IMAP, Service.CALDAV))

    def sending(self, vantage: Vantage) -> Strand:
        return self.strand(vantage, Traffic.SEND, services=(Service.SMTP,))

    @property
    def has_authenticated(self) -> bool:
        """Whether an authentication has got in: there is a grant, or accounts are read and written from already."""
        used = any(o.traffic in {Traffic.SYNC, Traffic.LIVE, Traffic.SEND} for o in self._seen)
        return self.account is not None or used
