"""One request to an endpoint that somebody waits for: what failed on its side is told from what failed on ours."""

import asyncio

import httpx

from mooring.egress import Dialer
from mooring.errors import EgressError, MooringError, TargetNotAllowed
from mooring.webhooks.posting import ANSWER_S, client_of, read_some, reason_of
from mooring.webhooks.types import Webhook


class NoAnswer(Exception):
    """The endpoint did not answer; says why, in words that follow a colon."""


async def ask(
    dialer: Dialer, webhook: Webhook, url: str, headers: dict[str, str], *, limit: int, post: bytes | None = None
) -> tuple[int, bytes]:
    """Make this request by the way that deliveries take.

    Args:
        post: a body to POST; None is a GET.
        limit: bytes of the answer that are read.
    Returns:
        The answer's status, and the beginning of its body.
    Raises:
        NoAnswer: on the endpoint's side.
        EgressError: our own exit failed. TargetNotAllowed.
    """
    async with client_of(dialer, webhook) as client:
        try:
            async with asyncio.timeout(ANSWER_S):
                method = "GET" if post is None else "POST"
                async with client.stream(method, url, content=post, headers=headers) as answer:
                    return answer.status_code, await read_some(answer, limit)
        except TimeoutError:
            raise NoAnswer(f"there was no answer within {ANSWER_S:.0f} s") from None
        except (EgressError, TargetNotAllowed):
            raise
        except (MooringError, httpx.HTTPError) as e:
            raise NoAnswer(reason_of(e)) from e
