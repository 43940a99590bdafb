"""A watch as the API shows it."""

from datetime import datetime

import msgspec

from mooring.diagnosis.types import Target
from mooring.diagnosis.watches.doors import Door
from mooring.diagnosis.watches.rules import Change
from mooring.diagnosis.watches.watch import ServerWatch


class DoorView(msgspec.Struct):
    """One service at one address of the server, from one address of ours.

    Attributes:
        state: ``open``, ``closed`` (the server, or what stands in front of it, does not let us in) or ``unknown``.
        since: since when; of one that never was open, null.
        outcome: of the last look, as in a diagnosis.
    """

    service: str
    host: str
    port: int
    server_address: str
    state: str
    since: int | None
    outcome: str
    server_said: str
    looked_at: int | None


class WatchedAddressView(msgspec.Struct):
    """A published address of ours; open when every service is, at every address of the server."""

    address: str
    state: str
    doors: list[DoorView]


class ChangeView(msgspec.Struct):
    """Something that changed.

    Attributes:
        kind: ``opened``, ``closed``, ``authenticated``, ``not_authenticated``, ``expired`` or ``ended``.
        addresses: of ours, those that it concerns; ``open`` of ``total`` were let in from then on.
    """

    at: int
    kind: str
    addresses: tuple[str, ...]
    open: int
    total: int
    grant_id: str | None
    message: str


class AuthenticationView(msgspec.Struct):
    """What becomes of the account that is connected when all is open.

    Attributes:
        state: ``wanted``, ``trying``, ``done``, ``refused`` or ``failed``.
    """

    state: str
    grant_id: str | None
    message: str


class WatchView(msgspec.Struct):
    """A watch: ``waiting`` until all addresses are let in, then ``open``; ``expired`` or ``ended`` when it is over.

    Attributes:
        open, total: how many of our addresses are let in, and of how many.
        problem: why something could not be looked at.
        authentication: null where nobody asked for that.
        changes: in order; null in lists.
        next_look_at: null when it is over.
    """

    id: str
    diagnosis_id: str | None
    state: str
    environment: str
    targets: tuple[Target, ...]
    open: int
    total: int
    addresses: list[WatchedAddressView]
    problem: str
    authentication: AuthenticationView | None
    changes: list[ChangeView] | None
    next_look_at: int | None
    created_at: int
    ended_at: int | None
    object: str = "watch"


def watch_view(watch: ServerWatch, *, whole: bool) -> WatchView:
    """The watch, without anything secret.

    Args:
        whole: with what has changed.
    """
    standing = watch.standing
    return WatchView(
        id=watch.id,
        diagnosis_id=watch.diagnosis_id or None,
        state=str(standing.state),
        environment=watch.environment,
        targets=watch.question.targets,
        open=len(standing.open_addresses),
        total=len(standing.addresses),
        addresses=[
            WatchedAddressView(
                address, "open" if is_open else _closed(standing.doors, address),
                [_door(door) for door in standing.doors if door.address == address],
            )
            for address, is_open in standing.addresses.items()
        ],
        problem=standing.problem,
        authentication=_authentication(watch),
        changes=[_change(change) for change in watch.changes] if whole else None,
        next_look_at=_unix(watch.due_at),
        created_at=_unix(watch.created_at) or 0,
        ended_at=_unix(watch.ended_at),
    )  # fmt: skip


def _authentication(watch: ServerWatch) -> AuthenticationView | None:
    if watch.authentication == "none":
        return None
    return AuthenticationView(str(watch.authentication), watch.grant_id or None, watch.error)


def _closed(doors: tuple[Door, ...], address: str) -> str:
    return "closed" if any(d.looked_at and not d.is_open for d in doors if d.address == address) else "unknown"


def _door(door: Door) -> DoorView:
    state = "open" if door.is_open else "closed" if door.looked_at is not None else "unknown"
    return DoorView(
        str(door.service),
        door.host,
        door.port,
        door.server,
        state,
        _unix(door.since),
        door.outcome,
        door.said,
        _unix(door.looked_at),
    )


def _change(change: Change) -> ChangeView:
    return ChangeView(
        _unix(change.at) or 0, str(change.kind), change.addresses, change.open, change.total, change.grant_id or None,
        change.message,
    )  # fmt: skip


def _unix(at: datetime | None) -> int | None:
    return int(at.timestamp()) if at is not None else None
