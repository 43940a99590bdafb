"""Whose account an e-mail address is, and which servers it may have (contract 2.6)."""

from typing import Any

import msgspec
from litestar.response.base import ASGIResponse
from msgspec import UNSET, UnsetType

from mooring.api.answers import Single, single
from mooring.api.auth import application_of
from mooring.api.doors import Req, door, services_of
from mooring.api.limits import Limit, limits_of
from mooring.api.queries import query_of
from mooring.providers import Detected, Proposal, Provider


class ServerView(msgspec.Struct):
    """A server that the account may have.

    Attributes:
        origin: how it came to be known, and confidence: from 0 to 1, how likely it is the right one.
        url: of CalDAV, where discovery starts.
    """

    service: str
    host: str
    port: int
    tls: str
    username: str
    origin: str
    confidence: float
    url: str | UnsetType = UNSET


class DetectedView(msgspec.Struct):
    """What was found out; ``settings``, ``servers`` and ``notes`` are ours.

    Attributes:
        type: of an IMAP provider that is known, its name.
        settings: ready for ``POST /v3/connect/custom``, but for the password.
        notes: what could not be used, and what the user has to see to.
    """

    email_address: str
    detected: bool
    settings: dict[str, Any]
    servers: list[ServerView]
    notes: list[str]
    provider: str | UnsetType = UNSET
    type: str | UnsetType = UNSET


@door("POST", "/v3/providers/detect", answer=Single[DetectedView], query=("email", "all_provider_types"))
async def detect(request: Req) -> ASGIResponse:
    """Detect the provider and the servers of an e-mail address."""
    application = await application_of(request)
    query = query_of(request)
    email = query.required("email")
    # There are no connectors that an application lacks, so both answers are the same one.
    query.flag("all_provider_types")
    limits_of(request).take(Limit.DETECT, application.id)
    return single(request, _view(await services_of(request).detection.detect(application, email)))


def _view(found: Detected) -> DetectedView:
    is_imap = found.provider is Provider.IMAP and found.type
    return DetectedView(
        email_address=found.email,
        detected=found.provider is not None,
        provider=UNSET if found.provider is None else str(found.provider),
        type=found.type if is_imap else UNSET,
        settings=dict(found.settings()),
        servers=[_server(proposal, found.email) for proposal in found.servers],
        notes=list(found.notes),
    )


def _server(proposal: Proposal, email: str) -> ServerView:
    return ServerView(
        service=str(proposal.service),
        host=proposal.host,
        port=proposal.port,
        tls=str(proposal.tls),
        username=proposal.login_of(email),
        origin=str(proposal.origin),
        confidence=proposal.confidence,
        url=proposal.url if proposal.service == "caldav" else UNSET,
    )


ROUTES = (detect,)
