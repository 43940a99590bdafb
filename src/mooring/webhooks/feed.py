"""The facts of grants as notices, read once for all endpoints that ask at about the same time."""

import asyncio
from collections import OrderedDict

from mooring.events import Recorded, read, read_one
from mooring.grants import Grant, by_ids
from mooring.store import Database
from mooring.webhooks.notices import Notice, notice_of
from mooring.webhooks.objects import Objects
from mooring.webhooks.repository import endpoints

BATCH = 50
"""Facts that are read together."""
KEPT_BYTES = 32 * 1024 * 1024
"""Bytes of notices that are kept for the next endpoint of the same application to ask."""
KEPT_S = 30.0
"""Seconds for which they are kept: an object is shown as it was not much before it is delivered."""

_Key = tuple[str, int]


class Feed:
    """Reads notices of any grant, behind any position."""

    def __init__(self, db: Database, objects: Objects) -> None:
        self._db = db
        self._objects = objects
        self._kept: OrderedDict[_Key, tuple[float, list[Notice]]] = OrderedDict()
        self._size = 0
        self._reading: dict[_Key, asyncio.Task[list[Notice]]] = {}

    async def after(self, grant_id: str, position: int) -> list[Notice]:
        """The next notices of the grant, in order; none when there is nothing new.

        Raises:
            StoreUnavailable.
        """
        key = (grant_id, position)
        now = asyncio.get_running_loop().time()
        if (kept := self._kept.get(key)) is not None and now - kept[0] < KEPT_S:
            return kept[1]
        task = self._reading.get(key)
        if task is None:
            task = self._reading[key] = asyncio.create_task(self._read(key))
            task.add_done_callback(lambda _: self._reading.pop(key, None))
        return await asyncio.shield(task)

    async def one(self, grant_id: str, sequence: int) -> Notice | None:
        """One notice; None when the fact was forgotten."""
        fact = await read_one(self._db, grant_id, sequence)
        return (await self._notices(grant_id, [fact]))[0] if fact is not None else None

    async def _read(self, key: _Key) -> list[Notice]:
        grant_id, position = key
        facts = await read(self._db, grant_id, after=position, limit=BATCH)
        if not facts:
            return []
        notices = await self._notices(grant_id, facts)
        self._keep(key, notices)
        return notices

    async def _notices(self, grant_id: str, facts: list[Recorded]) -> list[Notice]:
        grant = await self._grant(grant_id)
        generation = await endpoints.generation_of(self._db, facts[0].application_id)
        shown = await self._objects.shown(grant, facts)
        provider = grant.provider if grant else "imap"
        return [notice_of(f, generation, provider=provider, shown=s) for f, s in zip(facts, shown, strict=True)]

    async def _grant(self, grant_id: str) -> Grant | None:
        return next(iter(await by_ids(self._db, [grant_id])), None)

    def _keep(self, key: _Key, notices: list[Notice]) -> None:
        now = asyncio.get_running_loop().time()
        if (before := self._kept.pop(key, None)) is not None:
            self._size -= sum(notice.size for notice in before[1])
        self._kept[key] = (now, notices)
        self._size += sum(notice.size for notice in notices)
        while self._kept and (self._size > KEPT_BYTES or now - next(iter(self._kept.values()))[0] >= KEPT_S):
            _, (_, old) = self._kept.popitem(last=False)
            self._size -= sum(notice.size for notice in old)
