"""The deliverer: holds webhooks of its regions, hears of new facts, and wakes who wants them."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack

import structlog

from mooring.clock import Clock
from mooring.egress import Dialer
from mooring.errors import MooringError
from mooring.events import CHANNEL, announced
from mooring.jobs import Held, Holder, Keeper, Lease, LeaseKind
from mooring.store import Database, StoreUnavailable
from mooring.vault import Vault
from mooring.webhooks.delivery import Delivery
from mooring.webhooks.feed import Feed
from mooring.webhooks.posting import Poster, client_of
from mooring.webhooks.repository import endpoints
from mooring.webhooks.secrets import open_secret
from mooring.webhooks.types import Webhook

log = structlog.get_logger()

LISTEN_AGAIN_S = 0.5
"""Seconds before it is listened again after the database went away."""


class Deliverer:
    """Delivers to every webhook that it can hold.

    Args:
        environments: the webhook pools that this process leaves by; None for all.
    """

    def __init__(
        self,
        db: Database,
        vault: Vault,
        feed: Feed,
        dialer: Dialer,
        clock: Clock,
        holder: Holder,
        *,
        environments: Sequence[str] | None,
    ) -> None:
        self._db = db
        self._vault = vault
        self._feed = feed
        self._dialer = dialer
        self._clock = clock
        self._keeper = Keeper(holder, LeaseKind.WEBHOOK, scopes=environments, take_up=self._take_up)
        self._by_application: dict[str, set[Delivery]] = defaultdict(set)

    async def run(self) -> None:
        """Work until cancelled; then give everything back."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keeper.run())
            group.create_task(self._listen())

    async def _listen(self) -> None:
        """Hear of new facts. What was said while nobody listened is looked for."""
        while True:
            try:
                async with self._db.listen(CHANNEL) as announcements:
                    for deliveries in self._by_application.values():
                        for delivery in deliveries:
                            delivery.look()
                    async for announcement in announcements:
                        application_id, grant_id = announced(announcement.payload)
                        for delivery in self._by_application.get(application_id, ()):
                            delivery.wake(grant_id)
            except StoreUnavailable as e:
                log.warning("webhook.cannot_listen", error=str(e))
                await asyncio.sleep(LISTEN_AGAIN_S)

    async def _take_up(self, leases: Sequence[Lease]) -> Mapping[Lease, Held]:
        by_id = {lease.subject: lease for lease in leases}
        taken: dict[Lease, Held] = {}
        for webhook in await endpoints.by_ids(self._db, list(by_id)):
            if webhook.status.delivers:
                taken[by_id[webhook.id]] = _Holding(self, webhook, by_id[webhook.id])
        return taken

    async def deliver(self, webhook: Webhook, lease: Lease, holding: "_Holding") -> None:
        """Deliver to one webhook until its lease is lost."""
        sealed = await endpoints.secret(self._db, webhook.id)
        if sealed is None:
            return
        secret = open_secret(self._vault, webhook.id, sealed)
        async with AsyncExitStack() as stack:
            client = await stack.enter_async_context(client_of(self._dialer, webhook))
            poster = Poster(client, webhook, secret, self._clock)
            delivery = Delivery(self._db, self._feed, poster, self._clock, webhook, lease)
            holding.delivery = delivery
            self._by_application[webhook.application_id].add(delivery)
            stack.callback(self._by_application[webhook.application_id].discard, delivery)
            await delivery.run()


class _Holding:
    """A held webhook, from before its secret is read to after its connections are closed."""

    def __init__(self, deliverer: Deliverer, webhook: Webhook, lease: Lease) -> None:
        self._deliverer = deliverer
        self._webhook = webhook
        self._lease = lease
        self.delivery: Delivery | None = None

    async def run(self) -> None:
        try:
            await self._deliverer.deliver(self._webhook, self._lease, self)
        except MooringError as e:
            log.warning("webhook.cannot_begin", webhook=self._webhook.id, error=str(e))

    def look(self) -> None:
        if self.delivery is not None:
            self.delivery.look()
