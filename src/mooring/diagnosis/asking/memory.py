"""What the ledger knows from before: earlier connections to the servers that are asked about."""

from collections.abc import Sequence
from datetime import timedelta

from mooring.diagnosis.asking.exits import environment_of, vantage_of
from mooring.diagnosis.asking.question import PORTS
from mooring.diagnosis.types import Earlier, Question, Service
from mooring.egress import LedgerEntry, last_opened
from mooring.store import Database

AGO = timedelta(days=30)


class LedgerMemory:
    """Earlier connections, from the ledger (``interfaces.Memory``)."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def earlier_connections(self, question: Question) -> tuple[Earlier, ...]:
        """Connections to these hosts that were opened in the last 30 days, the latest of each source and service.

        Those of the application that asks alone: nobody learns whose servers others connect to. An operator's are all.

        Raises:
            StoreUnavailable.
        """
        hosts = sorted({target.host for target in question.targets})
        owner = question.application_id or None
        return earlier_of(question, await last_opened(self._db, hosts, application_id=owner, since=AGO))


def earlier_of(question: Question, entries: Sequence[LedgerEntry]) -> tuple[Earlier, ...]:
    """The ledger's rows in the words of a diagnosis, without those that have nothing to do with it."""
    named = {(target.host, target.port): target.service for target in question.targets}
    usual = {port: service for service, ports in PORTS.items() for port in ports}
    latest: dict[tuple[str, str, Service], Earlier] = {}
    for entry in sorted(entries, key=lambda entry: entry.at, reverse=True):
        environment = environment_of(entry.environment)
        vantage = vantage_of(environment, question.generation, question.region) if environment is not None else None
        service = named.get((entry.host, entry.port)) or usual.get(entry.port)
        if vantage is None or service is None:
            continue
        found = Earlier(entry.at, vantage, entry.source, service, entry.host, entry.port)
        latest.setdefault((entry.source, entry.host, service), found)
    return tuple(latest.values())
