"""Fixtures of the floor on which things break: one ``mooring up`` for all tests that leave it alive."""

from collections.abc import Iterator

import pytest

from tests.lab.fixtures import firewall, lab
from tests.lab.laboratory import Laboratory
from tests.running import Running, configuration

__all__ = ["firewall", "lab"]

PORT = 18125


@pytest.fixture(scope="session")
def mooring(lab: Laboratory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A running Mooring, for tests that break what is around it."""
    folder = tmp_path_factory.mktemp("mooring")
    (folder / "mooring.toml").write_text(configuration(PORT))
    running = Running(folder, PORT, lab.trust)
    running.start()
    yield running
    assert running.stop() == 0
    assert running.defects == []
