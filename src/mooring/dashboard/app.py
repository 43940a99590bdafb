"""The dashboard as one ASGI application, to be served beside the API."""

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from litestar import Litestar
from litestar.datastructures import State

from mooring.bootstrap import Installation
from mooring.dashboard import accounts, applications, diagnoses, files, lists, moves, signing
from mooring.dashboard.failures import answer_failure
from mooring.dashboard.headers import Headers
from mooring.dashboard.services import Services
from mooring.egress import assigned_sources

if TYPE_CHECKING:
    from litestar.types import ASGIApp

ROOT = "/dashboard"
"""Where it is served; every path of it begins so."""

FORM_LIMIT = 16 * 1024
"""Bytes of a form: far above a note and a password."""


def create_dashboard(services: Services) -> "ASGIApp":
    """The dashboard over these services."""
    routed = Litestar(
        route_handlers=[
            *signing.ROUTES, *applications.ROUTES, *accounts.ROUTES, *moves.ROUTES, *diagnoses.ROUTES,
            *lists.ROUTES, *files.ROUTES,
        ],
        exception_handlers={Exception: answer_failure},
        state=State({"services": services}),
        request_max_body_size=FORM_LIMIT,
        openapi_config=None,
        logging_config=None,
    )  # fmt: skip
    return Headers(routed)


def dashboard_of(installation: Installation, stopping: asyncio.Event) -> "ASGIApp":
    """The dashboard of an installation.

    Args:
        stopping: set when the process is to end.
    """
    config = installation.config
    return create_dashboard(
        Services(
            operators=installation.operators,
            applications=installation.applications,
            feature=installation.feature,
            grants=installation.grants,
            placements=installation.placements,
            ledger=installation.ledger,
            allowlist=installation.allowlist,
            diagnoses=installation.diagnoses,
            reports=installation.reports,
            sources=partial(assigned_sources, installation.db),
            environments=[pool.environment for pool in config.egress.pools],
            addresses={source.name: str(source.address) for source in config.egress.sources},
            clock=installation.clock,
            secure=config.server.public_url.startswith("https://"),
            stopping=stopping,
        )
    )
