"""Where a grant's connections leave from: moved between the environments, stopped and started (spec §6.16)."""

from typing import Any

import msgspec
from litestar.response.base import ASGIResponse

from mooring.api.answers import Done, Single, done, encoded, request_id, single, unix
from mooring.api.auth import application_of
from mooring.api.bodies import json_of
from mooring.api.doors import Req, door, services_of
from mooring.api.paths import segment
from mooring.applications import Application
from mooring.config import Kind, MigrationMode
from mooring.grants import Grant
from mooring.moves import Move, Recorded

BY = "application"
"""Who did it, as far as an API can tell."""

_GRANT = "/v3/grants/{identifier:str}"


class MoveBody(msgspec.Struct, forbid_unknown_fields=True):
    """Where to, and how: without ``mode`` as the application's accounts move. A dry run proves, and moves nothing."""

    to: Kind
    mode: MigrationMode | None = None
    dry_run: bool = False


class StepView(msgspec.Struct):
    """One step: what happened when, the state that it led to, and what there is to say about it."""

    step: str
    state: str
    at: int | None
    detail: str


class MoveView(msgspec.Struct):
    """A move. It ends ``done``, ``failed`` or ``rolled_back``; ``error`` says why not, ``warnings`` what was odd.

    Attributes:
        due_at, seconds_left: of a staged move, when the account can be started or authenticated again.
    """

    id: str
    grant_id: str
    batch_id: str | None
    to: str
    environment: str
    mode: str
    dry_run: bool
    state: str
    by: str
    error: dict[str, Any] | None
    warnings: tuple[str, ...]
    created_at: int | None
    due_at: int | None
    seconds_left: int
    ended_at: int | None
    steps: list[StepView] | None = None
    object: str = "move"


class MoveList(msgspec.Struct):
    """The grant's moves, the latest first; their steps are with each."""

    request_id: str
    data: list[MoveView]


@door("POST", f"{_GRANT}/moves", answer=Single[MoveView], body=MoveBody)
async def begin_move(request: Req) -> ASGIResponse:
    """Move a grant to static or to dynamic addresses."""
    application, grant = await _grant_of(request)
    body = await json_of(request, MoveBody)
    placements = services_of(request).placements
    move = await placements.move(application, grant, body.to, mode=body.mode, dry_run=body.dry_run, by=BY)
    return single(request, _view(request, move, await placements.steps(move)))


@door("GET", f"{_GRANT}/moves", answer=MoveList)
async def list_moves(request: Req) -> ASGIResponse:
    """List the moves of a grant, the latest first."""
    _, grant = await _grant_of(request)
    moves = await services_of(request).placements.moves(grant)
    return encoded(MoveList(request_id(request), [_view(request, move) for move in moves]))


@door("GET", f"{_GRANT}/moves/{{move_id:str}}", answer=Single[MoveView])
async def find_move(request: Req) -> ASGIResponse:
    """Find a move, with its steps."""
    _, grant = await _grant_of(request)
    placements = services_of(request).placements
    move = await placements.find_move(grant, segment(request, "move_id"))
    return single(request, _view(request, move, await placements.steps(move)))


@door("POST", f"{_GRANT}/stop", answer=Done)
async def stop_grant(request: Req) -> ASGIResponse:
    """Stop a grant: nothing is dialled for it until it is started; what is stored can be read."""
    application, grant = await _grant_of(request)
    await services_of(request).placements.stop(application, grant, by=BY)
    return done(request)


@door("POST", f"{_GRANT}/start", answer=Done)
async def start_grant(request: Req) -> ASGIResponse:
    """Start a grant that was stopped."""
    application, grant = await _grant_of(request)
    await services_of(request).placements.start(application, grant, by=BY)
    return done(request)


async def _grant_of(request: Req) -> tuple[Application, Grant]:
    application = await application_of(request)
    return application, await services_of(request).grants.find(application, segment(request, "identifier"))


def _view(request: Req, move: Move, steps: list[Recorded] | None = None) -> MoveView:
    return MoveView(
        id=move.id,
        grant_id=move.grant_id,
        batch_id=move.batch_id or None,
        to=str(move.target),
        environment=str(move.environment),
        mode=str(move.mode),
        dry_run=move.dry_run,
        state=str(move.state),
        by=move.by,
        error=move.error,
        warnings=move.warnings,
        created_at=unix(move.created_at),
        due_at=unix(move.due_at),
        seconds_left=move.seconds_left(services_of(request).clock.now()),
        ended_at=unix(move.ended_at),
        steps=None if steps is None else [StepView(str(s.step), str(s.state), unix(s.at), s.detail) for s in steps],
    )


ROUTES = (begin_move, list_moves, find_move, stop_grant, start_grant)
