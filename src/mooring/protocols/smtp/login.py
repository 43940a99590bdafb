"""How to prove who one is: the mechanisms as data, so that one loop speaks them all (RFC 4954 §4)."""

import base64
import binascii
from dataclasses import dataclass, field

from mooring.errors import AuthenticationFailed, InvalidRequest, ServerRefused
from mooring.protocols.smtp.dialogue import clean
from mooring.protocols.smtp.errors import NotOffered, SmtpRefused
from mooring.protocols.smtp.types import Offers, Reply, Step

_CREDENTIAL_CODES = frozenset({525, 530, 534, 535, 538})
"""RFC 4954 §4, §6, and 525 for a disabled account (RFC 5248 §2.4): the account or the secret is at fault."""

_CREDENTIAL_STATUSES = frozenset({"5.7.3", "5.7.8", "5.7.9", "5.7.11", "5.7.13", "5.7.14"})
"""RFC 3463 and RFC 4954 §6 in the IANA registry; 5.7.3 is what Exchange says to a wrong password."""

SHORTEST_SECRET = 4
"""Characters. A shorter secret is no secret, and removing it would tear ordinary words apart."""


@dataclass(frozen=True, slots=True)
class Mechanism:
    """One SASL mechanism, with everything it will say.

    Attributes:
        name: as in EHLO.
        initial: the words behind the name, if it may speak first.
        responses: the answer to each 334, in order.
        secrets: what must not be quoted, should the server repeat it.
    """

    name: str
    initial: bytes | None = field(repr=False)
    responses: tuple[bytes, ...] = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)


def password_mechanism(offers: Offers, username: str, password: str) -> Mechanism:
    """PLAIN where it is offered, else LOGIN.

    Raises:
        NotOffered: the server knows neither.
        InvalidRequest: the user name or password holds a character that PLAIN cannot carry.
    """
    if "\0" in username + password:
        raise InvalidRequest("a user name or password cannot hold a NUL character")
    try:
        user, secret = username.encode(), password.encode()
    except UnicodeEncodeError:
        raise InvalidRequest("the user name or password is not valid Unicode") from None
    match [name for name in ("PLAIN", "LOGIN") if name in offers.mechanisms]:
        case ["PLAIN", *_]:
            blob = base64.b64encode(b"\0" + user + b"\0" + secret)
            return Mechanism("PLAIN", blob, (blob,), (password, blob.decode()))
        case ["LOGIN"]:
            answers = (base64.b64encode(user), base64.b64encode(secret))
            return Mechanism("LOGIN", None, answers, (password, answers[1].decode()))
        case _:
            raise _none_shared(offers, "PLAIN or LOGIN")


def token_mechanism(offers: Offers, username: str, token: str) -> Mechanism:
    """XOAUTH2, as Google and Microsoft define it.

    Raises:
        NotOffered, InvalidRequest.
    """
    if "XOAUTH2" not in offers.mechanisms:
        raise _none_shared(offers, "XOAUTH2")
    if not token.isascii() or not token.isprintable() or "\1" in username:
        raise InvalidRequest("the user name or access token holds a character that XOAUTH2 cannot carry")
    blob = base64.b64encode(f"user={username}\1auth=Bearer {token}\1\1".encode())
    return Mechanism("XOAUTH2", blob, (b"",), (token, blob.decode()))


def refusal(peer: str, reply: Reply, mechanism: Mechanism, challenge: str) -> ServerRefused:
    """The error that a 4xx or 5xx to AUTH means: wrong credentials, or something else.

    Args:
        challenge: the last 334's text; XOAUTH2 explains itself there, in base64.
    """
    answer = Reply(reply.code, _without(mechanism.secrets, reply.text))
    if reply.code in _CREDENTIAL_CODES or reply.enhanced in _CREDENTIAL_STATUSES:
        explained = _explained(challenge) if mechanism.name == "XOAUTH2" else ""
        said = f"{answer} {_without(mechanism.secrets, explained)}".rstrip()
        return AuthenticationFailed(f"{peer} refused the credentials: {said}", reply=said, code=str(reply.code))
    return SmtpRefused(f"{peer} refused to authenticate: {answer}", answer=answer, step=Step.AUTH)


def _none_shared(offers: Offers, wanted: str) -> NotOffered:
    offered = " ".join(offers.mechanisms)
    return NotOffered(
        f"the server does not offer authentication by {wanted}" + (f", only by {offered}" if offered else ""),
        reply=f"AUTH {offered}".rstrip(),
        hint="submission is on port 587 with STARTTLS, or on port 465; port 25 seldom lets anybody log in",
    )


def _explained(challenge: str) -> str:
    try:
        return clean(base64.b64decode(challenge, validate=True).decode("utf-8", "replace"))
    except (binascii.Error, ValueError):
        return ""


def _without(secrets: tuple[str, ...], text: str) -> str:
    for secret in secrets:
        if len(secret) >= SHORTEST_SECRET:
            text = text.replace(secret, "[removed]")
    return text
