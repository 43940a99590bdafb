"""A watch as it is kept."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from mooring.diagnosis.types import Question
from mooring.diagnosis.watches.rules import Change, Standing


class Authentication(StrEnum):
    """What becomes of the account that is to be connected as soon as all is open."""

    #: nobody asked for that
    NONE = "none"
    #: it waits
    WANTED = "wanted"
    #: it is being tried
    TRYING = "trying"
    #: there is a grant
    DONE = "done"
    #: the server refused it; it is not shown again
    REFUSED = "refused"
    #: it could not be tried to its end
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ServerWatch:
    """One watch. No secret is in it.

    Attributes:
        environment: whose addresses it is about, such as ``v3-us-static``.
        grant_id: of the account that was authenticated, or "".
        error: why there is none.
        due_at: the next look; None: it has ended.
        changes: what has changed, in order; only of a watch that was asked for by itself.
    """

    id: str
    application_id: str
    diagnosis_id: str
    environment: str
    question: Question
    standing: Standing
    authentication: Authentication
    grant_id: str
    error: str
    due_at: datetime | None
    created_at: datetime
    ended_at: datetime | None
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class WatchClaim:
    """The right to look for one watch, as long as nobody else has begun to.

    Attributes:
        look: counts up whenever somebody begins.
        now: by the database's clock.
        request: the account to connect, sealed; None: none.
        tries: how often connecting it was begun, but for what was our own fault.
        tried_at: when that was last; of one whose process died meanwhile.
    """

    id: str
    look: int
    application_id: str
    environment: str
    question: Question
    standing: Standing
    authentication: Authentication
    subject: str
    tries: int
    tried_at: datetime | None
    created_at: datetime
    now: datetime
    request: bytes | None = field(repr=False)
