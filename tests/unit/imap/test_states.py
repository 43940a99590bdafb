"""The table of states: complete, and with no way around a login."""

import pytest

from mooring.protocols.imap.commands import Verb
from mooring.protocols.imap.errors import WrongState
from mooring.protocols.imap.states import BELONGS, LEADS_TO, State, require


def test_every_verb_has_its_states() -> None:
    assert set(BELONGS) == set(Verb)


def test_transitions_start_where_the_verb_is_allowed_and_only_logins_lead_out_of_the_beginning() -> None:
    out = {verb for (verb, _), _ in LEADS_TO.items() if State.NOT_AUTHENTICATED in BELONGS[verb]}
    assert out == {Verb.LOGIN, Verb.AUTHENTICATE, Verb.LOGOUT}


@pytest.mark.parametrize("state", [State.GREETING, State.LOGOUT])
@pytest.mark.parametrize("verb", Verb)
def test_nothing_is_said_before_the_greeting_or_after_the_goodbye(verb: Verb, state: State) -> None:
    with pytest.raises(WrongState):
        require(verb, state)


def test_reading_needs_a_mailbox() -> None:
    require(Verb.UID_FETCH, State.SELECTED)
    with pytest.raises(WrongState):
        require(Verb.UID_FETCH, State.AUTHENTICATED)
