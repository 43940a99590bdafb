"""A whole Mooring of one's own: ``mooring up`` and the other commands as child processes, in one folder."""

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import msgspec

from mooring.demo.errors import NotAsTold

START_S = 60.0
"""Seconds until the first start has made its database and its first application."""
COMMAND_S = 30.0
STOP_S = 45.0
"""Seconds to end by itself: PostgreSQL's, and those of a first start that is still under way."""
LAST_WORDS = 8
"""Lines of a process's log that are worth repeating when it has failed."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the demonstration's Mooring lives, and what it leaves by.

    Attributes:
        folder: for configuration, keys, data and log; it goes away with the demonstration.
        authority: the PEM file of whoever signed the mail host's certificate.
        port: of the API, on 127.0.0.1.
    """

    folder: Path
    authority: Path
    port: int
    static: Sequence[IPv4Address]
    dynamic: Sequence[IPv4Address]

    @property
    def url(self) -> str:
        """Where the API answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def config(self) -> Path:
        """``mooring.toml``."""
        return self.folder / "mooring.toml"

    def write_config(self) -> None:
        """Write ``mooring.toml``: two static sources, one dynamic, and a mail host on this machine."""
        parts = [
            f'[server]\nlisten = "127.0.0.1:{self.port}"\n',
            '[database]\nurl = "embedded:./data"\n',
            '[policy]\nallow_private_targets = ["127.0.0.0/8"]\n',
            *_pool("static", self.static),
            *_pool("dynamic", self.dynamic),
        ]
        self.config.write_text("\n".join(parts), encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Application:
    """What the first start prints, once."""

    id: str
    api_key: str


@asynccontextmanager
async def mooring_up(layout: Layout) -> AsyncGenerator[Application]:
    """``mooring up`` for as long as the block lasts, and nothing of it afterwards, however the block ends.

    Raises:
        NotAsTold: it did not start; its last words are in the message.
    """
    log = layout.folder / "mooring.log"
    with log.open("wb") as words:
        # Supervised: it ends when our end of its standard input closes, which the kernel does even if we are killed.
        process = await asyncio.create_subprocess_exec(
            *_command(layout, "up", "--supervised"),
            stdin=PIPE, stdout=PIPE, stderr=words, env=_environment(layout, os.environ), start_new_session=True,
        )  # fmt: skip
    try:
        yield await _first_words(process, log)
    finally:
        await asyncio.shield(asyncio.ensure_future(_end(process)))


async def run_command(layout: Layout, *arguments: str) -> dict[str, Any]:
    """What ``mooring ARGUMENTS --json`` prints.

    Raises:
        NotAsTold: it failed.
    """
    process = await asyncio.create_subprocess_exec(
        *_command(layout, *arguments),
        stdin=DEVNULL, stdout=PIPE, stderr=PIPE, env=_environment(layout, os.environ), start_new_session=True,
    )  # fmt: skip
    try:
        async with asyncio.timeout(COMMAND_S):
            out, err = await process.communicate()
    except BaseException:
        process.kill()
        await process.wait()
        raise
    if process.returncode:
        said = (out + err).decode(errors="replace").strip()
        raise NotAsTold(f"`mooring {' '.join(arguments)}` ended with status {process.returncode}: {said}")
    return msgspec.json.decode(out)


def _command(layout: Layout, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "mooring", *arguments, "--json", "--config", str(layout.config)]


def _environment(layout: Layout, own: Mapping[str, str]) -> dict[str, str]:
    """Our own, without what would stand over the configuration, and with trust in the mail host's authority."""
    kept = {name: value for name, value in own.items() if not name.startswith("MOORING_")}
    return {**kept, "SSL_CERT_FILE": str(layout.authority)}


async def _first_words(process: Process, log: Path) -> Application:
    assert process.stdout is not None
    try:
        async with asyncio.timeout(START_S):
            line = await process.stdout.readline()
        told = msgspec.json.decode(line)
        return Application(told["application_id"], told["api_key"])
    except (TimeoutError, msgspec.DecodeError, KeyError, TypeError):
        raise NotAsTold(f"Mooring did not start. Its last words:\n{_last_words(log)}") from None


def _last_words(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-LAST_WORDS:])


async def _end(process: Process) -> None:
    if process.stdin is not None:
        process.stdin.close()
    try:
        async with asyncio.timeout(STOP_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def _pool(kind: str, addresses: Sequence[IPv4Address]) -> list[str]:
    names = [f"v3-us-{kind}-{number}" for number in range(1, len(addresses) + 1)]
    sources = [
        f'[[egress.source]]\nname = "{name}"\naddress = "{address}"\n'
        for name, address in zip(names, addresses, strict=True)
    ]
    listed = ", ".join(f'"{name}"' for name in names)
    pool = f'[[egress.pool]]\ngeneration = "v3"\nregion = "us"\nkind = "{kind}"\nsources = [{listed}]\n'
    return [*sources, pool]
