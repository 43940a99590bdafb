"""Which environment and which source: the table of the specification, and what rendezvous promises."""

from collections import Counter
from dataclasses import replace
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mooring.config import Carrier, EnvironmentName, Generation, Kind, PoolConfig, SourceConfig, Via
from mooring.egress import Traffic, kind_for
from mooring.egress.routes import choose, only, pool_of, rank, reachable
from mooring.errors import NoSource

S, D = Kind.STATIC, Kind.DYNAMIC
V2, V3 = Generation.V2, Generation.V3
AUTH, DISCOVERY, LIVE, SYNC, SEND = Traffic.AUTH, Traffic.DISCOVERY, Traffic.LIVE, Traffic.SYNC, Traffic.SEND

#: The columns of the specification's table (§4): generation, feature on, placement.
V3_DYNAMIC, V3_STATIC = (V3, False, D), (V3, True, S)
V3_ON_NOT_MOVED, V3_OFF_NOT_BACK = (V3, True, D), (V3, False, S)
V2_OFF, V2_NOT_MOVED, V2_MOVED = (V2, False, D), (V2, True, D), (V2, True, S)

TABLE = [
    *((column, traffic, S) for column in (V3_DYNAMIC, V3_STATIC, V3_ON_NOT_MOVED) for traffic in (AUTH, DISCOVERY)),
    *((V3_DYNAMIC, traffic, D) for traffic in (LIVE, SYNC, SEND)),
    *((V3_STATIC, traffic, S) for traffic in (LIVE, SYNC, SEND)),
    # Placement decides, not the feature: during paced moves they differ.
    *((V3_ON_NOT_MOVED, traffic, D) for traffic in (LIVE, SYNC, SEND)),
    *((V3_OFF_NOT_BACK, traffic, S) for traffic in (LIVE, SYNC, SEND)),
    *((V2_OFF, traffic, D) for traffic in (AUTH, DISCOVERY, LIVE, SYNC, SEND)),
    *((V2_NOT_MOVED, traffic, S) for traffic in (AUTH, DISCOVERY)),
    *((V2_NOT_MOVED, traffic, D) for traffic in (LIVE, SYNC, SEND)),
    *((V2_MOVED, traffic, S) for traffic in (AUTH, DISCOVERY, LIVE, SYNC, SEND)),
]


@pytest.mark.parametrize(("column", "traffic", "expected"), TABLE)
def test_the_environment_is_the_tables(column: tuple[Generation, bool, Kind], traffic: Traffic, expected: Kind) -> None:
    generation, feature_on, placement = column
    assert kind_for(traffic, generation=generation, feature_on=feature_on, placement=placement) is expected


STATIC, DYNAMIC = EnvironmentName(V3, "us", S), EnvironmentName(V3, "us", D)


def source(number: int, *, weight: int = 1, address: str = "") -> SourceConfig:
    local = ip_address(address or f"203.0.113.{number}")
    return SourceConfig(f"source-{number}", local, Via(Carrier.BIND, local=local), weight)


def pool(*sources: SourceConfig, environment: EnvironmentName = DYNAMIC) -> PoolConfig:
    return PoolConfig(environment, sources)


EIGHT = tuple(source(n) for n in range(8))
KEYS = [f"subject-{n}" for n in range(9_000)]


def chosen(from_pool: PoolConfig, key: str, *, assigned: str | None = None, application: str = "app") -> str:
    found, _ = choose(from_pool, family=4, application_id=application, subject=key, subset=2, assigned=assigned)
    return found.name


def test_a_ninth_source_moves_a_ninth_of_the_keys_and_only_to_itself() -> None:
    before, after = pool(*EIGHT), pool(*EIGHT, source(8))
    moved = [key for key in KEYS if chosen(before, key) != chosen(after, key)]
    assert 0.09 < len(moved) / len(KEYS) < 0.135
    assert {chosen(after, key) for key in moved} == {"source-8"}


def test_a_lost_source_moves_its_own_keys_only() -> None:
    before, after = pool(*EIGHT), pool(*EIGHT[1:])
    assert all(chosen(after, key) == chosen(before, key) for key in KEYS if chosen(before, key) != "source-0")


def test_no_assigned_key_moves_when_the_pool_grows() -> None:
    for environment in (STATIC, DYNAMIC):
        before = pool(*EIGHT, environment=environment)
        after = pool(*EIGHT, source(8), source(9, weight=50), environment=environment)
        for key in KEYS[:1000]:
            kept = chosen(before, key)
            assert chosen(after, key, assigned=kept) == kept


def test_an_assignment_ends_when_its_source_has_left_the_pool_and_the_reason_says_so() -> None:
    found, reason = choose(pool(*EIGHT), family=4, application_id="a", subject="s", subset=2, assigned="source-99")
    assert found in EIGHT
    assert "source-99 has left the pool" in reason
    _, reason = choose(pool(*EIGHT), family=4, application_id="a", subject="s", subset=2, assigned="source-3")
    assert reason == "source-3 is assigned to this account"


