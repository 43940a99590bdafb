"""The application itself."""

import msgspec
from litestar.response.base import ASGIResponse

from mooring.api.answers import Single, single, unix
from mooring.api.auth import application_of
from mooring.api.doors import Req, door
from mooring.applications import Application


class BrandingView(msgspec.Struct):
    """How the application calls itself."""

    name: str


class ApplicationView(msgspec.Struct):
    """An application; ``generation`` and ``static_ips`` are ours."""

    application_id: str
    organization_id: str
    region: str
    generation: str
    static_ips: str
    branding: BrandingView
    created_at: int | None
    updated_at: int | None
    environment: str = "production"
    blocked: bool = False
    callback_uris: tuple[str, ...] = ()


@door("GET", "/v3/applications", answer=Single[ApplicationView])
async def application_details(request: Req) -> ASGIResponse:
    """The application that the API key speaks for."""
    return single(request, _view(await application_of(request)))


def _view(application: Application) -> ApplicationView:
    return ApplicationView(
        application_id=application.id,
        organization_id=application.organisation_id,
        region=application.region,
        generation=str(application.generation),
        static_ips=str(application.static_ips),
        branding=BrandingView(name=application.name),
        created_at=unix(application.created_at),
        updated_at=unix(application.updated_at),
    )


ROUTES = (application_details,)
