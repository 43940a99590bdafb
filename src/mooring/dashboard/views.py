"""What pages show, where that is not how it is held inside: words, tones and marks. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mooring.applications import Application, StaticIps, StaticIpsChange
from mooring.config import EnvironmentName, Kind
from mooring.egress import LedgerEntry, Outcome
from mooring.grants import Grant, GrantStatus, Settings, Tally


@dataclass(frozen=True, slots=True)
class Sign:
    """A state in a word, with a tone (``good``, ``bad``, ``waiting``, ``calm``) that is never all that tells it."""

    word: str
    tone: str


@dataclass(frozen=True, slots=True)
class Action:
    """A button about static addresses.

    Attributes:
        value: what is sent; effect: what follows, in a sentence.
    """

    value: str
    label: str
    tone: str
    effect: str


@dataclass(frozen=True, slots=True)
class ApplicationRow:
    """An application among others."""

    application: Application
    sign: Sign
    last: StaticIpsChange | None
    tally: Tally
    actions: Sequence[Action]


@dataclass(frozen=True, slots=True)
class ServerView:
    """A server of an account, and who logs in there."""

    protocol: str
    address: str
    username: str


@dataclass(frozen=True, slots=True)
class AccountView:
    """An account.

    Attributes:
        environment: whole, such as ``v3-us-static``.
        source: the addresses that it keeps there, with their names; "" as long as nothing was dialled.
        failure: what stops synchronisation, by word; empty when nothing does.
    """

    id: str
    application_id: str
    email: str
    name: str
    server: str
    status: Sign
    kind: Kind
    environment: EnvironmentName
    source: str
    health: Sign
    failure: Mapping[str, str]
    synced_at: datetime | None
    stopped_at: datetime | None
    created_at: datetime
    servers: Sequence[ServerView]


@dataclass(frozen=True, slots=True)
class ConnectionView:
    """A row of the ledger."""

    at: datetime
    closed_at: datetime | None
    traffic: str
    address: str
    source: str
    environment: str
    kind: str
    server: str
    remote: str
    outcome: Sign
    why: str
    took: str


_STATIC_IPS = {
    StaticIps.OFF: Sign("off", "calm"),
    StaticIps.REQUESTED: Sign("requested", "waiting"),
    StaticIps.ON: Sign("on", "good"),
    StaticIps.DENIED: Sign("denied", "bad"),
}

_REQUEST = Action("request", "Request", "plain", "The operator decides.")
_MOVE_TO = (
    "Its accounts begin to move to static addresses. "
    "Where they move in two steps, each begins with its next authentication."
)
_SWITCH_ON = Action("on", "Switch on", "main", _MOVE_TO)
_APPROVE = Action("on", "Approve", "main", _MOVE_TO)
_DENY = Action("denied", "Deny", "plain", "Nothing moves; the application can ask again.")
_SWITCH_OFF = Action("off", "Switch off", "danger", "Its accounts begin to move to dynamic addresses.")

_DECISIONS = {
    StaticIps.OFF: (_SWITCH_ON, _REQUEST),
    StaticIps.REQUESTED: (_APPROVE, _DENY),
    StaticIps.ON: (_SWITCH_OFF,),
    StaticIps.DENIED: (_SWITCH_ON, _REQUEST),
}

_OUTCOMES = {
    Outcome.INTENDED: Sign("outcome unknown", "waiting"),
    Outcome.OPENED: Sign("connected", "good"),
    Outcome.FAILED: Sign("failed", "bad"),
    Outcome.NOT_DIALLED: Sign("not dialled", "bad"),
}

_FAILURE_WORDS = ("message", "stage", "reason", "host", "port", "source", "environment", "class", "server_said")


def static_ips_sign(state: StaticIps) -> Sign:
    """The state of static addresses."""
    return _STATIC_IPS[state]


def actions_for(state: StaticIps, *, decides: bool) -> tuple[Action, ...]:
    """What can be done about static addresses in this state, by somebody who decides or only asks."""
    if decides:
        return _DECISIONS[state]
    return (_REQUEST,) if state in {StaticIps.OFF, StaticIps.DENIED} else ()


def health_of(grant: Grant) -> Sign:
    """How synchronisation is doing."""
    if grant.stopped_at is not None:
        return Sign("stopped", "waiting")
    if grant.sync_error is not None:
        return Sign("failing", "bad")
    if grant.status is GrantStatus.INVALID:
        return Sign("cannot log in", "bad")
    return Sign("not yet in step", "waiting") if grant.synced_at is None else Sign("in step", "good")


def account_view(
    grant: Grant, kept: Mapping[tuple[str, str], Sequence[str]], addresses: Mapping[str, str]
) -> AccountView:
    """The account, without anything secret.

    Args:
        kept: the names of the sources that subjects keep, by subject and environment.
        addresses: what the far side sees of each.
    """
    environment = EnvironmentName(grant.generation, grant.region, grant.environment)
    names = kept.get((grant.subject, str(environment)), ())
    valid = grant.status is GrantStatus.VALID
    return AccountView(
        id=grant.id,
        application_id=grant.application_id,
        email=grant.email,
        name=grant.name,
        server=grant.settings.imap.host,
        status=Sign("valid", "good") if valid else Sign("login refused", "bad"),
        kind=grant.environment,
        environment=environment,
        source=", ".join(f"{addresses[name]} ({name})" if name in addresses else name for name in names),
        health=health_of(grant),
        failure=failure_words(grant.sync_error),
        synced_at=grant.synced_at,
        stopped_at=grant.stopped_at,
        created_at=grant.created_at,
        servers=_servers(grant.settings),
    )


def failure_words(error: Mapping[str, Any] | None) -> dict[str, str]:
    """Of a failure in the shape of ``provider_error``, what is meant to be read."""
    return {word: str(error[word]) for word in _FAILURE_WORDS if error.get(word)} if error else {}


def _servers(settings: Settings) -> list[ServerView]:
    """Where the account's mail and calendars live; a password is nowhere in it."""
    named = (("IMAP", settings.imap), ("SMTP", settings.smtp))
    servers = [ServerView(name, f"{s.host}:{s.port}", s.username) for name, s in named if s is not None]
    if settings.caldav is not None:
        # What comes behind a question mark may be a key.
        url = settings.caldav.url.partition("?")[0]
        servers.append(ServerView("CalDAV", url, settings.caldav.username))
    return servers


def connection_view(entry: LedgerEntry) -> ConnectionView:
    """The row, in words."""
    return ConnectionView(
        at=entry.at,
        closed_at=entry.closed_at,
        traffic=entry.traffic,
        address=entry.source_address,
        source=entry.source,
        environment=entry.environment,
        kind=entry.environment.rpartition("-")[2],
        server=f"{entry.host}:{entry.port}",
        remote=entry.remote,
        outcome=_OUTCOMES[Outcome(entry.outcome)],
        why=", ".join(word.replace("_", " ") for word in (entry.phase, entry.cause) if word),
        took="" if entry.connect_ms is None else f"{entry.connect_ms:.0f} ms",
    )