@given(st.text(max_size=20), st.integers(1, 10))
def test_an_applications_subjects_share_a_small_subset_of_a_static_pool(application: str, subset: int) -> None:
    static = pool(*EIGHT, environment=STATIC)
    used = {
        choose(static, family=4, application_id=application, subject=key, subset=subset, assigned=None)[0].name
        for key in KEYS[:200]
    }
    assert len(used) == min(subset, len(EIGHT))
    assert used == {s.name for s in rank(EIGHT, application)[:subset]}


def test_applications_have_different_subsets_and_use_the_whole_pool_between_them() -> None:
    subsets = Counter(frozenset(s.name for s in rank(EIGHT, f"application-{n}")[:2]) for n in range(2000))
    assert len(subsets) == 28
    assert set().union(*subsets) == {s.name for s in EIGHT}


def test_a_dynamic_pool_is_used_whole() -> None:
    assert {chosen(pool(*EIGHT), key) for key in KEYS[:500]} == {s.name for s in EIGHT}


@pytest.mark.parametrize("weights", [(1, 1, 1, 1), (1, 2, 3, 4), (1, 1, 1, 7), (10, 20, 30, 40)])
def test_weights_are_shares(weights: tuple[int, ...]) -> None:
    weighted = pool(*(source(n, weight=w) for n, w in enumerate(weights)))
    shares = Counter(chosen(weighted, key) for key in KEYS)
    for number, weight in enumerate(weights):
        expected = weight / sum(weights)
        assert abs(shares[f"source-{number}"] / len(KEYS) - expected) < 0.02


@given(st.permutations(EIGHT), st.text(max_size=30))
def test_the_order_in_the_file_decides_nothing(order: list[SourceConfig], key: str) -> None:
    assert rank(order, key) == rank(EIGHT, key)


def test_each_family_is_chosen_for_by_itself() -> None:
    six = source(1, address="2001:db8::1")
    both = pool(source(0), six)
    assert choose(both, family=6, application_id="a", subject="s", subset=2, assigned="source-0")[0] == six


def test_an_undeclared_pool_has_no_source() -> None:
    with pytest.raises(NoSource, match="declares no pool v3-us-static") as caught:
        pool_of(STATIC, [pool(*EIGHT)])
    assert caught.value.reason == "unknown_pool"
    assert "v3-us-static" in caught.value.hint


@pytest.mark.parametrize(
    "other",
    [replace(DYNAMIC, kind=S), replace(DYNAMIC, region="eu"), replace(DYNAMIC, generation=V2)],
    ids=str,
)
def test_no_other_environment_stands_in(other: EnvironmentName) -> None:
    with pytest.raises(NoSource):
        pool_of(DYNAMIC, [pool(*EIGHT, environment=other)])


def test_an_empty_pool_has_no_source() -> None:
    with pytest.raises(NoSource, match="has no source") as caught:
        pool_of(DYNAMIC, [pool()])
    assert caught.value.reason == "empty_pool"


@pytest.mark.parametrize(
    ("addresses", "sources", "message"),
    [
        (["2001:db8::9"], ["203.0.113.1"], "only IPv6 addresses, and v3-us-dynamic only IPv4"),
        (["192.0.2.9"], ["2001:db8::1"], "only IPv4 addresses, and v3-us-dynamic only IPv6"),
    ],
)
def test_families_that_do_not_meet_have_no_source(addresses: list[str], sources: list[str], message: str) -> None:
    with pytest.raises(NoSource, match=message) as caught:
        reachable([ip_address(a) for a in addresses], pool(*(source(n, address=a) for n, a in enumerate(sources))))
    assert caught.value.reason == "wrong_family"


def test_addresses_without_a_source_of_their_family_are_passed_over_and_the_rest_keeps_its_order() -> None:
    addresses = [ip_address(a) for a in ("2001:db8::9", "192.0.2.9", "2001:db8::8", "192.0.2.8")]
    assert [str(a) for a in reachable(addresses, pool(*EIGHT))] == ["192.0.2.9", "192.0.2.8"]
    both = pool(source(0), source(1, address="2001:db8::1"))
    assert reachable(addresses, both) == addresses


def test_the_families_have_their_turns() -> None:
    six, four = [f"2001:db8::{n}" for n in range(1, 5)], [f"192.0.2.{n}" for n in range(1, 3)]
    both = pool(source(0), source(1, address="2001:db8::1"))
    for order in (six + four, four + six):
        found = [str(a) for a in reachable([ip_address(a) for a in order], both)]
        assert sorted(found) == sorted(order)
        assert found[0] == order[0]
        assert {":" in a for a in found[:2]} == {True, False}
        assert [a for a in found if ":" in a] == six
        assert [a for a in found if ":" not in a] == four


def test_a_source_that_is_asked_for_by_name_is_one_of_the_pool() -> None:
    assert only(EIGHT[3], pool(*EIGHT)).sources == (EIGHT[3],)
    for stranger in (source(9), replace(EIGHT[3], address=ip_address("192.0.2.1"))):
        with pytest.raises(NoSource) as caught:
            only(stranger, pool(*EIGHT))
        assert caught.value.reason == "unknown_source"
