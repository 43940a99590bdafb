"""What follows from asking for static addresses, and from an operator's word."""

import pytest

from mooring.applications import StaticIps, asked, decided
from mooring.errors import Conflict

OFF, REQUESTED, ON, DENIED = StaticIps.OFF, StaticIps.REQUESTED, StaticIps.ON, StaticIps.DENIED


@pytest.mark.parametrize(
    ("current", "self_serve", "then"),
    [
        (OFF, False, REQUESTED), (REQUESTED, False, REQUESTED), (ON, False, ON), (DENIED, False, REQUESTED),
        (OFF, True, ON), (REQUESTED, True, ON), (ON, True, ON), (DENIED, True, ON),
    ],
)  # fmt: skip
def test_asking(current: StaticIps, self_serve: bool, then: StaticIps) -> None:
    assert asked(current, self_serve=self_serve) is then


@pytest.mark.parametrize("current", list(StaticIps))
@pytest.mark.parametrize("wanted", [ON, OFF])
def test_an_operator_can_always_switch(current: StaticIps, wanted: StaticIps) -> None:
    assert decided(current, wanted) is wanted


def test_only_a_request_is_denied() -> None:
    assert decided(REQUESTED, DENIED) is DENIED
    assert decided(DENIED, DENIED) is DENIED
    for current in (OFF, ON):
        with pytest.raises(Conflict, match="no request"):
            decided(current, DENIED)
