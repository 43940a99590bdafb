"""One POST to an endpoint: bounded in time and bytes, whatever the endpoint does."""

import asyncio
from email.utils import parsedate_to_datetime

import httpx

from mooring.clock import Clock
from mooring.egress import Caller, Dial, Dialer, Traffic, http_client
from mooring.errors import EgressError, LedgerUnavailable, MooringError, NetworkError, TargetNotAllowed
from mooring.webhooks.schedule import Result
from mooring.webhooks.signature import HEADER, sign
from mooring.webhooks.types import Webhook

ANSWER_S = 10.0
"""Seconds for an endpoint to answer (contract 5.3 gives the challenge as many)."""
READ_BYTES = 64 * 1024
"""Bytes of an answer's body that are read; only its status counts, and the connection is closed on a longer one."""
REASON_MAX = 200
"""Characters of a reason that are kept."""
CONNECTIONS = 10
"""Connections to one endpoint that are kept open between deliveries."""


def caller_of(webhook: Webhook) -> Caller:
    """On whose behalf an endpoint is called."""
    return Caller(webhook.application_id, f"webhook:{webhook.id}")


def client_of(dialer: Dialer, webhook: Webhook) -> httpx.AsyncClient:
    """A client that leaves by the webhook pool; the caller closes it."""

    def dial(host: str, port: int) -> Dial:
        return Dial(Traffic.WEBHOOK, webhook.environment, caller_of(webhook), host, port, tls=False)

    client = http_client(dialer, dial, timeout_s=ANSWER_S, keepalive=CONNECTIONS)
    client.event_hooks = {"response": [_forget_location]}
    return client


async def _forget_location(answer: httpx.Response) -> None:
    # httpx reads Location even when told not to follow it, and raises what is no HTTPError for a host such as "xn--a".
    answer.headers.pop("location", None)


class Poster:
    """Delivers to one endpoint."""

    def __init__(self, client: httpx.AsyncClient, webhook: Webhook, secret: str, clock: Clock) -> None:
        self._client = client
        self._url = webhook.url
        self._compressed = webhook.compressed
        self._secret = secret
        self._clock = clock

    async def post(self, body: bytes) -> Result:
        """Deliver this body, signed; every way in which that can end at the endpoint is a result.

        Raises:
            EgressError: our own exit failed, and nothing was sent: that says nothing of the endpoint.
        """
        headers = {"Content-Type": "application/json", "User-Agent": "Mooring", HEADER: sign(self._secret, body)}
        if self._compressed:
            headers["Content-Encoding"] = "gzip"
        try:
            async with asyncio.timeout(ANSWER_S):
                async with self._client.stream("POST", self._url, content=body, headers=headers) as answer:
                    await read_some(answer, READ_BYTES)
                    return _answered(answer, self._clock)
        except TimeoutError:
            return Result(None, f"no answer within {ANSWER_S:.0f} s")
        except EgressError:
            raise
        except (MooringError, httpx.HTTPError) as e:
            return Result(None, reason_of(e)[:REASON_MAX])


async def read_some(answer: httpx.Response, limit: int) -> bytes:
    """The beginning of an answer's body, no more than ``limit`` bytes and what came with the last of them."""
    body = bytearray()
    async for part in answer.aiter_raw():
        body += part
        if len(body) > limit:
            break
    return bytes(body)


def reason_of(error: MooringError | httpx.HTTPError) -> str:
    """Why there was no answer, and on whose side."""
    match error:
        case TargetNotAllowed():
            return f"not a target that is dialled: {error.message}"
        case LedgerUnavailable():
            return f"our ledger: {error.message}"
        case EgressError():
            return f"our own exit: {error.message}"
        case NetworkError():
            return f"{error.phase}: {error.message}"
        case MooringError():
            return error.message
        case _:
            return f"the endpoint broke off, or speaks no HTTP: {error}"


def _answered(answer: httpx.Response, clock: Clock) -> Result:
    status = answer.status_code
    if 200 <= status < 300:
        return Result(status)
    reason = f"answered {status}"
    if 300 <= status < 400:
        reason += ", and redirects are not followed"
    return Result(status, reason, _retry_after_s(answer.headers.get("retry-after", ""), clock))


def _retry_after_s(text: str, clock: Clock) -> float | None:
    """Seconds that the endpoint asks us to wait (RFC 9110 §10.2.3)."""
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        at = parsedate_to_datetime(text)
        return (at - clock.now()).total_seconds()
    except (ValueError, TypeError):
        return None
