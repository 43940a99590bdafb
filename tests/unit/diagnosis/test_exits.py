"""Whose addresses a diagnosis leaves from."""

from mooring.diagnosis import exits_for, scopes_of
from mooring.diagnosis.asking.exits import environment_of
from mooring.diagnosis.types import Vantage
from tests.store.diagnosis_house import pool

POOLS = (
    pool("v3-us-dynamic", "198.51.100.1", "198.51.100.2"),
    pool("v3-us-static", "203.0.113.1", "2001:db8::1"),
    pool("v2-us-static", "203.0.113.2"),
    pool("v2-us-dynamic", "198.51.100.3"),
    pool("v3-eu-static", "203.0.113.3"),
    pool("v3-eu-dynamic", "198.51.100.4"),
    pool("v2-eu-static", "203.0.113.4"),
    pool("webhook-us-static", "203.0.113.5"),
)


def test_the_own_ones_first_and_of_the_others_what_tells_something() -> None:
    exits = exits_for(POOLS, "v3", "us", True)
    assert [(e.vantage, e.environment, e.source, e.address) for e in exits] == [
        (Vantage.DYNAMIC, "v3-us-dynamic", "v3-us-dynamic-1", "198.51.100.1"),
        (Vantage.DYNAMIC, "v3-us-dynamic", "v3-us-dynamic-2", "198.51.100.2"),
        (Vantage.STATIC, "v3-us-static", "v3-us-static-1", "203.0.113.1"),
        (Vantage.STATIC, "v3-us-static", "v3-us-static-2", "2001:db8::1"),
        (Vantage.OTHER_GENERATION, "v2-us-static", "v2-us-static-1", "203.0.113.2"),
        (Vantage.OTHER_REGION, "v3-eu-static", "v3-eu-static-1", "203.0.113.3"),
        (Vantage.OTHER_REGION_DYNAMIC, "v3-eu-dynamic", "v3-eu-dynamic-1", "198.51.100.4"),
    ]
    assert [e.family for e in exits] == [4, 4, 4, 6, 4, 4, 4]


def test_an_operator_can_keep_to_the_own_ones() -> None:
    assert {e.environment for e in exits_for(POOLS, "v2", "us", False)} == {"v2-us-static", "v2-us-dynamic"}
    assert exits_for(POOLS, "v3", "mars", False) == ()


def test_who_can_answer_has_every_pool_of_the_generation_and_region() -> None:
    assert scopes_of(POOLS, POOLS) == ["v2-eu", "v2-us", "v3-eu", "v3-us", "webhook-us"]
    assert scopes_of(POOLS[:1], POOLS) == []
    assert scopes_of(POOLS[:2], POOLS) == ["v3-us"]


def test_names_of_environments() -> None:
    assert [str(environment_of(name)) for name in ("v3-us-static", "gone", "v9-us-static")] == [
        "v3-us-static", "None", "None",
    ]  # fmt: skip
