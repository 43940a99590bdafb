"""One account: its state, its moves, and its connections as the ledger has them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from uuid import UUID

from litestar import Response
from litestar.response.sse import ServerSentEvent
from markupsafe import escape

from mooring.applications import Application
from mooring.dashboard.diagnosis_views import DiagnosisRow, row_of
from mooring.dashboard.doors import Req, Visit, identifier, page, route
from mooring.dashboard.forgery import form_token
from mooring.dashboard.move_views import Controls, MoveView, Refusal, controls_of, move_view, next_look_s
from mooring.dashboard.pages import drawn, shown
from mooring.dashboard.positions import read_position, write_position
from mooring.dashboard.services import Services
from mooring.dashboard.streams import LOOK_S, Frame, Glance, Pieces, seen, stream
from mooring.dashboard.timeline import Timeline, timeline
from mooring.dashboard.views import AccountView, ConnectionView, account_view, connection_view
from mooring.grants import Grant
from mooring.operators import Operator, require_sight

LISTED = 25
"""Connections on a page."""
PICTURED = 200
"""Connections in the picture of the first page."""
MOVES = 10
"""Moves on a page."""


@dataclass(frozen=True, slots=True)
class Connections:
    """Some connections of an account.

    Attributes:
        picture: None where there are none.
        is_first: whether they are the newest.
        next: where the page after this one begins; "" where there is none.
    """

    rows: Sequence[ConnectionView]
    picture: Timeline | None
    is_first: bool
    next: str


@dataclass(frozen=True, slots=True)
class Account:
    """What the page of an account tells.

    Attributes:
        moves: the latest first; the first of them with its steps.
        older_moves: whether there are more.
    """

    application: Application
    view: AccountView
    controls: Controls
    moves: Sequence[MoveView]
    older_moves: bool
    connections: Connections


@page("GET", "/dashboard/accounts/{account_id:str}")
async def account(visit: Visit) -> Response[bytes]:
    return await account_page(visit, await account_of(visit.services, visit.operator, visit.request))


@route("GET", "/dashboard/accounts/{account_id:str}/live")
async def live_account(request: Req) -> ServerSentEvent:
    """What changes of the account, of its moves and of its newest connections."""

    async def look(visit: Visit) -> Glance:
        told = await _account(visit.services, await account_of(visit.services, visit.operator, request))
        return Glance(_pieces(visit, told), next_look_s(told.controls.wait, visit.services.clock.now(), LOOK_S))

    return stream(request, look)


async def account_page(
    visit: Visit, grant: Grant, refusal: Refusal | None = None, status: int = HTTPStatus.OK
) -> Response[bytes]:
    """The account's page.

    Args:
        refusal: why what was just asked for was not done; told where it was asked for.
    """
    query = visit.request.query_params
    before = read_position(query.get("before", ""), of="connections", identity=UUID)
    told = await _account(visit.services, grant, before)
    pieces = _pieces(visit, told)
    return shown(
        visit,
        "account.html",
        status=status,
        application=told.application,
        account=told.view,
        controls=told.controls,
        connections=told.connections,
        pieces=pieces,
        seen=seen(pieces),
        live=before is None and query.get("live") != "off",
        refusal=refusal,
        latest=await _latest(visit, told.application, grant),
        done=query.get("done", ""),
    )


async def _latest(visit: Visit, application: Application, grant: Grant) -> DiagnosisRow | None:
    """The account's latest diagnosis, in a line."""
    found = await visit.services.diagnoses.list(application, grant_id=grant.id, limit=1)
    return row_of(found[0], {application.id: application.name}) if found else None


async def account_of(services: Services, operator: Operator, request: Req) -> Grant:
    """The account that the path names.

    Raises:
        NotFound: there is none, or it is not this person's to see.
    """
    grant = await services.grants.get(identifier(request, "account_id"))
    require_sight(operator, grant.application_id)
    return grant


def _pieces(visit: Visit, told: Account) -> Pieces:
    """What of a page changes while somebody looks at it."""
    view, controls = told.view, told.controls
    actions = drawn("_actions.html", account=view, controls=controls, live=True, form_token=form_token(visit.session))
    return {
        "state": drawn("_state.html", account=view),
        "actions": Frame(actions, controls.key),
        "left": escape(controls.wait.left if controls.wait else ""),
        "moves": drawn("_moves.html", account=view, moves=told.moves, older=told.older_moves),
        "connections": drawn("_connections.html", connections=told.connections),
    }


async def _account(services: Services, grant: Grant, before: tuple[datetime, str] | None = None) -> Account:
    """What there is to tell, with the connections before this one; None for the newest."""
    application = await services.applications.get(grant.application_id)
    moves = await services.placements.moves(grant)
    steps = await services.placements.steps(moves[0]) if moves else ()
    latest = moves[0] if moves else None
    return Account(
        application=application,
        view=account_view(grant, await services.sources([grant.subject]), services.addresses),
        controls=controls_of(grant, application, latest, services.placements.policy, services.clock.now()),
        moves=[move_view(move, steps if move is latest else ()) for move in moves[:MOVES]],
        older_moves=len(moves) > MOVES,
        connections=await _connections(services, grant, before),
    )


async def _connections(services: Services, grant: Grant, before: tuple[datetime, str] | None) -> Connections:
    """The connections before this one; None for the newest."""
    entries = await services.ledger.entries(
        application_id=grant.application_id,
        subject=grant.subject,
        limit=PICTURED if before is None else LISTED + 1,
        before=before,
    )
    listed = entries[:LISTED]
    pictured = entries if before is None else listed
    return Connections(
        rows=[connection_view(entry) for entry in listed],
        picture=timeline(pictured, _to_the_minute(services.clock.now()) if before is None else before[0]),
        is_first=before is None,
        next=write_position(listed[-1].at, listed[-1].id) if len(entries) > LISTED else "",
    )


def _to_the_minute(now: datetime) -> datetime:
    """The end of this minute: the picture is drawn anew when something happened, or a minute has passed."""
    return now.replace(second=0, microsecond=0) + timedelta(minutes=1)


ROUTES = (account, live_account)
