"""Following a diagnosis, whichever process carries it out: what is told is in the database, and looked for."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager, suppress

from mooring.diagnosis.asking.records import Told
from mooring.diagnosis.repository import diagnoses as repository
from mooring.store import Database

LOOK_S = 0.5
"""Seconds between looks at what another process may have told; what this one tells wakes its followers at once."""
QUIET_S = 10.0
"""Seconds without news after which a follower is told that nothing is new, so that nobody takes it for dead."""
PAGE = 500


class Followers:
    """Those who follow a diagnosis in this process."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._closed = False

    def stir(self, diagnosis_id: str) -> None:
        """Have those who follow it look at once."""
        for event in self._waiting.get(diagnosis_id, ()):
            event.set()

    def close(self) -> None:
        """Have nobody follow any longer: the process is to end."""
        self._closed = True
        for diagnosis_id in self._waiting:
            self.stir(diagnosis_id)

    async def follow(self, diagnosis_id: str, *, after: int = 0) -> AsyncGenerator[Told | None]:
        """What is told of a diagnosis behind this number, until it has ended; None: nothing new for a while.

        Raises:
            StoreUnavailable.
        """
        quiet_s = 0.0
        with self._woken(diagnosis_id) as woken:
            while True:
                woken.clear()
                known = await repository.state_of(self._db, diagnosis_id)
                page = await repository.told_after(self._db, diagnosis_id, after, limit=PAGE)
                for told in page:
                    after, quiet_s = told.number, 0.0
                    yield told
                if len(page) == PAGE:
                    continue
                if self._closed or known is None or (known[0].is_end and known[1] <= after):
                    return
                if not await _within(woken, LOOK_S):
                    quiet_s += LOOK_S
                if quiet_s >= QUIET_S:
                    quiet_s = 0.0
                    yield None

    async def ended(self, diagnosis_id: str, within_s: float) -> None:
        """Return once the diagnosis has ended, or the time is over.

        Raises:
            StoreUnavailable.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                with self._woken(diagnosis_id) as woken:
                    while not self._closed:
                        woken.clear()
                        known = await repository.state_of(self._db, diagnosis_id)
                        if known is None or known[0].is_end:
                            return
                        await _within(woken, LOOK_S)

    @contextmanager
    def _woken(self, diagnosis_id: str) -> Generator[asyncio.Event]:
        event = asyncio.Event()
        self._waiting.setdefault(diagnosis_id, set()).add(event)
        try:
            yield event
        finally:
            self._waiting[diagnosis_id].discard(event)
            if not self._waiting[diagnosis_id]:
                del self._waiting[diagnosis_id]


async def _within(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False
