"""What one worker process runs, side by side, until it is to end."""

import asyncio
from collections.abc import Sequence

import structlog

from mooring.bootstrap import Installation, open_installation
from mooring.config import Config
from mooring.lifetime import until_stopped
from mooring.store import StoreUnavailable
from mooring.worker.memory import give_back

log = structlog.get_logger()

PARTITIONS_S = 3600.0
"""Seconds between looks at the ledger's partitions."""


async def work(config: Config, environments: Sequence[str] | None, *, supervised: bool) -> None:
    """Work until the process is to end; whatever is held is then given back.

    Raises:
        ConfigError, StoreUnavailable.
    """
    async with open_installation(config, environments=environments) as installation:
        tasks = [
            asyncio.create_task(installation.worker(environments).run()),
            asyncio.create_task(installation.copies.run(environments)),
            asyncio.create_task(_keep_partitions(installation)),
            asyncio.create_task(give_back()),
        ]
        stopped = asyncio.create_task(until_stopped(supervised=supervised))
        await asyncio.wait({stopped, *tasks}, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, Exception):
                raise result


async def _keep_partitions(installation: Installation) -> None:
    while True:
        await asyncio.sleep(PARTITIONS_S)
        try:
            await installation.ledger.keep_partitions()
        except StoreUnavailable as e:
            log.warning("ledger.partitions_not_kept", error=str(e))
