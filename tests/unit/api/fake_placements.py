"""Placements in memory: one move, and whatever is asked for is remembered."""

from datetime import UTC, datetime

from mooring.applications import Application
from mooring.config import EnvironmentName, Kind, MigrationMode
from mooring.errors import Conflict, MooringError, NotFound
from mooring.grants import Grant
from mooring.moves import Move, MoveState, MoveStep, Recorded

AT = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


class FakePlacements:
    """Remembers what it was asked.

    Attributes:
        refusal: what stopping, starting and moving end with, where it is set.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[object, ...]] = []
        self.refusal: MooringError | None = None

    async def stop(self, application: Application, grant: Grant, /, *, by: str) -> None:
        self._ask("stop", application.id, grant.id, by)

    async def start(self, application: Application, grant: Grant, /, *, by: str) -> None:
        self._ask("start", application.id, grant.id, by)

    async def move(
        self,
        application: Application,
        grant: Grant,
        to: Kind,
        /,
        *,
        mode: MigrationMode | None,
        dry_run: bool,
        by: str,
    ) -> Move:
        self._ask("move", grant.id, to, mode, dry_run, by)
        if grant.environment is to:
            raise Conflict(f"This account is in the {to} environment already.")
        return _move(application, grant, to, dry_run=dry_run)

    async def find_move(self, grant: Grant, move_id: str, /) -> Move:
        if move_id != "move1":
            raise NotFound("There is no such move.")
        return (await self.moves(grant))[0]

    async def moves(self, grant: Grant, /) -> list[Move]:
        environment = EnvironmentName(grant.generation, grant.region, Kind.STATIC)
        return [_made(grant, environment, dry_run=False)]

    async def steps(self, move: Move, /) -> list[Recorded]:
        return [Recorded(MoveStep.QUEUED, MoveState.WAITING, AT, "by application")]

    def _ask(self, *what: object) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.asked.append(what)


def _move(application: Application, grant: Grant, to: Kind, *, dry_run: bool) -> Move:
    return _made(grant, application.environment(to), dry_run=dry_run)


def _made(grant: Grant, environment: EnvironmentName, *, dry_run: bool) -> Move:
    return Move(
        grant_id=grant.id, id="move1", application_id=grant.application_id, batch_id="", mode=MigrationMode.DIRECT,
        target=environment.kind, environment=environment, server="imap.example.com", leaves="", takes="",
        dry_run=dry_run,
        state=MoveState.WAITING, by="application", error=None, warnings=(), created_at=AT, due_at=None,
        offered_at=None, ended_at=None,
    )  # fmt: skip
