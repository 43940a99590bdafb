"""The states of a connection as a table: which command belongs where, and where it leads.

    greeting ─▶ not authenticated ─LOGIN, AUTHENTICATE─▶ authenticated ◀─CLOSE, UNSELECT─ selected
                                                              └────────SELECT, EXAMINE───────▲
    LOGOUT and BYE lead to logout from anywhere; a SELECT that fails leaves nothing selected.

Source: RFC 9051 §3.
"""

from enum import StrEnum

from mooring.protocols.imap.commands import Verb
from mooring.protocols.imap.errors import WrongState
from mooring.protocols.imap.types import Status


class State(StrEnum):
    """Where a connection is in its life."""

    GREETING = "greeting"
    NOT_AUTHENTICATED = "not authenticated"
    AUTHENTICATED = "authenticated"
    SELECTED = "selected"
    LOGOUT = "logout"


_GREETED = frozenset({State.NOT_AUTHENTICATED, State.AUTHENTICATED, State.SELECTED})
_BEFORE_LOGIN = frozenset({State.NOT_AUTHENTICATED})
_LOGGED_IN = frozenset({State.AUTHENTICATED, State.SELECTED})
_IN_MAILBOX = frozenset({State.SELECTED})

BELONGS: dict[Verb, frozenset[State]] = {
    **dict.fromkeys((Verb.CAPABILITY, Verb.NOOP, Verb.ID, Verb.LOGOUT, Verb.COMPRESS), _GREETED),
    **dict.fromkeys((Verb.STARTTLS, Verb.LOGIN, Verb.AUTHENTICATE), _BEFORE_LOGIN),
    **dict.fromkeys((Verb.ENABLE, Verb.NAMESPACE, Verb.LIST, Verb.STATUS, Verb.SELECT, Verb.EXAMINE), _LOGGED_IN),
    **dict.fromkeys((Verb.CREATE, Verb.DELETE, Verb.RENAME, Verb.SUBSCRIBE, Verb.UNSUBSCRIBE), _LOGGED_IN),
    **dict.fromkeys((Verb.APPEND, Verb.IDLE), _LOGGED_IN),
    **dict.fromkeys((Verb.CLOSE, Verb.UNSELECT, Verb.EXPUNGE, Verb.UID_EXPUNGE, Verb.UID_SEARCH), _IN_MAILBOX),
    **dict.fromkeys((Verb.UID_FETCH, Verb.UID_STORE, Verb.UID_COPY, Verb.UID_MOVE), _IN_MAILBOX),
}
"""Every verb, and the states it is allowed in."""

LEADS_TO: dict[tuple[Verb, Status], State] = {
    (Verb.LOGIN, Status.OK): State.AUTHENTICATED,
    (Verb.AUTHENTICATE, Status.OK): State.AUTHENTICATED,
    (Verb.SELECT, Status.OK): State.SELECTED,
    (Verb.SELECT, Status.NO): State.AUTHENTICATED,
    (Verb.SELECT, Status.BAD): State.AUTHENTICATED,
    (Verb.EXAMINE, Status.OK): State.SELECTED,
    (Verb.EXAMINE, Status.NO): State.AUTHENTICATED,
    (Verb.EXAMINE, Status.BAD): State.AUTHENTICATED,
    (Verb.CLOSE, Status.OK): State.AUTHENTICATED,
    (Verb.UNSELECT, Status.OK): State.AUTHENTICATED,
    (Verb.LOGOUT, Status.OK): State.LOGOUT,
}
"""Where the end of a command leads; what is not here changes nothing."""

GREETINGS: dict[Status, State] = {
    Status.OK: State.NOT_AUTHENTICATED,
    Status.PREAUTH: State.AUTHENTICATED,
    Status.BYE: State.LOGOUT,
}


def require(verb: Verb, state: State) -> None:
    """Let pass a command that belongs here.

    Raises:
        WrongState.
    """
    if state not in BELONGS[verb]:
        raise WrongState(f"{verb} cannot be used while the IMAP connection is in the state “{state}”")
