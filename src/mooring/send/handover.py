"""Bringing a letter to its server: a session that is surely closed, and a hand-over that ends in time."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta

from mooring.egress import Traffic
from mooring.errors import InvalidRequest
from mooring.grants import Attempt, Grant, Sessions, way_of
from mooring.protocols.smtp import DeliveryUnknown, SendTimeouts, SmtpClient
from mooring.send.failures import outcome_unknown
from mooring.send.letters import Letter

OPEN_S = 38.0
"""Seconds until the login is through: an unreachable server is told within 40 (spec §6.8)."""
TOTAL_S = 85.0
"""Seconds for all of a submission; the SDKs give up after 90 (contract 2.5)."""
QUIT_S = 2.0
TIMEOUTS = SendTimeouts(envelope_s=20.0, data_s=20.0, block_s=20.0, end_s=60.0)
"""Shorter than RFC 5321 §4.5.3.2 has them, since a caller waits."""

INTENDED_LIFE = timedelta(seconds=OPEN_S + 30)
"""After this nobody hands over any more what was merely intended."""
SENDING_LIFE = timedelta(seconds=TOTAL_S + 30)
"""After this nobody is still handing over."""


@asynccontextmanager
async def submission_session(
    sessions: Sessions, grant: Grant, password: str
) -> AsyncGenerator[tuple[SmtpClient, Attempt]]:
    """A session that may send as the grant, by the way of the class ``send``; closed when the block ends.

    Raises:
        InvalidRequest: the grant has no SMTP server.
        ProviderFailure, EgressError, TargetNotAllowed.
    """
    server = grant.settings.smtp
    if server is None:
        raise without_smtp()
    way = way_of(grant, Traffic.SEND)
    try:
        async with asyncio.timeout(OPEN_S):
            client, attempt, _ = await sessions.smtp(way, server, password)
    except TimeoutError as e:
        raise Attempt(way, server.host, server.port, stage="login").timed_out(OPEN_S) from e
    attempt.stage = "send"
    try:
        yield client, attempt
    finally:
        await client.quit(timeout_s=QUIT_S)


async def hand_over(client: SmtpClient, attempt: Attempt, grant: Grant, letter: Letter, *, within_s: float) -> None:
    """Return once the server has taken responsibility for the letter, for every recipient.

    Raises:
        OutcomeUnknown: it had the letter, or part of it, and did not answer.
        ProviderFailure: it refused, or was lost before the letter; nobody got it.
        InvalidRequest: an address that this envelope cannot carry; nobody got it.
    """
    try:
        with attempt.reported():
            async with asyncio.timeout(within_s):
                await client.send(letter.sender, letter.recipients, letter.raw, timeouts=TIMEOUTS)
    except DeliveryUnknown as e:
        raise outcome_unknown(grant, source=attempt.source, cut_short=not e.dot_sent) from e
    except TimeoutError as e:
        raise outcome_unknown(grant, source=attempt.source) from e


def without_smtp() -> InvalidRequest:
    """What a grant is told that was connected for reading only (contract 2.5)."""
    return InvalidRequest(
        "This grant lacks SMTP connection details, so it cannot send.",
        hint="Authenticate it again with smtp_host, and smtp_port if it is not 465.",
    )
