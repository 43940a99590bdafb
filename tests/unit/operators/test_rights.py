"""Who may see and decide what, as a table."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from mooring.errors import Forbidden, NotFound
from mooring.operators import Operator, Role, may_decide, require_decision, require_sight, scope_of

OLGA = Operator("o1", "olga", Role.OPERATOR, None, datetime(2026, 1, 31, tzinfo=UTC))
ADAM = replace(OLGA, id="o2", name="adam", role=Role.ADMIN, application_id="acme")


@pytest.mark.parametrize(
    ("who", "application_id", "sees"),
    [(OLGA, "acme", True), (OLGA, "other", True), (ADAM, "acme", True), (ADAM, "other", False), (ADAM, "", False)],
)
def test_an_administrator_sees_one_application_and_an_operator_every(
    who: Operator, application_id: str, sees: bool
) -> None:
    if sees:
        require_sight(who, application_id)
    else:
        with pytest.raises(NotFound) as caught:
            require_sight(who, application_id)
        assert "other" not in caught.value.message


def test_who_sees_everything_and_who_decides() -> None:
    assert (scope_of(OLGA), scope_of(ADAM)) == (None, "acme")
    assert (may_decide(OLGA), may_decide(ADAM)) == (True, False)
    require_decision(OLGA)
    with pytest.raises(Forbidden):
        require_decision(ADAM)


def test_an_administrator_without_an_application_sees_nothing() -> None:
    nowhere = replace(ADAM, application_id=None)
    for application_id in ("acme", "", "None"):
        with pytest.raises(NotFound):
            require_sight(nowhere, application_id)


def test_what_is_kept_with_a_change_says_who_it_was() -> None:
    assert (OLGA.signature, ADAM.signature) == ("operator olga", "admin adam")
