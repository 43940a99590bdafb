"""The floor's fixtures: one house and one browser for all tests, both as new for each."""

import asyncio
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.browser.dashboard_house import DashboardHouse, opened_house
from tests.browser.driver import Browser, browser_started
from tests.postgres import migrated_template, postgres_server, run_on, url_of

__all__ = ["migrated_template", "postgres_server"]


@pytest.fixture(scope="session")
def furnished(migrated_template: str, tmp_path_factory: pytest.TempPathFactory) -> Generator[DashboardHouse]:
    asyncio.run(run_on(migrated_template, "CREATE DATABASE house TEMPLATE mooring_template STRATEGY file_copy"))
    with opened_house(Path(tmp_path_factory.mktemp("house")), url_of(migrated_template, "house")) as house:
        yield house


@pytest.fixture
def house(furnished: DashboardHouse) -> DashboardHouse:
    """Its one request for static IPs is there, and nothing decided."""
    furnished.ask_again()
    return furnished


@pytest.fixture(scope="session")
def window() -> Generator[Browser]:
    with browser_started() as browser:
        yield browser


@pytest.fixture
def browser(window: Browser) -> Generator[Browser]:
    """Nobody is signed in; at the end, nothing that the browser complains of."""
    window.forget()
    assert window.complaints is not None
    yield window
    assert window.complaints == []
