"""All situations, as a person reads them."""

from tests.lab.situations import firewalls, mistakes, outages, own_exits, policies
from tests.lab.situations.types import Situation

SITUATIONS: tuple[Situation, ...] = (
    *firewalls.SITUATIONS,
    *policies.SITUATIONS,
    *mistakes.SITUATIONS,
    *outages.SITUATIONS,
    *own_exits.SITUATIONS,
)
