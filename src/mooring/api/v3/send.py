"""Sending a message."""

from litestar.response.base import ASGIResponse

from mooring.api.answers import Single, single
from mooring.api.auth import grant_of
from mooring.api.doors import Req, door, services_of
from mooring.api.limits import Limit, limits_of
from mooring.api.queries import query_of
from mooring.api.submissions import BODY_LIMIT, SendBody, idempotency_key_of, is_multipart, submission_of
from mooring.errors import InvalidRequest
from mooring.mail import Message


@door(
    "POST",
    "/v3/grants/{identifier:str}/messages/send",
    answer=Single[Message],
    query=("type",),
    body=SendBody,
    body_limit=BODY_LIMIT,
)
async def send_message(request: Req) -> ASGIResponse:
    """Send a message now; an `Idempotency-Key` makes a repeated request harmless."""
    grant = await grant_of(request)
    if query_of(request).text("type") == "mime":
        raise InvalidRequest("Sending raw MIME is not supported.", hint="Send the message as JSON or multipart.")
    if is_multipart(request):
        limits_of(request).take(Limit.MULTIPART, grant.id)
    key = idempotency_key_of(request)
    submission = await submission_of(request)
    return single(request, await services_of(request).sender.send(grant, submission, idempotency_key=key))


ROUTES = (send_message,)
