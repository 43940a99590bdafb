"""What there is to see, as rows."""

from collections.abc import Sequence
from typing import Any

from mooring.demo.types import Connection, Table


def messages_table(messages: Sequence[dict[str, Any]]) -> Table:
    """Messages as a mailbox shows them."""
    rows = tuple(
        (
            "●" if message["unread"] else "",
            message["from"][0].get("name") or message["from"][0]["email"],
            message["subject"],
            message["snippet"],
        )
        for message in messages
    )
    return Table(("", "FROM", "SUBJECT", "BEGINS"), rows)


def connections_table(connections: Sequence[Connection]) -> Table:
    """What the mail host accepted."""
    return Table(("SERVICE", "FROM", "PORT"), tuple((c.service, c.source, str(c.port)) for c in connections))


def evidence_table(evidence: Sequence[dict[str, Any]]) -> Table:
    """What the probes saw of what was asked for: each way once, as it ended the last time."""
    asked = [seen for seen in evidence if not seen.get("is_alternative")]
    ways = {(seen["service"], seen["vantage"], seen["source_address"]): seen for seen in asked}
    rows = tuple(
        (service, address, vantage, seen["outcome"], seen["stage"], f"{seen['elapsed_ms']:.0f} ms")
        for (service, vantage, address), seen in sorted(ways.items())
    )
    return Table(("SERVICE", "FROM", "ENVIRONMENT", "CAME TO", "AT", "AFTER"), rows)


def ledger_table(ledger: Sequence[dict[str, Any]]) -> Table:
    """The ledger, oldest first."""
    rows = tuple(
        (
            entry["at"][11:19],
            entry["class"],
            entry["source"] or "-",
            entry["environment"],
            entry["server"],
            _outcome(entry),
        )
        for entry in reversed(ledger)
    )
    return Table(("AT (UTC)", "CLASS", "FROM", "ENVIRONMENT", "SERVER", "OUTCOME"), rows)


def _outcome(entry: dict[str, Any]) -> str:
    """In words; an intent without an outcome is a dial that was given up, such as when the account moved."""
    if entry["outcome"] == "intended":
        return "given up"
    return f"{entry['outcome']}: {entry['stage']} {entry['reason']}" if entry["reason"] else entry["outcome"]
