"""What one worker process runs, side by side, until it is to end."""

import asyncio
from collections.abc import Sequence

from mooring.bootstrap import open_installation
from mooring.config import Config
from mooring.lifetime import until_stopped
from mooring.worker.housekeeping import chores_of, keep_house
from mooring.worker.memory import give_back


async def work(config: Config, environments: Sequence[str] | None, *, supervised: bool) -> None:
    """Work until the process is to end; whatever is held is then given back.

    Raises:
        ConfigError, StoreUnavailable.
    """
    async with open_installation(config, environments=environments) as installation:
        tasks = [
            asyncio.create_task(installation.worker(environments).run()),
            asyncio.create_task(installation.copies.run(environments)),
            asyncio.create_task(keep_house(chores_of(installation))),
            asyncio.create_task(give_back()),
        ]
        stopped = asyncio.create_task(until_stopped(supervised=supervised))
        await asyncio.wait({stopped, *tasks}, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, Exception):
                raise result
