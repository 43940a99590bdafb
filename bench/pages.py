"""Pages of messages by the API, against the bare query that fetches the same rows."""

import asyncio
import re
import subprocess
import sys
from collections.abc import Iterator

from bench.bare_query import IN_FLIGHT, LIMIT
from bench.first_sync import brought_in_step, deposit
from bench.installation import client, connect, cpu_s, process, running
from bench.report import Finding, Series, ratio
from mooring.config import load_config
from mooring.store import EmbeddedPostgres
from tests.lab import Laboratory
from tests.lab.namespaces import program
from tests.running import Running

MESSAGES = 5_000
ROUNDS = 3
ROUND_S = 6
CONNECTIONS = 16
"""Keep-alive connections of the load, which comes from a process of its own."""


def measure(lab: Laboratory) -> Iterator[Finding]:
    """Both, in turn, on the same database."""
    user, _ = deposit(lab, "reader", MESSAGES)
    with running(lab) as mooring, client(mooring) as api:
        grant = connect(api, user)
        brought_in_step(api, grant)
        page = api.get(f"/v3/grants/{grant}/messages", params={"limit": LIMIT}).raise_for_status()
        ours: list[float] = []
        bare: list[float] = []
        decoded: list[float] = []
        api_process = process(mooring, "api")
        used_s = 0.0
        for _ in range(ROUNDS):
            bare.append(asyncio.run(_bare(mooring, grant)))
            decoded.append(asyncio.run(_bare(mooring, grant, "decoded")))
            before = cpu_s(api_process)
            ours.append(_load(mooring, grant))
            used_s += cpu_s(api_process) - before
        cpu_ms = 1000 * used_s / (sum(ours) * ROUND_S)
    conditions = (
        f"{LIMIT} messages of {MESSAGES:,} with bodies, {len(page.content) / 1e3:.0f} kB of JSON, one API process, "
        f"{CONNECTIONS} connections of wrk; the query with {IN_FLIGHT} in flight; {ROUNDS} rounds of {ROUND_S} s "
        f"each in turn; processor time of the API {cpu_ms:.2f} ms for a page"
    )
    api_series = Series("GET messages", "pages/s", tuple(ours))
    for name, what, series in (
        ("pages", "the bare query, sealed bodies and JSON as text", Series("asyncpg", "pages/s", tuple(bare))),
        ("pages-decoded", "the same with JSON decoded", Series("asyncpg, decoded", "pages/s", tuple(decoded))),
    ):
        yield ratio(
            name, f"pages of messages per second by the API, over those of {what}", api_series, series,
            target=0.6, at_least=True, conditions=conditions,
        )  # fmt: skip


async def _bare(mooring: Running, grant: str, *how: str) -> float:
    embedded = load_config(mooring.folder / "mooring.toml", {}).database.embedded
    assert embedded is not None
    async with EmbeddedPostgres(embedded).connect_or_start() as url:
        asking = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bench.bare_query", grant, str(ROUND_S), *how,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        answer, _ = await asking.communicate(f"{url}\n".encode())
        if asking.returncode != 0:
            raise RuntimeError("the bare query failed")
        return float(answer)


def _load(mooring: Running, grant: str) -> float:
    """Pages per second that wrk gets."""
    done = subprocess.run(
        [
            program("wrk", package="wrk"), "-t1", f"-c{CONNECTIONS}", f"-d{ROUND_S}s",
            "-H", f"Authorization: Bearer {mooring.api_key}",
            f"{mooring.url}/v3/grants/{grant}/messages?limit={LIMIT}",
        ],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    if found is None or "Non-2xx" in done.stdout:
        raise RuntimeError(f"wrk says: {done.stdout}")
    return float(found[1])
