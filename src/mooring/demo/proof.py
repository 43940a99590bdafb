"""The ledger held against what the mail host saw: the same connections, one by one, on both sides."""

from collections.abc import Iterable, Sequence
from typing import Any

from mooring.demo.types import Connection

_OPENED = "opened"


def differences(ledger: Sequence[dict[str, Any]], accepted: Iterable[Connection], admitted: Iterable[str]) -> list[str]:
    """Everything in which the two disagree, or in which they disagree with the list; empty is the proof.

    Args:
        ledger: every dial of the application, as the API tells it.
        admitted: the published static addresses.
    """
    static = set(admitted)
    opened = {entry["local"] for entry in ledger if entry["outcome"] == _OPENED}
    seen = {f"{connection.source}:{connection.port}" for connection in accepted}
    wrong = [f"the mail host saw {end}, and the ledger does not" for end in sorted(seen - opened)]
    wrong += [f"the ledger has {end} as opened, and the mail host never saw it" for end in sorted(opened - seen)]
    wrong += [f"{end} reached the mail host, and is not static" for end in sorted(seen) if _host(end) not in static]
    for entry in ledger:
        if entry["outcome"] == _OPENED and _host(entry["local"]) != entry["source"]:
            wrong.append(f"a dial meant to leave from {entry['source']} left from {entry['local']}")
    return wrong


def _host(end: str) -> str:
    return end.rpartition(":")[0]
