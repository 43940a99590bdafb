"""The query of one page, and nothing else: asyncpg in a process of its own, eight in flight.

``python -m bench.bare_query GRANT SECONDS [decoded]``, with the database's URL as a line on standard input; prints
pages per second. The statement is the one that the API's own room of SQL issues, written down as it issues it: it asks
for JSON as text, and passes it on. ``decoded`` asks for values, by the codec of asyncpg's documentation, as whoever is
to read them does.
"""

import asyncio
import json
import sys
import time
from typing import Any, cast

import asyncpg

from mooring.mail import MessageFilter
from mooring.mail.repository import listing
from mooring.store import Database

IN_FLIGHT = 8
LIMIT = 50


class _Notebook:
    """Stands where the database stands, and writes down what it is asked."""

    query = ""
    arguments: tuple[Any, ...] = ()

    async def fetch(self, query: str, *arguments: Any) -> list[Any]:
        self.query, self.arguments = query, arguments
        return []


async def pages_per_second(url: str, grant: str, seconds: float, *, decoded: bool) -> float:
    """How many pages of the grant's newest messages the database gives one process."""
    asked = _Notebook()
    # One row more than is shown, as the reader asks for, to know whether there is a next page.
    await listing.page(cast("Database", asked), grant, MessageFilter(), limit=LIMIT + 1, cursor=None)
    connections = [await asyncpg.connect(url) for _ in range(IN_FLIGHT)]
    if decoded:
        asked.query = asked.query.replace("::text,", ",")
        for connection in connections:
            await connection.set_type_codec("json", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
    started = time.perf_counter()
    counts = await asyncio.gather(*(_ask(c, asked, started + seconds) for c in connections))
    took = time.perf_counter() - started
    for connection in connections:
        await connection.close()
    return sum(counts) / took


async def _ask(connection: Any, asked: _Notebook, until: float) -> int:
    statement = await connection.prepare(asked.query)
    pages = 0
    while time.perf_counter() < until:
        rows = await statement.fetch(*asked.arguments)
        if len(rows) != LIMIT + 1:
            raise RuntimeError(f"the page has {len(rows)} rows")
        pages += 1
    return pages


if __name__ == "__main__":
    database_url = sys.stdin.readline().strip()
    wants_values = "decoded" in sys.argv[3:]
    print(asyncio.run(pages_per_second(database_url, sys.argv[1], float(sys.argv[2]), decoded=wants_values)))
