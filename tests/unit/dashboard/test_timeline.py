"""The picture of connections: what is where, and what is said of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from mooring.dashboard.timeline import NO_ADDRESS, SHORTEST, timeline
from mooring.egress import LedgerEntry

NOON = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
ENTRY = LedgerEntry(
    id="1", at=NOON, application_id="acme", grant_id="g", traffic="sync", environment="v3-us-static",
    source="v3-us-static-1", source_address="203.0.113.10", via="bind", reason="", host="imap.example.test", port=993,
    remote="192.0.2.1", local="", outcome="opened", phase="", cause="", detail="", resolve_ms=1.0, connect_ms=2.0,
    tls_ms=3.0, closed_at=NOON + timedelta(minutes=5),
)  # fmt: skip
DYNAMIC = replace(ENTRY, environment="v3-us-dynamic", source_address="198.51.100.7", at=NOON + timedelta(minutes=5))


def after(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def test_nothing_is_no_picture() -> None:
    assert timeline([], NOON) is None


def test_places_are_shares_of_the_time_that_is_shown() -> None:
    picture = timeline([DYNAMIC, ENTRY], after(10))
    assert picture is not None
    assert (picture.begins, picture.middle, picture.ends) == (NOON, after(5), after(10))
    [static, dynamic] = picture.lanes
    assert [(m.shape, m.left, m.width) for m in static.marks] == [("bar", 0, 50)]
    assert [(m.shape, m.left, m.width) for m in dynamic.marks] == [("bar", 50, 0)]


def test_static_lanes_come_first_and_what_had_no_address_last() -> None:
    nowhere = replace(DYNAMIC, source_address="", source="", outcome="not_dialled", cause="empty_pool")
    picture = timeline([nowhere, DYNAMIC, ENTRY], after(10))
    assert picture is not None
    assert [(lane.label, lane.kind) for lane in picture.lanes] == [
        ("203.0.113.10", "static"), ("198.51.100.7", "dynamic"), (NO_ADDRESS, "dynamic"),
    ]  # fmt: skip
    assert [lane.top for lane in picture.lanes] == sorted({lane.top for lane in picture.lanes})
    assert picture.height > picture.lanes[-1].top


def test_outcomes_have_shapes_of_their_own() -> None:
    entries = [replace(ENTRY, outcome=outcome) for outcome in ("opened", "failed", "not_dialled", "intended")]
    picture = timeline(entries, after(10))
    assert picture is not None
    assert [mark.shape for mark in picture.lanes[0].marks] == ["bar", "cross", "ring", "ring"]


def test_what_is_not_known_to_have_ended_reaches_until_now() -> None:
    picture = timeline([replace(ENTRY, closed_at=None)], after(20))
    assert picture is not None
    [mark] = picture.lanes[0].marks
    assert (mark.left, mark.width, mark.ended) == (0, 100, False)


def test_a_moment_is_shown_with_some_time_before_it_and_nothing_leaves_the_picture() -> None:
    late = replace(ENTRY, at=after(3), closed_at=after(9))
    for now in (after(3), after(2)):
        picture = timeline([late], now)
        assert picture is not None
        assert picture.ends - picture.begins == SHORTEST
        [mark] = picture.lanes[0].marks
        assert (mark.left, mark.width) == (100, 0)


def test_it_is_described_for_who_does_not_see_it() -> None:
    failed = replace(DYNAMIC, outcome="failed", phase="connect", cause="timeout")
    picture = timeline([ENTRY, failed, DYNAMIC], after(10))
    assert picture is not None
    assert picture.description == (
        "From 2026-01-31 12:00:00 to 2026-01-31 12:10:00 UTC: 3 connections. "
        "From 203.0.113.10, static: 1 connection. From 198.51.100.7, dynamic: 2 connections, 1 of them not made."
    )
    words = [mark.words for lane in picture.lanes for mark in lane.marks]
    assert words[0] == "2026-01-31 12:00:00 to 2026-01-31 12:05:00, sync to imap.example.test:993: opened"
    assert words[1].endswith("failed connect timeout")
