"""The handshake: an endpoint proves that it wants to be called before anything is sent to it (contract 5.3)."""

from urllib.parse import urlsplit

import httpx

from mooring.egress import Dialer
from mooring.errors import InvalidRequest
from mooring.ids import new_secret
from mooring.webhooks.asking import NoAnswer, ask
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
    try:
        httpx.Request("GET", url)
    except (httpx.InvalidURL, UnicodeError):  # UnicodeError: a host such as "xn--a"
        raise InvalidRequest(f"{field} {url[:100]!r} has a host that is neither a name nor an address.") from None


async def challenge(dialer: Dialer, webhook: Webhook) -> None:
    """Ask the endpoint, by the way that deliveries will take.

    Raises:
        InvalidRequest: it did not answer with the challenge; says what it did instead.
        EgressError: our own exit failed. TargetNotAllowed.
    """
    word = new_secret(128)
    try:
        status, said = await ask(dialer, webhook, _with_challenge(webhook.url, word), _PLAIN, limit=_LONGEST_ANSWER)
    except NoAnswer as e:
        raise _refused(str(e)) from e
    if status != 200:
        raise _refused(f"it answered {status}")
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
