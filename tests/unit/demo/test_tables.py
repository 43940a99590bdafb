"""What the demonstration shows of a diagnosis."""

from typing import Any

from mooring.demo.tables import evidence_table


def probe(address: str, outcome: str, **more: Any) -> dict[str, Any]:
    return {
        "service": "imap", "vantage": "dynamic", "source_address": address, "outcome": outcome, "stage": "connect",
        "elapsed_ms": 8000.4, **more,
    }  # fmt: skip


def test_each_way_is_shown_once_as_it_ended_the_last_time_and_no_side_look() -> None:
    seen = [
        probe("127.0.20.1", "spared"),
        probe("127.0.20.1", "silent"),
        probe("127.0.10.1", "reached", vantage="static"),
        probe("127.0.10.1", "reset", vantage="static", is_alternative=True),
    ]
    assert evidence_table(seen).rows == (
        ("imap", "127.0.20.1", "dynamic", "silent", "connect", "8000 ms"),
        ("imap", "127.0.10.1", "static", "reached", "connect", "8000 ms"),
    )
