"""Everything of one kind that a process may hold: claimed, worked on in a task of its own, let go."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Protocol

import structlog

from mooring.errors import MooringError
from mooring.jobs.leases import Holder, Lease, LeaseKind

log = structlog.get_logger()

LOOK_S = 0.5
"""Seconds between looks at what can be claimed, and at what was lost."""
CLAIM = 500
"""Leases claimed at once (5,000 in such batches took 0.1 s)."""
DEFECT_S = 30.0
"""Seconds that a subject rests after a defect of ours, so that it does not run into it all the time."""


class Held(Protocol):
    """The work on one subject."""

    async def run(self) -> None:
        """Work until the lease is lost."""
        ...

    def look(self) -> None:
        """Somebody has changed what this works on: look now rather than later."""
        ...


TakeUp = Callable[[Sequence[Lease]], Awaitable[Mapping[Lease, Held]]]
"""The work on what was won; a subject that is gone has none."""


class Keeper:
    """Holds subjects of one kind, for as long as it runs.

    Args:
        scopes: the environments that this process serves; None for all.
    """

    def __init__(self, holder: Holder, kind: LeaseKind, *, scopes: Sequence[str] | None, take_up: TakeUp) -> None:
        self._holder = holder
        self._kind = kind
        self._scopes = list(scopes) if scopes is not None else None
        self._take_up = take_up
        self._tasks: dict[Lease, asyncio.Task[None]] = {}
        self._held: dict[Lease, Held] = {}
        self._nudges: dict[Lease, int] = {}
        self._stir = asyncio.Event()

    @property
    def holder_id(self) -> str:
        """Who holds what is held here."""
        return self._holder.id

    def look(self) -> None:
        """Look at once: a lease has just been given to us, or offered."""
        self._stir.set()

    @property
    def held(self) -> list[Held]:
        """All work that is under way."""
        return list(self._held.values())

    async def run(self) -> None:
        """Work until cancelled; then give everything back.

        Raises:
            ExceptionGroup: a defect of ours in the heartbeat or in tending; everything was given back.
        """
        await self._holder.join()
        try:
            # Who tends without a heartbeat counts as dead, and takes over from itself without end.
            async with asyncio.TaskGroup() as group:
                group.create_task(self._holder.run())
                group.create_task(self._keep())
        finally:
            await self._stop(list(self._tasks))
            try:
                await self._holder.leave()
            except MooringError as e:
                # What it held is taken over when its lease ends, as after a kill.
                log.warning("lease.cannot_leave", kind=str(self._kind), error=str(e))

    async def _keep(self) -> None:
        """Tend until cancelled; a database that is away is waited for."""
        while True:
            try:
                await self._tend()
            except MooringError as e:
                log.warning("lease.cannot_claim", kind=str(self._kind), error=str(e))
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._stir.wait()
            self._stir.clear()

    async def _tend(self) -> None:
        """Start what was won, stop what was lost."""
        await self._holder.claim(self._kind, scopes=self._scopes, limit=CLAIM)
        held = await self._holder.held(self._kind)
        await self._stop([lease for lease in self._tasks if lease not in held])
        for lease in [lease for lease, task in self._tasks.items() if task.done()]:
            del self._tasks[lease], self._held[lease], held[lease]
            await self._holder.release(lease)
        for lease, nudges in held.items():
            work = self._held.get(lease)
            if work is not None and self._nudges.get(lease) != nudges:
                work.look()
        self._nudges = held
        new = [lease for lease in held if lease not in self._tasks]
        for lease, work in (await self._take_up(new)).items() if new else ():
            self._held[lease] = work
            self._tasks[lease] = asyncio.create_task(self._guarded(lease, work))

    async def _guarded(self, lease: Lease, work: Held) -> None:
        """A defect of ours in one subject's work stays in that subject's work."""
        try:
            await work.run()
        except Exception:
            log.exception("lease.defect", kind=str(lease.kind), subject=lease.subject)
            await asyncio.sleep(DEFECT_S)

    async def _stop(self, leases: Sequence[Lease]) -> None:
        tasks = [self._tasks.pop(lease) for lease in leases]
        for lease in leases:
            del self._held[lease]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
