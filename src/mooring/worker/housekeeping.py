"""What would only grow, taken away in time: every worker does all of it, and none is in another's way."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import structlog

from mooring.bootstrap import Installation
from mooring.diagnosis import forget_diagnoses, forget_probes, forget_watches
from mooring.egress import forget_sources
from mooring.errors import MooringError
from mooring.events import forget_facts
from mooring.grants import forget_codes
from mooring.jobs import forget_dead
from mooring.operators import forget_sessions
from mooring.send import forget_submissions
from mooring.webhooks import forget_deliveries

log = structlog.get_logger()

EVERY_S = 3600.0
"""Seconds between two rounds."""

Chore = tuple[str, Callable[[], Awaitable[object]]]
"""What it takes care of, and the work: safe to be done by several processes at once, and in small commits."""


def chores_of(installation: Installation) -> list[Chore]:
    """Everything that has to be done from time to time; how long what is kept is each room's own matter."""
    db = installation.db
    return [
        ("ledger", installation.ledger.keep_partitions),
        ("assignments", partial(forget_sources, db, kept=installation.config.retention)),
        ("authorization_codes", partial(forget_codes, db)),
        ("operator_sessions", partial(forget_sessions, db)),
        ("submissions", partial(forget_submissions, db)),
        ("holders", partial(forget_dead, db)),
        ("facts", partial(forget_facts, db)),
        ("deliveries", partial(forget_deliveries, db)),
        ("diagnoses", partial(forget_diagnoses, db)),
        ("watches", partial(forget_watches, db)),
        ("probes", partial(forget_probes, db)),
    ]


async def keep_house(chores: Sequence[Chore], *, every_s: float = EVERY_S) -> None:
    """Do every chore, and again every hour until cancelled. One that cannot be done holds up no other."""
    while True:
        for name, do in chores:
            try:
                await do()
            except MooringError as e:
                log.warning("housekeeping.left_undone", chore=name, error=str(e))
            except Exception:
                log.exception("housekeeping.defect", chore=name)
        await asyncio.sleep(every_s)
