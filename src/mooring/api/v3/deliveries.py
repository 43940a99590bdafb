"""What became of deliveries: attempts, dead letters and their resending; samples; and the facts themselves."""

from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from litestar.response.base import ASGIResponse

from mooring.api.answers import Listing, OffsetListing, Single, encoded, listing, request_id, single, unix
from mooring.api.auth import application_of, grant_of
from mooring.api.bodies import json_of
from mooring.api.doors import Req, door, services_of
from mooring.api.limits import Limit, limits_of
from mooring.api.queries import query_of, read_token, write_token
from mooring.api.v3.webhooks import webhook_of
from mooring.errors import InvalidRequest
from mooring.events import EventType, Recorded
from mooring.webhooks import CATALOGUE, Attempt, DeadLetter, notice_id, sample


class AttemptView(msgspec.Struct):
    """One try to deliver one fact.

    Attributes:
        notification_id: the ``id`` in the body that was sent.
        status: what the endpoint answered, or null; reason: why it does not count as taken, or "".
    """

    notification_id: str
    grant_id: str
    sequence: int
    attempt: int
    at: datetime
    duration_ms: float
    status: int | None
    reason: str
    object: str = "webhook_attempt"


class DeadLetterView(msgspec.Struct):
    """A fact that was given up, until it is sent again."""

    notification_id: str
    grant_id: str
    sequence: int
    type: str
    attempts: int
    reason: str
    parked_at: int | None
    object: str = "dead_letter"


class ResendBody(msgspec.Struct, forbid_unknown_fields=True):
    """Which dead letters to send again: all, those of one grant, or these of it."""

    grant_id: str | None = None
    sequences: list[int] | None = None


class Resent(msgspec.Struct):
    """How many were put on their way."""

    resent: int


class MockBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``POST /v3/webhooks/mock-payload``."""

    trigger_type: str


class TestEventBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``POST /v3/webhooks/send-test-event``.

    Attributes:
        trigger_type: what to send a sample of; the official CLI names none.
    """

    webhook_url: str
    trigger_type: str = EventType.MESSAGE_CREATED


class FactView(msgspec.Struct):
    """One fact of a grant, in its place; ``data`` names what it happened to, by id."""

    sequence: int
    notification_id: str
    type: str
    at: int | None
    grant_id: str
    data: dict[str, Any]
    object: str = "fact"


@door(
    "GET",
    "/v3/webhooks/{webhook_id:str}/attempts",
    answer=Listing[AttemptView],
    query=("failed", "limit", "page_token"),
)
async def list_attempts(request: Req) -> ASGIResponse:
    """List what was tried to deliver, the latest first; with `failed=true` only what was not taken."""
    webhook = await webhook_of(request)
    query = query_of(request)
    limit, token = query.limit(), query.page_token()
    before: datetime | None = None
    if token:
        (at,) = read_token(token, tuple[Annotated[datetime, msgspec.Meta(tz=True)]])
        before = at.astimezone(UTC)
    found = await services_of(request).webhooks.attempts(
        webhook, before=before, failed=query.flag("failed"), limit=limit
    )
    cursor = write_token((found[-1].at,)) if len(found) == limit else None
    return listing(request, [_attempt_view(a) for a in found], next_cursor=cursor)


@door(
    "GET",
    "/v3/webhooks/{webhook_id:str}/dead-letters",
    answer=OffsetListing[DeadLetterView],
    query=("limit", "offset"),
)
async def list_dead_letters(request: Req) -> ASGIResponse:
    """List the facts that were given up, the latest first."""
    webhook = await webhook_of(request)
    query = query_of(request)
    limit, offset = query.limit(), query.offset()
    found = await services_of(request).webhooks.dead_letters(webhook, limit=limit, offset=offset)
    return encoded(OffsetListing(request_id(request), [_dead_view(d) for d in found], limit, offset))


