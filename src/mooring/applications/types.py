"""An application: somebody's product, of one API generation and one region."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from mooring.config import EnvironmentName, Generation, Kind, MigrationMode


class StaticIps(StrEnum):
    """The state of an application's static addresses (spec S8)."""

    #: not asked for
    OFF = "off"
    #: asked for; the operator has not decided
    REQUESTED = "requested"
    #: granted
    ON = "on"
    #: asked for and refused
    DENIED = "denied"


@dataclass(frozen=True, slots=True)
class Application:
    """One application.

    Attributes:
        id: for v2 this is the client id.
        migration_mode: how its accounts move; None: as the operator's policy says for its generation.
        predecessor_id: of a v3 application, the v2 application whose customers it takes over; "" for none.
        redirect_uris: where hosted authentication may lead to, letter for letter.
    """

    id: str
    organisation_id: str
    name: str
    generation: Generation
    region: str
    static_ips: StaticIps
    created_at: datetime
    updated_at: datetime
    migration_mode: MigrationMode | None = None
    predecessor_id: str = ""
    icon_url: str = ""
    redirect_uris: tuple[str, ...] = ()

    @property
    def feature_on(self) -> bool:
        """Whether its accounts are entitled to static addresses outside authentication."""
        return self.static_ips is StaticIps.ON

    def environment(self, kind: Kind) -> EnvironmentName:
        """The application's own environment of this kind: its generation and region are never crossed (B13)."""
        return EnvironmentName(self.generation, self.region, kind)

    @property
    def placement(self) -> Kind:
        """Where a new grant of this application is placed."""
        return Kind.STATIC if self.feature_on else Kind.DYNAMIC


@dataclass(frozen=True, slots=True)
class StaticIpsChange:
    """One change of an application's static-IP state.

    Attributes:
        by: ``application``; ``admin`` with the name of its administrator; or ``operator`` with the operator's name.
        note: why, in their own words; "" when nobody said.
    """

    at: datetime
    before: StaticIps
    after: StaticIps
    by: str
    note: str


@dataclass(frozen=True, slots=True)
class Changes:
    """What an application changes of itself; None leaves it as it is."""

    name: str | None = None
    icon_url: str | None = None
    redirect_uris: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class NewApplication:
    """An application just made, with the secret that is shown this once.

    Attributes:
        secret: the API key (v3) or the client secret (v2).
    """

    application: Application
    secret: str = field(repr=False)
