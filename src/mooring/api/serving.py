"""The API's process: the application served over an installation's services."""

import asyncio
import contextlib
import sys
from collections.abc import Generator, Sequence
from typing import Any

import structlog
import uvicorn

from mooring.api.app import create_app
from mooring.api.services import Services
from mooring.bootstrap import Installation, open_installation
from mooring.config import Config
from mooring.egress import Part
from mooring.lifetime import until_stopped

log = structlog.get_logger()

BACKLOG = 2048
"""Connections that may wait to be accepted: the Python SDK opens one for each call."""
GRACE_S = 5
"""Seconds that answers under way have when the process ends."""
SWITCH_S = 0.001
"""Seconds after which a thread that computes lets the loop go on. Python's own 5 ms come again at each step of it."""


async def serve(config: Config, environments: Sequence[str] | None, *, supervised: bool) -> None:
    """Serve until the process is to end.

    Raises:
        ConfigError, StoreUnavailable.
    """
    sys.setswitchinterval(SWITCH_S)
    async with open_installation(config, environments=environments) as installation:
        server = _Server(
            uvicorn.Config(
                create_app(services_of(installation), rate_limits=config.server.rate_limits),
                host=config.server.host,
                port=config.server.port,
                # The tripwire does not see what uvloop dials.
                loop="asyncio",
                lifespan="off",
                access_log=False,
                log_level="warning",
                backlog=BACKLOG,
                server_header=False,
                timeout_graceful_shutdown=GRACE_S,
            )
        )
        async with installation.shares(Part.PEOPLE, environments).held():
            serving = asyncio.create_task(server.serve())
            stopped = asyncio.create_task(until_stopped(supervised=supervised))
            await asyncio.wait({serving, stopped}, return_when=asyncio.FIRST_COMPLETED)
            server.should_exit = True
            await serving


class _Server(uvicorn.Server):
    """uvicorn, which leaves the signals to us and says when it listens."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield

    async def startup(self, sockets: list[Any] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            log.info("api.listening", address=f"{self.config.host}:{self.config.port}")


def services_of(installation: Installation) -> Services:
    """What the doors of the API call."""
    return Services(
        applications=installation.applications,
        grants=installation.grants,
        placements=installation.placements,
        feature=installation.feature,
        mailbox=installation.mailbox,
        calendars=installation.calendars,
        sender=installation.sender,
        allowlist=installation.allowlist,
        ledger=installation.ledger,
        webhooks=installation.webhooks,
        facts=installation.facts,
        guard=installation.guard.read,
        berths=installation.berth_counts,
        clock=installation.clock,
        ready=installation.ready,
    )
