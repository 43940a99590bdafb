"""An application over fakes, and clients that call it without a socket."""

from collections.abc import AsyncIterator
from typing import Any, cast

import httpx
import pytest

from mooring.api import create_app
from tests.unit.api.fakes import V3_KEY, World


@pytest.fixture(scope="session")
def served() -> tuple[World, Any]:
    """The fakes and the application over them: building it takes longer than a test. It counts nobody's calls."""
    world = World()
    return world, cast("Any", create_app(world.services(), rate_limits=False))


@pytest.fixture
def world(served: tuple[World, Any]) -> World:
    served[0].renew()
    return served[0]


@pytest.fixture
async def anybody(world: World, served: tuple[World, Any]) -> AsyncIterator[httpx.AsyncClient]:
    """A caller who says nothing of itself."""
    transport = httpx.ASGITransport(app=served[1], client=("192.0.2.7", 4711))
    async with httpx.AsyncClient(transport=transport, base_url="http://api.test") as client:
        yield client


@pytest.fixture
def v3(anybody: httpx.AsyncClient) -> httpx.AsyncClient:
    """A caller with the v3 application's key."""
    anybody.headers["Authorization"] = f"Bearer {V3_KEY}"
    return anybody
