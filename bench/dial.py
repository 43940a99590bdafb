"""Dialling with everything that Mooring does around it, against a plain asyncio connect, 20 ms away.

Both in one process, on one event loop, by the same name, with the tripwire armed. The ledger is a real one: the
embedded Postgres on this machine's disk, whose commits are on the disk before a SYN leaves.
"""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

from bench.distance import FAR_ADDRESS, NEAR_ADDRESS, PORT, apart
from bench.report import Finding, Series, ratio
from mooring.bootstrap import Installation, open_installation
from mooring.config import EnvironmentName, Generation, Kind, load_config
from mooring.egress import Caller, Dial, Traffic, arm_tripwire
from tests.lab import Laboratory

DELAY_MS = 10.0
"""Milliseconds in each direction."""
ROUNDS = 5
DIALS = 50
"""Dials of one round, one after the other."""
HOST = "far.lab.test"

_CONFIGURATION = f"""
[policy]
allow_private_targets = ["{FAR_ADDRESS}/32"]

[[egress.source]]
name = "near"
address = "{NEAR_ADDRESS}"

[[egress.pool]]
generation = "v3"
region = "us"
kind = "static"
sources = ["near"]
"""


def measure(lab: Laboratory) -> Iterator[Finding]:
    """Both, in turn."""
    lab.names.set(HOST, FAR_ADDRESS)
    with apart(DELAY_MS), tempfile.TemporaryDirectory(prefix="dial-bench-") as folder:
        settings = Path(folder) / "mooring.toml"
        settings.write_text(_CONFIGURATION)
        ours, plain = asyncio.run(_compare(settings))
    yield ratio(
        "dial",
        "milliseconds of a dial, ledger included, over those of asyncio.open_connection",
        Series("dialer", "ms", tuple(ours)),
        Series("plain asyncio", "ms", tuple(plain)),
        target=1.1,
        conditions=(
            f"TCP only, round trip {2 * DELAY_MS:g} ms made in user space, {ROUNDS} rounds of {DIALS} dials each, one "
            "after the other; a figure is the mean of its round"
        ),
    )


async def _compare(settings: Path) -> tuple[list[float], list[float]]:
    # The plain connect is what the tripwire is there to stop.
    arm_tripwire({(FAR_ADDRESS, PORT)})
    async with open_installation(load_config(settings, {})) as installation:
        dial = Dial(
            traffic=Traffic.SYNC,
            environment=EnvironmentName(Generation.V3, "us", Kind.STATIC),
            caller=Caller("application", "somebody@lab.test", "grant"),
            host=HOST,
            port=PORT,
            tls=False,
        )

        async def with_ledger() -> None:
            await _dial(installation, dial)

        ours: list[float] = []
        plain: list[float] = []
        for way in (with_ledger, _open):
            await way()
        for _ in range(ROUNDS):
            plain.append(await _round(_open))
            ours.append(await _round(with_ledger))
        return ours, plain


async def _dial(installation: Installation, dial: Dial) -> None:
    stream = await installation.dialer.dial(dial)
    await stream.aclose()


async def _open() -> None:
    _, writer = await asyncio.open_connection(HOST, PORT)
    writer.close()


async def _round(connect: Callable[[], Awaitable[None]]) -> float:
    """Milliseconds of one connect, on average."""
    started = time.perf_counter()
    for _ in range(DIALS):
        await connect()
    return (time.perf_counter() - started) * 1000 / DIALS
