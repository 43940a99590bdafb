"""A test event: a sample, delivered once to whatever URL somebody wants to try (contract 5.1)."""

import msgspec

from mooring.egress import Dialer
from mooring.errors import InvalidRequest
from mooring.events import EventType
from mooring.webhooks.asking import NoAnswer, ask
from mooring.webhooks.notices import sample
from mooring.webhooks.posting import READ_BYTES
from mooring.webhooks.signature import HEADER, sign
from mooring.webhooks.types import Webhook

SIGNED_WITH = "mock-webhook-secret"
"""What every test event is signed with, since the URL need not be a webhook's."""


async def send_test(dialer: Dialer, webhook: Webhook, type_: EventType, now_s: int) -> None:
    """Deliver a sample once, by the way that deliveries take; nothing of it is kept but the ledger's row.

    Args:
        webhook: one that need not exist.
        now_s: Unix seconds, for the sample's time.
    Raises:
        InvalidRequest: the endpoint did not take it; says what it did instead.
        EgressError: our own exit failed. TargetNotAllowed.
    """
    event = sample(type_, application_id=webhook.application_id, grant_id="sample", at=now_s)
    body = msgspec.json.encode(event)
    headers = {"Content-Type": "application/json", "User-Agent": "Mooring", HEADER: sign(SIGNED_WITH, body)}
    try:
        status, _ = await ask(dialer, webhook, webhook.url, headers, limit=READ_BYTES, post=body)
    except NoAnswer as e:
        raise _refused(str(e)) from e
    if not 200 <= status < 300:
        raise _refused(f"it answered {status}")


def _refused(what: str) -> InvalidRequest:
    return InvalidRequest(
        f"The endpoint did not take the test event: {what.rstrip('.')}.",
        hint="It has to answer the POST with 2xx within ten seconds.",
    )
