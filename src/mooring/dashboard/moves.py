"""Forms about moves: of one account, and of accounts that move together. A refusal is told on the page of the form."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from litestar import Response
from litestar.response.sse import ServerSentEvent

from mooring.applications import Application
from mooring.config import Kind, MigrationMode
from mooring.dashboard.accounts import account_of, account_page
from mooring.dashboard.applications import application_of, application_page
from mooring.dashboard.batches import batches_of
from mooring.dashboard.doors import Req, Visit, identifier, page, route
from mooring.dashboard.failures import failure_of
from mooring.dashboard.move_views import refusal_of
from mooring.dashboard.pages import see_other
from mooring.dashboard.streams import Glance, stream
from mooring.errors import Conflict, Forbidden, InvalidRequest
from mooring.grants import Grant, TooEarly
from mooring.moves import Move
from mooring.operators import require_handling, require_steering

TRY = "try"
"""A dry run, among the ways to move."""
POLICY = "policy"
"""As the operator's policy says, among the ways in which an application's accounts move."""

Choice = TypeVar("Choice", Kind, MigrationMode)
Act = Callable[[Application, Grant], Awaitable[Move | None]]


@page("POST", "/dashboard/accounts/{account_id:str}/stop")
async def stop(visit: Visit) -> Response[bytes]:
    """Have nothing dialled for the account any more."""

    async def act(application: Application, grant: Grant) -> None:
        await visit.services.placements.stop(application, grant, by=visit.operator.signature)

    return await _handled(visit, act, done="stopped")


@page("POST", "/dashboard/accounts/{account_id:str}/start")
async def start(visit: Visit) -> Response[bytes]:
    """Synchronise the account again, after the delay of a move in two steps where it is to go (S12)."""

    async def act(application: Application, grant: Grant) -> None:
        await visit.services.placements.start(application, grant, by=visit.operator.signature)

    return await _handled(visit, act, done="started")


@page("POST", "/dashboard/accounts/{account_id:str}/moves")
async def move(visit: Visit) -> Response[bytes]:
    """Begin to move the account, or to try whether it could be."""
    to, how = _one_of(visit, "to", Kind), visit.form.get("how", "")
    mode = None if how == TRY else _one_of(visit, "how", MigrationMode)

    async def act(application: Application, grant: Grant) -> Move:
        return await visit.services.placements.move(
            application, grant, to, mode=mode, dry_run=how == TRY, by=visit.operator.signature
        )

    return await _handled(visit, act, done="trying" if how == TRY else "moving")


@page("POST", "/dashboard/applications/{application_id:str}/batches/{batch_id:str}")
async def batch(visit: Visit) -> Response[bytes]:
    """Pause accounts that move together, let them go on, or roll them back."""
    found, batch_id = await application_of(visit), identifier(visit.request, "batch_id")
    require_steering(visit.operator)
    feature, wanted = visit.services.feature, visit.form.get("do", "")
    try:
        match wanted:
            case "pause":
                await feature.pause(found.id, batch_id)
            case "resume":
                await feature.resume(found.id, batch_id)
            case "roll-back":
                await feature.roll_back(found.id, batch_id, by=visit.operator.signature)
            case _:
                raise _nothing_said()
    except Conflict as error:
        return await application_page(visit, found, refusal_of(error), _status(error))
    return see_other(f"/dashboard/applications/{found.id}?done={wanted}#moves")


@page("POST", "/dashboard/applications/{application_id:str}/migration-mode")
async def migration_mode(visit: Visit) -> Response[bytes]:
    """Have the application's accounts move in another way from now on."""
    found = await application_of(visit)
    require_steering(visit.operator)
    mode = None if visit.form.get("mode") == POLICY else _one_of(visit, "mode", MigrationMode)
    await visit.services.applications.set_migration_mode(found.id, mode)
    return see_other(f"/dashboard/applications/{found.id}?done=mode#moves")


@route("GET", "/dashboard/applications/{application_id:str}/batches/live")
async def live_batches(request: Req) -> ServerSentEvent:
    """How far the application's batches are."""

    async def look(visit: Visit) -> Glance:
        return Glance((await batches_of(visit, await application_of(visit))).pieces)

    return stream(request, look)


async def _handled(visit: Visit, act: Act, *, done: str) -> Response[bytes]:
    """Do this with the account that the path names, and show its page."""
    grant = await account_of(visit.services, visit.operator, visit.request)
    require_handling(visit.operator, grant.application_id)
    try:
        await act(await visit.services.applications.get(grant.application_id), grant)
    except (Conflict, Forbidden) as error:
        # Somebody else may have changed the account since it was read, which is why.
        current = await visit.services.grants.get(grant.id)
        answer = await account_page(visit, current, refusal_of(error), _status(error))
        if isinstance(error, TooEarly):
            answer.headers["Retry-After"] = str(error.seconds_left)
        return answer
    return see_other(f"/dashboard/accounts/{grant.id}?done={done}")


def _status(error: Conflict | Forbidden) -> int:
    failure = failure_of(error)
    assert failure is not None
    return failure.status


def _one_of(visit: Visit, name: str, choices: type[Choice]) -> Choice:
    """What was chosen.

    Raises:
        InvalidRequest: none of these.
    """
    try:
        return choices(visit.form.get(name, ""))
    except ValueError:
        raise _nothing_said() from None


def _nothing_said() -> InvalidRequest:
    return InvalidRequest("The form says nothing of what to do.", hint="Use one of its buttons.")


ROUTES = (stop, start, move, batch, migration_mode, live_batches)
