"""The handshake: an endpoint proves that it wants to be called before anything is sent to it (contract 5.3)."""

import asyncio
from urllib.parse import urlsplit

import httpx

from mooring.egress import Dialer
from mooring.errors import EgressError, InvalidRequest, MooringError, TargetNotAllowed
from mooring.ids import new_secret
from mooring.webhooks.posting import ANSWER_S, client_of, read_some, reason_of
from mooring.webhooks.types import Webhook

URL_MAX = 2048
"""Characters of a URL."""
_PLAIN = {"Accept-Encoding": "identity", "User-Agent": "Mooring"}
_LONGEST_ANSWER = 1024
"""Bytes; the challenge has fewer."""


def check_url(url: str, field: str) -> None:
    """Refuse what can be no endpoint.

    Args:
        field: what whoever gave it calls it.
    Raises:
        InvalidRequest.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InvalidRequest(f"{field} {url[:100]!r} is not a URL.") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise InvalidRequest(f"{field} {url[:100]!r} is not the URL of a web server.", hint="Use https://…")
    if parts.username is not None or parts.password is not None:
        raise InvalidRequest(f"{field} must not hold a user name or a password.", hint="Check our signature instead.")
    if len(url) > URL_MAX or not url.isascii() or not url.isprintable() or " " in url:
        raise InvalidRequest(f"{field} has more than {URL_MAX} characters, or some that need quoting.")


async def challenge(dialer: Dialer, webhook: Webhook) -> None:
    """Ask the endpoint, by the way that deliveries will take.

    Raises:
        InvalidRequest: it did not answer with the challenge; says what it did instead.
        EgressError: our own exit failed. TargetNotAllowed.
    """
    word = new_secret(128)
    async with client_of(dialer, webhook) as client:
        try:
            async with asyncio.timeout(ANSWER_S):
                async with client.stream("GET", _with_challenge(webhook.url, word), headers=_PLAIN) as answer:
                    said = await read_some(answer, _LONGEST_ANSWER)
        except TimeoutError:
            raise _refused(f"there was no answer within {ANSWER_S:.0f} s") from None
        except (EgressError, TargetNotAllowed):
            raise
        except (MooringError, httpx.HTTPError) as e:
            raise _refused(reason_of(e)) from e
    if answer.status_code != 200:
        raise _refused(f"it answered {answer.status_code}")
    if said != word.encode():
        # What it said instead is not repeated: nobody reads other people's servers through us.
        raise _refused(f"it answered 200, and with {'something else' if said else 'nothing'} instead of the challenge")


def _with_challenge(url: str, word: str) -> str:
    path = url.partition("#")[0]
    return f"{path}{'&' if '?' in path else '?'}challenge={word}"


def _refused(what: str) -> InvalidRequest:
    return InvalidRequest(
        f"The endpoint did not pass the challenge: {what.rstrip('.')}.",
        hint="It has to answer GET …?challenge=X with 200 and a body of X, nothing else, within ten seconds.",
    )
