"""A worker that speaks IMAP in clear, for one figure: what a mailbox weighs without TLS.

``python -m bench.plain_worker CONFIG``. Mooring has no such mode and shall not have one: this overrides, in this
process, how a session is opened. All else is the worker as it is.
"""

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

import msgspec

from mooring.bootstrap import configure_logging, open_installation
from mooring.config import load_config
from mooring.egress import DialledStream, Part
from mooring.grants import Attempt, Server, Sessions, TlsMode, Way
from mooring.lifetime import until_stopped
from mooring.protocols.imap import ImapClient
from mooring.worker.memory import give_back

PORT = 143


class PlainSessions(Sessions):
    """IMAP sessions without TLS."""

    async def imap(self, way: Way, server: Server, password: str) -> tuple[ImapClient, Attempt, TlsMode]:
        return await super().imap(way, msgspec.structs.replace(server, port=PORT), password)

    async def _open(self, attempt: Attempt, server: Server) -> tuple[DialledStream, TlsMode]:
        # IMPLICIT, so that nobody asks for STARTTLS.
        return await self._dial(attempt, False), TlsMode.IMPLICIT


async def _work(settings: Path) -> None:
    async with (
        open_installation(load_config(settings)) as installation,
        installation.shares(Part.SYNC, None).held(),
    ):
        plain = replace(installation, sessions=PlainSessions(installation.dialer))
        working = [asyncio.create_task(plain.worker(None).run()), asyncio.create_task(give_back())]
        await until_stopped(supervised=False)
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)


if __name__ == "__main__":
    configure_logging(json=False)
    asyncio.run(_work(Path(sys.argv[1])))
