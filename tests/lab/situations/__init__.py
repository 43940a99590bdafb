"""Situations: real servers behind real filters, all side by side, each with the verdict that is right about it.

``table.py`` lists them, for a person to read; ``Situations`` builds them; ``looking.py`` sees them by plain sockets, so
that a situation is what its story says. Nothing here imports Mooring.
"""

from tests.lab.situations.laboratory import Sight, Situations
from tests.lab.situations.sources import CONTROL_TARGETS, Site, configuration
from tests.lab.situations.table import SITUATIONS
from tests.lab.situations.types import WELL, Question, Service, Situation
from tests.lab.situations.unsteady import unsteady

__all__ = [
    "CONTROL_TARGETS",
    "SITUATIONS",
    "WELL",
    "Question",
    "Service",
    "Sight",
    "Site",
    "Situation",
    "Situations",
    "configuration",
    "unsteady",
]
