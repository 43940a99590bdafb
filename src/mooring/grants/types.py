"""A grant: one connected account of one application."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from mooring.config import Generation, Kind
from mooring.errors import Forbidden
from mooring.grants.errors import Stopped
from mooring.net import TlsMode


class Server(msgspec.Struct, frozen=True, omit_defaults=True):
    """A mail server as the user named it, and who logs in there.

    Attributes:
        tls: None until the first connection has found out.
    """

    host: str
    port: int
    username: str
    tls: TlsMode | None = None

    @property
    def mailbox(self) -> str:
        """Who at which server, in words: the mailbox that this leads to, by whichever port."""
        return f"{self.username} at {self.host}"


class CalendarServer(msgspec.Struct, frozen=True, omit_defaults=True):
    """A CalDAV server: where discovery starts (RFC 6764), and who logs in there."""

    url: str
    username: str


class Settings(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a grant's mail and calendars live. No secret is in here."""

    imap: Server
    smtp: Server | None = None
    caldav: CalendarServer | None = None


class Credentials(msgspec.Struct, frozen=True, omit_defaults=True):
    """The passwords of a grant; sealed wherever they are stored, and without a repr."""

    imap_password: str
    smtp_password: str = ""
    caldav_password: str = ""

    def __repr__(self) -> str:
        return "Credentials(…)"


class GrantStatus(StrEnum):
    """Whether the credentials still work, as far as is known."""

    VALID = "valid"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Grant:
    """One connected account.

    Attributes:
        mail_domain: registrable domain of the mail host; with application and e-mail the grant's identity.
        subject: that identity as one word, known before the grant exists.
        generation, region, feature_on: of its application, since every dial depends on them.
        environment: the placement. It, not the feature, decides where sync, live and send leave from.
        sync_error: the failure that stops synchronisation now, in the shape of ``provider_error``; or None.
        synced_at: when the mailbox was last seen to be in step.
        stopped_at: since when nothing is dialled for it; None while it runs.
        start_due_at: of one that a staged move stopped, when it may be started again.
        landmarks: folder → (UIDVALIDITY, UIDNEXT) at the first authentication of an account that was stopped by it,
            by the hexadecimal wire name; what came later is news, and not history.
        metadata: the developer's own words, by his own keys.
    """

    id: str
    application_id: str
    generation: Generation
    region: str
    feature_on: bool
    provider: str
    email: str
    mail_domain: str
    subject: str
    environment: Kind
    status: GrantStatus
    settings: Settings
    name: str
    state: str
    scope: tuple[str, ...]
    user_agent: str
    ip: str
    sync_error: dict[str, Any] | None
    synced_at: datetime | None
    created_at: datetime
    updated_at: datetime
    stopped_at: datetime | None = None
    start_due_at: datetime | None = None
    landmarks: dict[str, tuple[int, int]] | None = None
    metadata: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def mail_server(self) -> str:
        """The name of the server that its mail lies on; moves are paced for each."""
        return self.settings.imap.host.lower()


@dataclass(frozen=True, slots=True)
class SyncHealth:
    """How a grant's synchronisation is doing.

    Attributes:
        error, synced_at: see ``Grant.sync_error`` and ``Grant.synced_at``.
        failure_told: whether ``sync.failed`` was told, and ``sync.recovered`` was not yet. A new authentication
            clears the error, and not this.
    """

    error: dict[str, Any] | None
    synced_at: datetime | None
    failure_told: bool


@dataclass(frozen=True, slots=True)
class ConnectRequest:
    """What somebody who connects an account has said.

    Attributes:
        email: lower-cased; the identity uses it.
        user_agent, ip: of the caller, shown on the grant.
    """

    provider: str
    email: str
    settings: Settings
    credentials: Credentials
    name: str = ""
    state: str = ""
    scope: tuple[str, ...] = ()
    user_agent: str = ""
    ip: str = ""


def require_running(grant: Grant) -> None:
    """See to it that nothing is dialled for an account that is stopped, nor with a password that is known to be wrong.

    Raises:
        Stopped: it is stopped.
        Forbidden: the server refused the password; trying on would get an address banned.
    """
    if grant.stopped_at is not None:
        raise Stopped(grant.start_due_at)
    if grant.status is GrantStatus.INVALID:
        raise Forbidden(
            "The mail server no longer accepts this account's credentials.", hint="Authenticate the account again."
        )
