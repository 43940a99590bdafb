"""The fixtures that a floor with real servers imports into its conftest."""

from collections.abc import Iterator

import pytest

from tests.lab.firewall import Firewall
from tests.lab.laboratory import Laboratory
from tests.lab.situations import Situations

__all__ = ["firewall", "lab", "situations"]


@pytest.fixture(scope="session")
def lab() -> Iterator[Laboratory]:
    """The laboratory, one for the whole session; servers start when a test first names them."""
    with Laboratory() as laboratory:
        yield laboratory


@pytest.fixture
def firewall(lab: Laboratory) -> Iterator[Firewall]:
    """The firewall, open and with empty counters at the beginning; open again at the end."""
    lab.firewall.open()
    lab.firewall.forget()
    yield lab.firewall
    lab.firewall.open()


@pytest.fixture(scope="module")
def situations(lab: Laboratory) -> Iterator[Situations]:
    """All situations, one set for each file of tests; the laboratory's own firewall is open, and should stay so."""
    lab.firewall.open()
    with Situations(lab) as standing:
        yield standing
