"""The nouns of delivery: webhook, lane, attempt, dead letter."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from mooring.config import EnvironmentName, Generation, Kind


class WebhookStatus(StrEnum):
    """Whether anything is delivered (contract 5.5), in the API's spelling."""

    ACTIVE = "active"
    #: nearly nothing was taken for a while; it is tried on, gently
    FAILING = "failing"
    #: given up; somebody has to switch it on again
    FAILED = "failed"
    #: switched off by its application
    PAUSED = "pause"

    @property
    def delivers(self) -> bool:
        """Whether facts are delivered in this state."""
        return self in {WebhookStatus.ACTIVE, WebhookStatus.FAILING}


@dataclass(frozen=True, slots=True)
class Webhook:
    """An endpoint of an application, and what it wants to hear of.

    Attributes:
        generation, region: of its application; they decide the shape of a delivery, and where it leaves from.
        trigger_types: of the catalogue, ours among them.
        compressed: deliveries are gzip.
        ordered: a fact waits for the one before it, grant by grant; else a fact that is not taken steps aside.
    """

    id: str
    application_id: str
    generation: Generation
    region: str
    url: str
    description: str
    trigger_types: tuple[str, ...]
    notification_emails: tuple[str, ...]
    compressed: bool
    ordered: bool
    status: WebhookStatus
    status_updated_at: datetime
    created_at: datetime
    updated_at: datetime

    @property
    def environment(self) -> EnvironmentName:
        """Where deliveries leave from: the webhook pool of the application's region."""
        return webhook_environment(self.region)


def webhook_environment(region: str) -> EnvironmentName:
    """The pool that deliveries for this region's applications leave by."""
    return EnvironmentName(Generation.WEBHOOK, region, Kind.STATIC)


@dataclass(frozen=True, slots=True)
class NewWebhook:
    """A webhook with its secret, which is shown this once."""

    webhook: Webhook
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class WebhookChanges:
    """What somebody wants of a webhook; None leaves it as it is."""

    url: str | None = None
    description: str | None = None
    trigger_types: tuple[str, ...] | None = None
    notification_emails: tuple[str, ...] | None = None
    compressed: bool | None = None
    ordered: bool | None = None
    status: WebhookStatus | None = None


@dataclass(frozen=True, slots=True)
class Tries:
    """What has been tried in vain with one fact.

    Attributes:
        attempts: all tries; refusals: those that the endpoint answered.
        due_at: when it is tried again; None: at once, or (parked) not before somebody wants it.
        reason: why the last try did not count.
    """

    attempts: int = 0
    refusals: int = 0
    due_at: datetime | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Lane:
    """How far a webhook has come with one grant's facts.

    Attributes:
        position: with every fact up to this sequence it is done.
        tries: of the next one.
    """

    grant_id: str
    position: int
    tries: Tries = Tries()


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to deliver one fact.

    Attributes:
        status: what the endpoint answered; None: nothing.
        reason: why it does not count as taken; "" when it does.
    """

    grant_id: str
    sequence: int
    attempt: int
    at: datetime
    duration_ms: float
    status: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Parked:
    """A fact that is delivered apart from its lane's order; without a due time, a dead letter."""

    grant_id: str
    sequence: int
    tries: Tries


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A fact that was given up, until somebody has it sent again."""

    grant_id: str
    sequence: int
    type: str
    attempts: int
    reason: str
    parked_at: datetime
