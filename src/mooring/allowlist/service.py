"""The lists that administrators allow, made from the very pools that the dialer leaves by."""

from collections.abc import Sequence

from mooring.allowlist import repository
from mooring.allowlist.types import AddressList, Entry
from mooring.applications import Application
from mooring.config import EnvironmentName, Generation, Kind, PoolConfig
from mooring.store import Database


class Allowlist:
    """Publishes the pools' addresses, each list with a version that changes when, and only when, the list does."""

    def __init__(self, db: Database, pools: Sequence[PoolConfig]) -> None:
        self._db = db
        self._pools = pools
        self._lists: dict[EnvironmentName, AddressList] = {}

    async def publish(self) -> None:
        """Make the lists; to be called once, before any is asked for."""
        for pool in self._pools:
            addresses = sorted({s.address for s in pool.sources}, key=lambda a: (a.version, int(a)))
            texts = [str(address) for address in addresses]
            async with self._db.transaction() as tx:
                version, at = await repository.publish(tx, str(pool.environment), texts)
            entries = tuple(Entry(str(address), address.version) for address in addresses)
            self._lists[pool.environment] = AddressList(pool.environment, version, int(at.timestamp()), entries)

    def list_of(self, environment: EnvironmentName) -> AddressList:
        """The environment's list; empty, with version 0, where no pool is declared."""
        return self._lists.get(environment) or AddressList(environment, 0, 0, ())

    def static_list(self, application: Application) -> AddressList:
        """The static list of an application's generation and region, whether the feature is on or off (S6)."""
        return self.list_of(application.environment(Kind.STATIC))

    def dynamic_list(self, application: Application) -> AddressList:
        """The dynamic list likewise."""
        return self.list_of(application.environment(Kind.DYNAMIC))

    def webhook_list(self, application: Application) -> AddressList:
        """The list that deliveries to the application's endpoints leave by."""
        return self.list_of(EnvironmentName(Generation.WEBHOOK, application.region, Kind.STATIC))
