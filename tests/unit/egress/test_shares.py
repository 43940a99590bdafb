"""How processes divide the berths: together they never have more than there are, as long as each can have one."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mooring.config import Carrier, EnvironmentName, Generation, Kind, PoolConfig, SourceConfig, Via
from mooring.egress import Part, part_of
from mooring.egress.shares import Fellow, divided

STATIC = EnvironmentName(Generation.V3, "us", Kind.STATIC)
DYNAMIC = EnvironmentName(Generation.V3, "us", Kind.DYNAMIC)


def source(name: str) -> SourceConfig:
    return SourceConfig(name, ip_address("203.0.113.1"), Via(Carrier.BIND))


POOLS = (PoolConfig(STATIC, (source("s"), source("both"))), PoolConfig(DYNAMIC, (source("d"), source("both"))))


@pytest.mark.parametrize(("connections", "people", "sync"), [(20, 4, 16), (2, 1, 1), (3, 1, 2), (100, 20, 80)])
def test_people_have_a_fifth_and_synchronisation_the_rest(connections: int, people: int, sync: int) -> None:
    assert (part_of(connections, Part.PEOPLE), part_of(connections, Part.SYNC)) == (people, sync)


def test_only_who_leaves_by_a_source_divides_it() -> None:
    everywhere, static = Fellow("a", None), Fellow("b", frozenset({str(STATIC)}))
    assert divided(16, POOLS, [everywhere, static], "a") == {"s": 8, "both": 8, "d": 16}
    assert divided(16, POOLS, [everywhere, static], "b")["s"] == 8


def test_who_comes_to_others_waits_until_they_know_and_who_is_alone_does_not() -> None:
    fellows = [Fellow("a", None), Fellow("b", frozenset({str(STATIC)}))]
    assert divided(16, POOLS, fellows, "a", alone=0) == {"s": 0, "both": 0, "d": 16}


@given(berths=st.integers(1, 40), others=st.sets(st.integers(0, 50), min_size=1, max_size=30))
def test_the_shares_are_the_berths(berths: int, others: set[int]) -> None:
    names = [str(number) for number in others]
    shares = [divided(berths, POOLS, [Fellow(name, None) for name in names], name)["s"] for name in names]
    assert sum(shares) == max(berths, len(names))
    assert max(shares) - min(shares) <= 1
