"""The proof finds every way in which ledger and mail host can disagree."""

from typing import Any

from mooring.demo.proof import differences
from mooring.demo.tables import ledger_table
from mooring.demo.types import Connection

STATIC = ["127.0.10.1", "127.0.10.2"]


def dialled(source: str, port: int, **changes: Any) -> dict[str, Any]:
    """An entry of the ledger that was opened."""
    entry = {
        "at": "2026-03-01T12:00:00.5Z", "class": "sync", "source": source, "environment": "static",
        "server": "127.0.30.1:993", "outcome": "opened", "stage": "", "reason": "", "local": f"{source}:{port}",
    }  # fmt: skip
    return entry | changes


FAILED = dialled("127.0.20.1", 0, environment="dynamic", outcome="failed", stage="connect", reason="timeout", local="")
LEDGER = [dialled("127.0.10.1", 1001), FAILED, dialled("127.0.10.2", 1002)]
SEEN = [Connection("imap", "127.0.10.1", 1001), Connection("smtp", "127.0.10.2", 1002)]


def test_the_same_on_both_sides_is_no_difference() -> None:
    assert differences(LEDGER, SEEN, STATIC) == []


def test_a_connection_that_the_ledger_lacks() -> None:
    [wrong] = differences(LEDGER, [*SEEN, Connection("imap", "127.0.10.1", 1003)], STATIC)
    assert wrong.startswith("the mail host saw 127.0.10.1:1003")


def test_a_connection_that_the_mail_host_never_saw() -> None:
    [wrong] = differences(LEDGER, SEEN[:1], STATIC)
    assert wrong.startswith("the ledger has 127.0.10.2:1002")


def test_an_address_that_is_not_on_the_list() -> None:
    ledger = [*LEDGER, dialled("127.0.20.1", 1004)]
    [wrong] = differences(ledger, [*SEEN, Connection("imap", "127.0.20.1", 1004)], STATIC)
    assert wrong == "127.0.20.1:1004 reached the mail host, and is not static"


def test_a_dial_that_left_from_another_address_than_was_meant() -> None:
    ledger = [dialled("127.0.10.1", 1001), dialled("127.0.10.1", 0, local="127.0.10.2:1002")]
    [wrong] = differences(ledger, SEEN, STATIC)
    assert wrong == "a dial meant to leave from 127.0.10.1 left from 127.0.10.2:1002"


def test_the_table_tells_the_ledger_from_its_beginning() -> None:
    rows = ledger_table([*LEDGER, dialled("127.0.10.1", 0, outcome="intended", local="")]).rows
    assert [row[5] for row in rows] == ["given up", "opened", "failed: connect timeout", "opened"]
    assert rows[1] == ("12:00:00", "sync", "127.0.10.2", "static", "127.0.30.1:993", "opened")