@door(
    "POST",
    "/v3/webhooks/{webhook_id:str}/dead-letters/resend",
    answer=Single[Resent],
    body=ResendBody,
)
async def resend_dead_letters(request: Req) -> ASGIResponse:
    """Have dead letters sent again, all or some."""
    webhook = await webhook_of(request)
    body = await json_of(request, ResendBody) if await request.body() else ResendBody()
    if body.sequences is not None and body.grant_id is None:
        raise InvalidRequest("sequences are those of one grant: name it in grant_id.")
    resent = await services_of(request).webhooks.resend(webhook, grant_id=body.grant_id, sequences=body.sequences)
    return single(request, Resent(resent))


@door("POST", "/v3/webhooks/mock-payload", answer=Single[dict[str, Any]], body=MockBody)
async def mock_payload(request: Req) -> ASGIResponse:
    """Show what a delivery of this event looks like."""
    application = await application_of(request)
    body = await json_of(request, MockBody)
    type_ = _event(body.trigger_type)
    now = int(services_of(request).clock.now().timestamp())
    return single(request, sample(type_, application_id=application.id, grant_id="sample", at=now))


@door("POST", "/v3/webhooks/send-test-event", answer=Single[str], body=TestEventBody)
async def send_test_event(request: Req) -> ASGIResponse:
    """Deliver a sample of this event to a URL, once, signed with `mock-webhook-secret`."""
    application = await application_of(request)
    body = await json_of(request, TestEventBody)
    limits_of(request).take(Limit.CONNECT, application.id)
    await services_of(request).webhooks.send_test(application, body.webhook_url, _event(body.trigger_type))
    return single(request, "success")


@door("GET", "/v3/grants/{identifier:str}/facts", answer=Listing[FactView], query=("limit", "page_token", "after"))
async def list_facts(request: Req) -> ASGIResponse:
    """Replay what happened to a grant, from the oldest fact that is kept, or behind one that is known.

    There is always a next cursor: what has not happened yet is behind it.
    """
    grant = await grant_of(request)
    query = query_of(request)
    limit, token = query.limit(), query.page_token()
    after = read_token(token, int) if token else (query.whole("after") or 0)
    facts = await services_of(request).facts(grant.id, after=after, limit=limit)
    cursor = write_token(facts[-1].sequence if facts else after)
    return listing(request, [_fact_view(fact) for fact in facts], next_cursor=cursor)


def _event(name: str) -> EventType:
    """The event of this name. Raises: InvalidRequest."""
    known = {str(type_): type_ for type_ in CATALOGUE}
    if name not in known:
        raise InvalidRequest(f"There is no event {name[:50]!r}.", hint=f"There are: {', '.join(known)}.")
    return known[name]


def _attempt_view(attempt: Attempt) -> AttemptView:
    return AttemptView(
        notification_id=notice_id(attempt.grant_id, attempt.sequence),
        grant_id=attempt.grant_id,
        sequence=attempt.sequence,
        attempt=attempt.attempt,
        at=attempt.at,
        duration_ms=round(attempt.duration_ms, 1),
        status=attempt.status,
        reason=attempt.reason,
    )


def _dead_view(letter: DeadLetter) -> DeadLetterView:
    return DeadLetterView(
        notification_id=notice_id(letter.grant_id, letter.sequence),
        grant_id=letter.grant_id,
        sequence=letter.sequence,
        type=letter.type,
        attempts=letter.attempts,
        reason=letter.reason,
        parked_at=unix(letter.parked_at),
    )


def _fact_view(fact: Recorded) -> FactView:
    return FactView(
        sequence=fact.sequence,
        notification_id=notice_id(fact.grant_id, fact.sequence),
        type=str(fact.type),
        at=unix(fact.at),
        grant_id=fact.grant_id,
        data=fact.data,
    )


ROUTES: tuple[Any, ...] = (
    mock_payload,
    send_test_event,
    list_attempts,
    list_dead_letters,
    resend_dead_letters,
    list_facts,
)
