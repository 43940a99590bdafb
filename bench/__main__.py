"""Run the measures, or those that are named, and print what they found: ``python -m bench [--json] [MEASURE...]``."""

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Iterator

from bench import diagnosis, dial, first_sync, memory, pages, webhooks
from bench.report import Finding, as_json, as_text
from tests.lab import Laboratory

MEASURES: dict[str, Callable[[Laboratory], Iterable[Finding]]] = {
    "first-sync": first_sync.measure,
    "memory": memory.measure,
    "pages": pages.measure,
    "webhooks": webhooks.latency,
    "lanes": webhooks.lanes,
    "diagnosis": diagnosis.measure,
    # The last one: it arms the tripwire of this process, which then lets nothing else of it connect.
    "dial": dial.measure,
}


def main() -> int:
    """Run what was asked for; 1 when a target was missed."""
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("measures", nargs="*", metavar="MEASURE", help=f"one of: {', '.join(MEASURES)}; all if none")
    parser.add_argument("--json", action="store_true", help="print one JSON object at the end")
    arguments = parser.parse_args()
    named: list[str] = arguments.measures or list(MEASURES)
    wanted = [name for name in MEASURES if name in named]
    if unknown := set(named) - MEASURES.keys():
        parser.error(f"no such measure: {', '.join(sorted(unknown))}")
    if "MOORING_LAB" not in os.environ:
        parser.error("run it as: make bench, or scripts/in-namespace .venv/bin/python -m bench")
    findings: list[Finding] = []
    for finding in _all(wanted):
        findings.append(finding)
        print(as_text(finding), file=sys.stderr if arguments.json else sys.stdout, flush=True)
    if arguments.json:
        print(as_json(findings))
    return 0 if all(finding.is_met for finding in findings) else 1


def _all(wanted: list[str]) -> Iterator[Finding]:
    """Each measure in a laboratory of its own, so that none inherits the load or the leftovers of another."""
    for name in wanted:
        with Laboratory() as lab:
            yield from MEASURES[name](lab)


if __name__ == "__main__":
    sys.exit(main())
