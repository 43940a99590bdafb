"""The application itself: what it is called, and where hosted authentication may lead back to."""

import msgspec
from litestar.response.base import ASGIResponse

from mooring.api.answers import encoded
from mooring.api.auth import v2_application_of
from mooring.api.bodies import json_of
from mooring.api.doors import Req, door, services_of
from mooring.applications import Application, Changes
from mooring.errors import InvalidRequest

MAX_NAME = 200
"""Characters of a name."""
MAX_URIS = 50


class ApplicationBody(msgspec.Struct):
    """The body of an update; what is left out stays as it is."""

    application_name: str | None = None
    icon_url: str | None = None
    redirect_uris: list[str] | None = None


class ApplicationView(msgspec.Struct):
    """An application."""

    application_name: str
    icon_url: str
    redirect_uris: tuple[str, ...]


@door("GET", "/a/{client_id:str}", answer=ApplicationView)
async def application_details(request: Req) -> ASGIResponse:
    """The application's details."""
    return encoded(_view(await v2_application_of(request)))


@door("PUT", "/a/{client_id:str}", answer=ApplicationView, body=ApplicationBody)
async def update_application(request: Req) -> ASGIResponse:
    """Change the application's details."""
    application = await v2_application_of(request)
    body = await json_of(request, ApplicationBody)
    if len(body.application_name or "") > MAX_NAME or len(body.redirect_uris or ()) > MAX_URIS:
        raise InvalidRequest(f"A name has at most {MAX_NAME} letters, and an application {MAX_URIS} redirect URIs.")
    uris = tuple(body.redirect_uris) if body.redirect_uris is not None else None
    changes = Changes(name=body.application_name, icon_url=body.icon_url, redirect_uris=uris)
    return encoded(_view(await services_of(request).applications.change(application.id, changes)))


def _view(application: Application) -> ApplicationView:
    return ApplicationView(application.name, application.icon_url, application.redirect_uris)


ROUTES = (application_details, update_application)
