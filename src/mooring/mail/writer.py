"""Writing the stored copy: the objects first, then one fenced transaction with the facts that it makes true."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from mooring.clock import Clock
from mooring.errors import LostOwnership
from mooring.events import EventType, Fact, append
from mooring.grants import Grant
from mooring.jobs import Lease, fenced
from mooring.mail.errors import Unstorable
from mooring.mail.identity import assign_threads
from mooring.mail.records import Arrival, Batch, Record, prepare
from mooring.mail.repository import writing
from mooring.mail.types import Folder, Obstacle, SpecialUse
from mooring.store import UNSTORABLE, Connection, Database, ObjectStore
from mooring.vault import DataKey

DUE = 50
"""Messages passed over that are asked for again in one pass; each is a round trip, or more."""


_SPECIAL = frozenset(str(use) for use in SpecialUse)


def pack_key(grant_id: str, pack_id: str) -> str:
    """Where a pack lies in the object store."""
    return f"grants/{grant_id}/{pack_id}"


class MailWriter:
    """The one writer of a grant's stored mail, for as long as its lease holds.

    Attributes:
        origin: the mailbox that is written down; what was read from another one does not belong to it.

    Raises, all methods: LostOwnership, and then nothing was written.
    """

    def __init__(
        self, db: Database, objects: ObjectStore, clock: Clock, grant: Grant, lease: Lease, key: DataKey
    ) -> None:
        self._db = db
        self._clock = clock
        self._objects = objects
        self._grant = grant
        self._lease = lease
        self._key = key
        self.origin = grant.settings.imap.mailbox

    async def folders(self) -> list[Folder]:
        """What is known of the grant's folders."""
        return await writing.folders(self._db, self._grant.id)

    async def set_folders(self, listed: Sequence[Folder]) -> list[Folder]:
        """Make the folders those that the server lists; returns them as they are known now."""
        known = {folder.id: folder for folder in await self.folders()}
        facts: list[Fact] = []
        async with fenced(self._db, self._lease) as tx:
            for folder in listed:
                is_new = await writing.upsert_folder(tx, folder)
                facts += [Fact(EventType.FOLDER_CREATED, _named(folder))] if is_new and known else []
                before = known.get(folder.id)
                if before is not None and before.selectable and not folder.selectable:
                    # Deleted, and still there as the parent of others: what lay in it does no longer.
                    await writing.close_folder(tx, self._grant.id, folder.id)
                if before is not None and _use(before) != _use(folder):
                    facts.append(Fact(EventType.FOLDER_UPDATED, _named(folder)))
            for gone in known.keys() - {folder.id for folder in listed}:
                await writing.delete_folder(tx, self._grant.id, gone)
                facts.append(Fact(EventType.FOLDER_DELETED, _named(known[gone])))
            await self._append(tx, facts)
        return await self.folders()

    async def reset(self, folder: Folder, uid_validity: int) -> Folder:
        """Begin the folder anew under this UIDVALIDITY of our mailbox: what comes meanwhile is told as history."""
        async with fenced(self._db, self._lease) as tx:
            if folder.complete_at is not None and folder.synced_at is not None:
                gap = {
                    "grant_id": self._grant.id,
                    "provider": self._grant.provider,
                    "reason": "uid_validity" if folder.origin == self.origin else "mailbox",
                    "since": int(folder.synced_at.timestamp()),
                    "folder_id": folder.id,
                }
                await self._append(tx, [Fact(EventType.SYNC_GAP, gap)])
            return await writing.reset_folder(tx, self._grant.id, folder.id, uid_validity, self.origin)

    async def stored_flags(self, folder: Folder) -> dict[int, frozenset[str]]:
        """Flags by UID of everything stored of the folder."""
        return await writing.stored_flags(self._db, self._grant.id, folder.id)

    async def prepare(self, arrivals: Sequence[Arrival]) -> Batch:
        """Parse and seal these messages, off the event loop; those that cannot be are named as failed."""
        return await asyncio.to_thread(prepare, self._grant.id, self._key, arrivals)

    async def add(self, folder: Folder, batch: Batch, *, announce: bool) -> None:
        """Store these messages as lying in the folder.

        The pack is in the object store before the transaction that points to it; if that never commits, the
        pack belongs to nobody, and ``sweep`` removes it.

        Args:
            announce: they are news, not history: ``message.created`` for each that was not there before.
        Raises:
            Unstorable.
        """
        new = {record.id: record for record in batch.records}
        known = await self._known(new)
        fresh = [record for identity, record in new.items() if identity not in known]
        pack = [pack_key(self._grant.id, batch.pack_id)] if fresh else []
        for key in pack:
            await self._objects.put(key, batch.pack)
        try:
            async with fenced(self._db, self._lease) as tx:
                await self._add(tx, folder, batch, fresh, announce=announce)
        except (LostOwnership, *UNSTORABLE) as e:
            # Nobody else may come to remove it: perhaps the grant is gone, with all of its objects but this one.
            await self._objects.delete(pack)
            if isinstance(e, LostOwnership):
                raise
            raise Unstorable(f"the database does not take what {len(batch.records)} messages hold") from e

    async def _add(self, tx: Connection, folder: Folder, batch: Batch, fresh: list[Record], *, announce: bool) -> None:
        if fresh:
            await self._insert(tx, folder, batch, fresh)
        await writing.insert_placements(tx, self._grant.id, folder.id, batch.records)
        changed = await writing.refresh_messages(tx, self._grant.id, {record.id for record in batch.records})
        await writing.mark_folder(tx, self._grant.id, folder.id)
        if announce:
            created = {record.id for record in fresh}
            await self._append(
                tx,
                [
                    *(Fact(EventType.MESSAGE_CREATED, {"id": r.id}) for r in sorted(fresh, key=lambda r: r.uid)),
                    *(Fact(EventType.MESSAGE_UPDATED, {"id": i}) for i in changed if i not in created),
                ],
            )

    async def _known(self, ids: Iterable[str]) -> set[str]:
        async with self._db.connection() as connection:
            return await writing.existing(connection, self._grant.id, ids)

    async def _insert(self, tx: Connection, folder: Folder, batch: Batch, fresh: list[Record]) -> None:
        words = {w for r in fresh for w in (r.headers.own, *r.headers.references) if w}
        known = await writing.known_threads(tx, self._grant.id, words)
        threads, links = assign_threads(self._grant.id, [(r.id, r.headers) for r in fresh], known)
        await writing.link_threads(tx, self._grant.id, links)
        await writing.insert_messages(
            tx, self._grant.id, folder.id, batch, fresh, threads, int(self._clock.now().timestamp())
        )

    async def change(
        self, folder: Folder, *, flags: dict[int, frozenset[str]], gone: Iterable[int], announce: bool
    ) -> None:
        """Follow flags and disappearances; a message that lies nowhere now may still turn up elsewhere."""
        async with fenced(self._db, self._lease) as tx:
            touched = await writing.set_flags(tx, self._grant.id, folder.id, flags) if flags else set[str]()
            touched |= await writing.remove_places(tx, self._grant.id, folder.id, gone)
            changed = await writing.refresh_messages(tx, self._grant.id, touched)
            if announce:
                await self._append(tx, [Fact(EventType.MESSAGE_UPDATED, {"id": i}) for i in changed])

    async def mark(self, folder: Folder, *, uid_next: int | None, highest_modseq: int | None, complete: bool) -> Folder:
        """Write how far the folder has been read."""
        async with fenced(self._db, self._lease) as tx:
            return await writing.mark_folder(
                tx, self._grant.id, folder.id, uid_next=uid_next, highest_modseq=highest_modseq, complete=complete
            )

    async def fail(self, folder: Folder, error: dict[str, Any]) -> None:
        """Write why the folder cannot be read just now."""
        async with fenced(self._db, self._lease) as tx:
            await writing.fail_folder(tx, self._grant.id, folder.id, error)

    async def pass_over(self, folder: Folder, obstacles: Mapping[int, Obstacle], *, is_news: bool) -> None:
        """Write why these UIDs are not stored; once more for one that was passed over before."""
        async with fenced(self._db, self._lease) as tx:
            await writing.pass_over(tx, self._grant.id, folder.id, obstacles, is_news=is_news)

    async def passed_over(self, folder: Folder) -> list[int]:
        """The UIDs of the folder that were passed over."""
        return await writing.passed_over(self._db, self._grant.id, folder.id)

    async def due(self) -> dict[str, dict[int, bool]]:
        """Of what was passed over, that which is to be asked for again: whether it is news, by folder and UID."""
        found: dict[str, dict[int, bool]] = defaultdict(dict)
        for folder, uid, is_news in await writing.due(self._db, self._grant.id, DUE):
            found[folder][uid] = is_news
        return found

    async def settle(self, folder: Folder, uids: Iterable[int]) -> None:
        """These came at last, or are gone."""
        async with fenced(self._db, self._lease) as tx:
            await writing.settle(tx, self._grant.id, folder.id, uids)

    async def homeless(self) -> set[str]:
        """The messages that lie in no folder just now: on their way to another one, or gone."""
        return await writing.homeless(self._db, self._grant.id)

    async def oldest_homeless(self) -> datetime | None:
        """The date of the oldest of them."""
        return await writing.oldest_homeless(self._db, self._grant.id)

    async def sweep(self, sought: Iterable[str]) -> None:
        """Those of these messages that lie nowhere still are gone, and so are packs with nothing else in them."""
        async with fenced(self._db, self._lease) as tx:
            gone = await writing.delete_homeless(tx, self._grant.id, sought)
            await self._append(tx, [Fact(EventType.MESSAGE_DELETED, {"id": identity}) for identity in gone])
            packs = await writing.unused_packs(tx, self._grant.id) if gone else []
        await self._objects.delete([pack_key(self._grant.id, pack) for pack in packs])

    async def remove_strays(self) -> None:
        """Remove packs that no transaction ever pointed to: what a killed writer left. Only before writing begins."""
        prefix = f"grants/{self._grant.id}"
        found = [info.key async for info in self._objects.list(prefix)]
        known = {pack_key(self._grant.id, pack) for pack in await writing.pack_ids(self._db, self._grant.id)}
        async with fenced(self._db, self._lease):
            await self._objects.delete([key for key in found if key not in known])

    async def _append(self, tx: Connection, facts: Sequence[Fact]) -> None:
        await append(tx, application_id=self._grant.application_id, grant_id=self._grant.id, facts=facts)


def _use(folder: Folder) -> tuple[bool, frozenset[str]]:
    """What people see of a folder beside its name."""
    return folder.selectable, frozenset(a for a in folder.attributes if a in _SPECIAL)


def _named(folder: Folder) -> dict[str, Any]:
    return {"id": folder.id, "name": folder.name}
