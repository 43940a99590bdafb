"""A server's no as an error of ours: which one, and whether trying again could help."""

from mooring.errors import AuthenticationFailed, ServerRefused
from mooring.protocols.imap.commands import Verb
from mooring.protocols.imap.errors import BadCommand, SaidGoodbye
from mooring.protocols.imap.names import readable
from mooring.protocols.imap.types import Status, StatusResponse, Tagged

_PASSING = frozenset({"UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG", "THROTTLED", "EXPUNGEISSUED"})
"""Codes of a state that passes by itself (RFC 5530 §3; THROTTLED is Yahoo's)."""

_NOT_THE_CREDENTIALS = _PASSING | {"CONTACTADMIN", "PRIVACYREQUIRED"}
"""Codes that refuse a login without a word about the password."""

_LOGINS = frozenset({Verb.LOGIN, Verb.AUTHENTICATE})


def refusal(host: str, verb: Verb, event: Tagged) -> ServerRefused:
    """The error that this tagged NO or BAD means."""
    reply = readable(event.text.raw)
    code = event.text.code or ""
    said = event.text.text or reply
    if event.status is Status.BAD:
        return BadCommand(f"{host} did not accept {verb}: {said}", reply=reply, code=code)
    if verb in _LOGINS and code not in _NOT_THE_CREDENTIALS:
        return AuthenticationFailed(f"{host} refused the login: {said}", reply=reply, code=code)
    return ServerRefused(f"{host} refused {verb}: {said}", reply=reply, code=code, permanent=code not in _PASSING)


def goodbye(host: str, event: StatusResponse) -> SaidGoodbye:
    """The error that a BYE in the middle of things means."""
    reply = readable(event.text.raw)
    return SaidGoodbye(
        f"{host} ended the connection: {event.text.text or reply}", reply=reply, code=event.text.code or ""
    )
