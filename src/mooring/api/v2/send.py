"""Sending a message."""

from typing import Any

import msgspec
from litestar.response.base import ASGIResponse

from mooring.api.answers import encoded
from mooring.api.auth import v2_grant_of
from mooring.api.bodies import json_of
from mooring.api.doors import Req, door, services_of
from mooring.api.submissions import PartyList, idempotency_key_of, parties, sender
from mooring.api.v2.objects import MessageView, message_view
from mooring.errors import InvalidRequest
from mooring.send import Submission

_UNSUPPORTED = ("file_ids", "draft_id", "tracking", "metadata")


class SendBody(msgspec.Struct):
    """The body of ``POST /send``."""

    to: PartyList = None
    cc: PartyList = None
    bcc: PartyList = None
    reply_to: PartyList = None
    from_: PartyList = msgspec.field(default=None, name="from")
    subject: str | None = None
    body: str | None = None
    reply_to_message_id: str | None = None
    file_ids: Any = None
    draft_id: Any = None
    tracking: Any = None
    metadata: Any = None


@door("POST", "/send", answer=MessageView, body=SendBody)
async def send_message(request: Req) -> ASGIResponse:
    """Send a message now; the answer names no folder, since asking for it could fail after the message has left."""
    grant = await v2_grant_of(request)
    if request.content_type[0] == "message/rfc822":
        raise InvalidRequest("Sending raw MIME is not supported.", hint="Send the message as JSON.")
    key = idempotency_key_of(request)
    submission = _submission(await json_of(request, SendBody))
    sent = await services_of(request).sender.send(grant, submission, idempotency_key=key)
    return encoded(message_view(sent, {}))


def _submission(body: SendBody) -> Submission:
    for name in _UNSUPPORTED:
        if getattr(body, name):
            raise InvalidRequest(f"The field {name!r} is not supported.")
    return Submission(
        to=parties(body.to),
        cc=parties(body.cc),
        bcc=parties(body.bcc),
        reply_to=parties(body.reply_to),
        from_=sender(body.from_),
        subject=body.subject or "",
        body=body.body or "",
        reply_to_message_id=body.reply_to_message_id or "",
    )


ROUTES = (send_message,)
