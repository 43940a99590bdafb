"""Reading the stored copy: rows and what is sealed in them into messages."""

from collections import defaultdict
from collections.abc import Sequence

import msgspec

from mooring.grants import Grant
from mooring.large import beside
from mooring.mail.cursors import read_cursor, write_cursor
from mooring.mail.files import File, FileFilter
from mooring.mail.records import content_context, raw_context, snippet_and_body
from mooring.mail.repository import listing, threads, writing
from mooring.mail.threads import ThreadFilter, ThreadMessage
from mooring.mail.types import Attachment, Folder, Message, MessageFilter
from mooring.mail.writer import pack_key
from mooring.store import Database, ObjectStore, Record
from mooring.vault import DataKey


class MailReader:
    """Reads what is stored of any grant's mail."""

    def __init__(self, db: Database, objects: ObjectStore) -> None:
        self._db = db
        self._objects = objects

    async def folders(self, grant: Grant) -> list[Folder]:
        """Every folder, with counts."""
        return await listing.counted_folders(self._db, grant.id)

    async def plain_folders(self, grant: Grant) -> list[Folder]:
        """Every folder, without counts: much cheaper."""
        return await writing.folders(self._db, grant.id)

    async def page(
        self, grant: Grant, key: DataKey, wanted: MessageFilter, *, limit: int, cursor: str | None
    ) -> tuple[list[Message], str | None]:
        """One page, newest first, and the cursor of the next, or None."""
        rows = await listing.page(self._db, grant.id, wanted, limit=limit + 1, cursor=cursor)
        more = len(rows) > limit
        messages = await beside(_weight(rows), _messages, rows[:limit], key)
        if not more or not messages:
            return messages, None
        seen = read_cursor(cursor).seen if cursor is not None else ()
        return messages, write_cursor(messages[-1].date, messages[-1].id, seen)

    async def slice(
        self, grant: Grant, key: DataKey, wanted: MessageFilter, *, limit: int, offset: int
    ) -> list[Message]:
        """Some messages, newest first, from the one on that has ``offset`` before it."""
        rows = await listing.page(self._db, grant.id, wanted, limit=limit, cursor=None, offset=offset)
        return await beside(_weight(rows), _messages, rows, key)

    async def count(self, grant: Grant, wanted: MessageFilter | ThreadFilter | FileFilter) -> int:
        """How many messages, threads or files there are of these."""
        match wanted:
            case MessageFilter():
                return await threads.count_messages(self._db, grant.id, wanted)
            case ThreadFilter():
                return await threads.count_threads(self._db, grant.id, wanted)
            case FileFilter():
                return await threads.count_files(self._db, grant.id, wanted)

    async def thread_ids(self, grant: Grant, wanted: ThreadFilter, *, limit: int, offset: int) -> list[str]:
        """The ids of some threads, the one with the newest message first."""
        return await threads.thread_ids(self._db, grant.id, wanted, limit=limit, offset=offset)

    async def thread_messages(self, grant: Grant, thread_ids: Sequence[str]) -> list[ThreadMessage]:
        """Every message of these threads, as far as a thread shows it."""
        return await threads.thread_messages(self._db, grant.id, list(thread_ids))

    async def files(self, grant: Grant, wanted: FileFilter, *, limit: int, offset: int) -> list[File]:
        """Some attachments, those of the newest messages first."""
        rows = await threads.files(self._db, grant.id, wanted, limit=limit, offset=offset)
        return [File(row["message_id"], msgspec.json.decode(row["attachment"], type=Attachment)) for row in rows]

    async def message(self, grant: Grant, key: DataKey, message_id: str) -> Message | None:
        """One message, or None when it is not stored."""
        row = await listing.one(self._db, grant.id, message_id)
        return (await beside(_weight([row]), _messages, [row], key))[0] if row else None

    async def some(self, grant: Grant, key: DataKey, message_ids: Sequence[str]) -> dict[str, Message]:
        """These messages by id; those not stored are left out."""
        rows = await listing.some(self._db, grant.id, list(message_ids))
        return {message.id: message for message in await beside(_weight(rows), _messages, rows, key)}

    async def raw(self, grant: Grant, key: DataKey, message_ids: Sequence[str]) -> dict[str, bytes]:
        """The bytes of these messages as the server has them, by id; those not stored are left out."""
        by_pack: dict[str, list[tuple[str, int, int]]] = defaultdict(list)
        for identity, (pack, offset, length) in (await listing.places(self._db, grant.id, list(message_ids))).items():
            by_pack[pack].append((identity, offset, length))
        found: dict[str, bytes] = {}
        for pack, entries in by_pack.items():
            parts = await self._objects.get_ranges(pack_key(grant.id, pack), [(o, n) for _, o, n in entries])
            for (identity, _, _), part in zip(entries, parts, strict=True):
                found[identity] = await beside(len(part), key.unpack, part, raw_context(identity))
        return found


def _weight(rows: Sequence[Record]) -> int:
    """How much work it is to open these rows, in bytes as ``beside`` counts them.

    An ordinary page is opened faster than a thread takes it over: 256 KiB of sealed content are 2 to 4 ms.
    """
    return sum(len(row["content"]) for row in rows) // 4


def _messages(rows: Sequence[Record], key: DataKey) -> list[Message]:
    return [_message(row, key) for row in rows]


def _message(row: Record, key: DataKey) -> Message:
    (id_, grant_id, thread_id, subject, from_, to, cc, bcc, reply_to, date, unread, starred, content, folders,
     attachments, created_at) = row  # fmt: skip
    snippet, body = snippet_and_body(key.unpack(content, content_context(id_)))
    return Message(
        id=id_,
        grant_id=grant_id,
        thread_id=thread_id,
        subject=subject,
        from_=msgspec.Raw(from_.encode()),
        to=msgspec.Raw(to.encode()),
        cc=msgspec.Raw(cc.encode()),
        bcc=msgspec.Raw(bcc.encode()),
        reply_to=msgspec.Raw(reply_to.encode()),
        date=date,
        unread=unread,
        starred=starred,
        snippet=snippet,
        body=msgspec.Raw(body),
        folders=folders,
        attachments=msgspec.Raw(attachments.encode()),
        created_at=created_at,
    )
