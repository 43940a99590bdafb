"""What happened to an account, or to an application's accounts at a host, seen by what it was for. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from mooring.diagnosis.types import Account, Control, Evidence, Observation, Outcome, Service, Stage, Vantage
from mooring.diagnosis.verdict.cells import FILTERS, UNDECIDED, is_answer
from mooring.egress import Traffic

KEPT_OUT = FILTERS - {Outcome.BROKEN, Outcome.LIMITED}
"""How a filter by address can look from here. Trouble of the server's own, and too much at once, keep out anybody, and
nobody is compared with at the same moment."""
LET_IN = frozenset({Outcome.REACHED, Outcome.FAILED})
"""The server served us, or refused for another reason than who we are."""

AT_ONCE = timedelta(seconds=10)
"""What is tried within this time fails, or succeeds, together."""
READING = (Service.IMAP, Service.CALDAV)


@dataclass(frozen=True, slots=True)
class Strand:
    """Connections that have something in common, in the order of time; only those that say something of the server."""

    seen: tuple[Observation, ...]

    @property
    def let_in(self) -> tuple[Observation, ...]:
        return tuple(o for o in self.seen if o.outcome in LET_IN)

    @property
    def now(self) -> tuple[Observation, ...]:
        """Those that were kept out since the last that was not."""
        last = max((n for n, o in enumerate(self.seen) if o.outcome not in KEPT_OUT), default=-1)
        return self.seen[last + 1 :]

    @property
    def works(self) -> bool:
        """Whether the last of them was served."""
        return bool(self.seen) and self.seen[-1].outcome is Outcome.REACHED

    def since(self, at: datetime) -> "Strand":
        return Strand(tuple(o for o in self.seen if o.at >= at))

    def of(self, *outcomes: Outcome) -> tuple[Observation, ...]:
        return tuple(o for o in self.seen if o.outcome in outcomes)


class Past:
    """All of it, without what an exit of ours met that is known to be broken.

    Attributes:
        targets: the services that are asked about.
    """

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self.targets = evidence.question.targets
        self._controls = {c.source: c for c in evidence.controls}
        decided = (o for o in evidence.observations if o.outcome not in UNDECIDED)
        self._seen = tuple(o for o in decided if not (o.outcome in KEPT_OUT and self._is_broken(o.source)))

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

    def static(self, service: Service) -> Strand:
        return self.strand(Vantage.STATIC, *Traffic, services=(service,))

    def reading(self, vantage: Vantage, *services: Service) -> Strand:
        return self.strand(vantage, Traffic.SYNC, Traffic.LIVE, services=services or READING)

    def sending(self, vantage: Vantage) -> Strand:
        return self.strand(vantage, Traffic.SEND, services=(Service.SMTP,))

    def reads(self, vantage: Vantage) -> bool:
        """Whether what is read from there works, each service for itself."""
        strands = [s for service in READING if (s := self.reading(vantage, service)).seen]
        return bool(strands) and all(s.works for s in strands)

    @property
    def has_authenticated(self) -> bool:
        """Whether an authentication has got in: there is a grant, or accounts are read and written from already."""
        used = any(o.traffic in {Traffic.SYNC, Traffic.LIVE, Traffic.SEND} for o in self._seen)
        return self.account is not None or used

    def worked_from_dynamic(self, service: Service, out: Sequence[Observation]) -> datetime | None:
        """When D was last seen to be served before it was kept out like this; None: never, as far as is known.

        The ledger forgets, and the account does not: one that was ever in step was so from D, unless it is known that
        it was read from S then.
        """
        times = [o.at for o in self.reading(Vantage.DYNAMIC, service).let_in if o.at <= out[0].at]
        if self.account is not None and all(o.stage not in {Stage.CONNECT, Stage.TLS} for o in out):
            times = []  # these were open as well, and how far they came nobody knows
        synced_at = self.account.synced_at if self.account is not None else None
        if synced_at is not None and not self._was_static(synced_at) and not self._is_remembered_whole(service):
            times.append(synced_at)
        return max(times, default=None)

    def control(self, source: str) -> Control | None:
        """What is known of an exit meanwhile; None: nothing was asked."""
        return self._controls.get(source)

    def founded(self, out: Sequence[Observation]) -> tuple[Observation, ...]:
        """Those of them whose exit is known to have worked meanwhile: it was answered, here or elsewhere."""
        spans: dict[str, tuple[datetime, datetime]] = {}
        for o in out:
            first, _ = spans.get(o.source, (o.at, o.at))
            spans[o.source] = first, o.at
        proved = {source for source, span in spans.items() if self._is_proved(source, *span)}
        return tuple(o for o in out if o.source in proved)

    def _is_proved(self, source: str, since: datetime, until: datetime) -> bool:
        control = self.control(source)
        if control is not None and control.works:
            return True
        return any(o.source == source and since <= o.at <= until and is_answer(o) for o in self._seen)

    def _is_broken(self, source: str) -> bool:
        control = self.control(source)
        return control is not None and control.works is False

    def _was_static(self, at: datetime) -> bool:
        """Whether the account is known to have been read from S then."""
        before = [
            o for o in self._seen
            if o.traffic == Traffic.SYNC and o.service is Service.IMAP and o.outcome in LET_IN and o.at <= at
        ]  # fmt: skip
        return bool(before) and before[-1].vantage is Vantage.STATIC

    def _is_remembered_whole(self, service: Service) -> bool:
        """Whether the ledger goes back to before the account, of a service that being in step says nothing of."""
        account, seen = self.account, self.evidence.observations
        return service is Service.CALDAV and account is not None and seen[0].at <= account.authenticated_at


def episodes(seen: Sequence[Observation]) -> list[Observation]:
    """The first of those that were tried at once."""
    found: list[Observation] = []
    for o in seen:
        if not found or o.at - found[-1].at >= AT_ONCE:
            found.append(o)
    return found


def between(into: Sequence[Observation], out: Sequence[Observation]) -> tuple[Observation, ...]:
    """Those of the first that came after the others had begun to fail, and before they failed once more."""
    return tuple(o for o in into if out[0].at < o.at < out[-1].at) if out else ()
