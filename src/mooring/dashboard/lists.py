"""The address lists: what a mail administrator has to allow."""

from dataclasses import dataclass
from datetime import UTC, datetime

from litestar import Response

from mooring.allowlist import AddressList
from mooring.applications import Application
from mooring.config import EnvironmentName, Generation, Kind
from mooring.dashboard.doors import Visit, page
from mooring.dashboard.pages import shown
from mooring.operators import scope_of


@dataclass(frozen=True, slots=True)
class ListView:
    """One environment's list.

    Attributes:
        purpose: what leaves by it, in a sentence.
        listed: None where no list is published (S2).
    """

    environment: EnvironmentName
    purpose: str
    listed: AddressList | None
    since: datetime | None


@page("GET", "/dashboard/lists")
async def lists(visit: Visit) -> Response[bytes]:
    services, scope = visit.services, scope_of(visit.operator)
    environments = sorted(services.environments, key=_order)
    if scope is not None:
        own = await services.applications.get(scope)
        environments = [environment for environment in environments if concerns(environment, own)]
    views = [_view(environment, services.allowlist.list_of(environment)) for environment in environments]
    return shown(visit, "lists.html", lists=views)


def concerns(environment: EnvironmentName, application: Application) -> bool:
    """Whether anything of this application leaves by it."""
    return environment.region == application.region and environment.generation in {
        application.generation,
        Generation.WEBHOOK,
    }


def purpose_of(environment: EnvironmentName) -> str:
    """What leaves by this environment."""
    match environment.generation, environment.kind:
        case Generation.WEBHOOK, _:
            return "Webhooks are delivered from these addresses. Nothing connects to a mail server from them."
        case _, Kind.STATIC:
            return "What a mail administrator has to allow: these addresses are few, and do not change unannounced."
        case Generation.V2, _:
            return "Accounts without static IPs are reached from these addresses. They change often."
        case _:
            return (
                "No list is published of these addresses, since they change. "
                "A mail server that filters needs static IPs, and the static list."
            )


def _view(environment: EnvironmentName, listed: AddressList) -> ListView:
    published = environment.kind is Kind.STATIC or environment.generation is Generation.V2
    since = datetime.fromtimestamp(listed.updated_at, UTC) if published and listed.updated_at else None
    return ListView(environment, purpose_of(environment), listed if published else None, since)


def _order(environment: EnvironmentName) -> tuple[bool, str, str, bool]:
    """What mail administrators look for comes first."""
    return (
        environment.generation is Generation.WEBHOOK,
        environment.generation,
        environment.region,
        environment.kind is not Kind.STATIC,
    )


ROUTES = (lists,)
