"""Applications and the organisations that own them: keys, generation, region, static addresses on or off.

It knows nothing of grants: placing them anew after a switch is theirs. Start at ``service.py``.
"""

from mooring.applications.repository import any_application
from mooring.applications.service import Applications, client_secret
from mooring.applications.transitions import asked, decided
from mooring.applications.types import Application, Changes, NewApplication, StaticIps, StaticIpsChange

__all__ = [
    "Application",
    "Applications",
    "Changes",
    "NewApplication",
    "StaticIps",
    "StaticIpsChange",
    "any_application",
    "asked",
    "client_secret",
    "decided",
]
