"""What one worker process runs, side by side, until it is to end.

A worker serves environments. Of those that mail leaves by it holds mailboxes; of a webhook pool it holds webhooks.
"""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack

from mooring.bootstrap import open_installation
from mooring.config import Config, Generation
from mooring.egress import Part
from mooring.lifetime import until_stopped
from mooring.worker.housekeeping import chores_of, keep_house
from mooring.worker.memory import give_back


async def work(config: Config, environments: Sequence[str] | None, *, supervised: bool) -> None:
    """Work until the process is to end; whatever is held is then given back.

    Raises:
        ConfigError, StoreUnavailable.
    """
    async with open_installation(config, environments=environments) as installation, AsyncExitStack() as stack:
        mail, webhooks = parted(config, environments)
        if mail is None or mail:
            await stack.enter_async_context(installation.shares(Part.SYNC, mail).held())
        work = [keep_house(chores_of(installation)), give_back()]
        if mail is None or mail:
            work += [installation.worker(mail).run(), installation.copies.run(mail)]
            work += [installation.watcher.run(), installation.raiser.run()]
        if webhooks is None or webhooks:
            work.append(installation.deliverer(webhooks).run())
        tasks = [asyncio.create_task(piece) for piece in work]
        stopped = asyncio.create_task(until_stopped(supervised=supervised))
        await asyncio.wait({stopped, *tasks}, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, Exception):
                raise result


def parted(config: Config, environments: Sequence[str] | None) -> tuple[list[str] | None, list[str] | None]:
    """The environments of mailboxes and those of webhooks; None for all of either."""
    if environments is None:
        return None, None
    webhook_pools = {
        str(pool.environment) for pool in config.egress.pools if pool.environment.generation is Generation.WEBHOOK
    }
    return [e for e in environments if e not in webhook_pools], [e for e in environments if e in webhook_pools]
