"""On whose behalf a connection is made, why, and from which environment: told to the dialer in its own words."""

from dataclasses import dataclass

from mooring.applications import Application
from mooring.config import EnvironmentName
from mooring.egress import Caller, Dial, Traffic, kind_for
from mooring.grants.types import Grant


@dataclass(frozen=True, slots=True)
class Way:
    """What every dial of one piece of work has in common.

    Attributes:
        remote: of a server's addresses the one to be dialled, as long as it has it; "" for any.
        leaves: the source that the account is about to leave; "" for none.
    """

    traffic: Traffic
    environment: EnvironmentName
    caller: Caller
    remote: str = ""
    leaves: str = ""

    def dial(self, host: str, port: int, *, tls: bool) -> Dial:
        """The dial to this server."""
        return Dial(self.traffic, self.environment, self.caller, host, port, tls, self.remote, self.leaves)


def way_of(grant: Grant, traffic: Traffic) -> Way:
    """How a grant's own traffic leaves: by its placement (spec §4)."""
    kind = kind_for(traffic, generation=grant.generation, feature_on=grant.feature_on, placement=grant.environment)
    environment = EnvironmentName(grant.generation, grant.region, kind)
    return Way(traffic, environment, Caller(grant.application_id, grant.subject, grant.id))


def way_to_authenticate(application: Application, subject: str, grant_id: str = "") -> Way:
    """How an authentication leaves, of an account that may not be a grant yet (S14, S9)."""
    kind = kind_for(
        Traffic.AUTH,
        generation=application.generation,
        feature_on=application.feature_on,
        placement=application.placement,
    )
    return Way(Traffic.AUTH, application.environment(kind), Caller(application.id, subject, grant_id))
