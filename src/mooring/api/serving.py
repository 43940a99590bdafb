"""The API's process: the application served over an installation's services."""

import asyncio
import contextlib
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import structlog
import uvicorn

from mooring.api.app import create_app
from mooring.api.services import Services
from mooring.bootstrap import Installation, open_installation
from mooring.config import Config
from mooring.egress import Part
from mooring.lifetime import until_stopped

if TYPE_CHECKING:
    from litestar.types import ASGIApp, Receive, Scope, Send

log = structlog.get_logger()

BACKLOG = 2048
"""Connections that may wait to be accepted: the Python SDK opens one for each call."""
GRACE_S = 5
"""Seconds that answers under way have when the process ends."""
SWITCH_S = 0.001
"""Seconds after which a thread that computes lets the loop go on. Python's own 5 ms come again at each step of it."""


async def serve(
    config: Config,
    environments: Sequence[str] | None,
    *,
    supervised: bool,
    beside: "Mapping[str, Callable[[Installation, asyncio.Event], ASGIApp]]",
) -> None:
    """Serve until the process is to end.

    Args:
        beside: other applications over the same installation, by the path that everything of theirs begins with. Each
            is handed an event that is set when the process is to end: answers without an end, end then.

    Raises:
        ConfigError, StoreUnavailable.
    """
    sys.setswitchinterval(SWITCH_S)
    tls = config.server.tls
    stopping = asyncio.Event()
    async with open_installation(config, environments=environments) as installation:
        app = create_app(services_of(installation), rate_limits=config.server.rate_limits)
        server = _Server(
            uvicorn.Config(
                _Side(app, {path: make(installation, stopping) for path, make in beside.items()}),
                host=config.server.host,
                port=config.server.port,
                ssl_certfile=tls.certificate if tls is not None else None,
                ssl_keyfile=tls.key if tls is not None else None,
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
            diagnosing = asyncio.create_task(installation.diagnoses.run())
            stopped = asyncio.create_task(until_stopped(supervised=supervised))
            await asyncio.wait({serving, stopped, diagnosing}, return_when=asyncio.FIRST_COMPLETED)
            stopping.set()
            server.should_exit = True
            diagnosing.cancel()
            await serving
            with contextlib.suppress(asyncio.CancelledError):
                await diagnosing


class _Side:
    """The API, and applications that are served beside it."""

    def __init__(self, app: "ASGIApp", beside: "Mapping[str, ASGIApp]") -> None:
        self._app = app
        self._beside = beside

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Hand the request to whoever serves its path."""
        for path, app in self._beside.items():
            if scope["path"] == path or scope["path"].startswith(f"{path}/"):
                await app(scope, receive, send)
                return
        await self._app(scope, receive, send)


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
        detection=installation.detection,
        tokens=installation.tokens,
        placements=installation.placements,
        feature=installation.feature,
        mailbox=installation.mailbox,
        offsets=installation.offsets,
        calendars=installation.calendars,
        sender=installation.sender,
        allowlist=installation.allowlist,
        ledger=installation.ledger,
        webhooks=installation.webhooks,
        facts=installation.facts,
        diagnoses=installation.diagnoses,
        reports=installation.reports,
        watches=installation.watches,
        guard=installation.guard.read,
        berths=installation.berth_counts,
        clock=installation.clock,
        ready=installation.ready,
    )
