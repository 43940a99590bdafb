"""Reading threads and files of the stored copy, and counting: by offset, as v2 asks for them."""

import msgspec

from mooring.mail.files import FileFilter
from mooring.mail.repository.listing import Conditions, add_filter
from mooring.mail.threads import ThreadFilter, ThreadMessage
from mooring.mail.types import MessageFilter
from mooring.store import Database, Record

_NO_FILTER = MessageFilter()


async def count_messages(db: Database, grant_id: str, wanted: MessageFilter) -> int:
    """How many messages there are of these."""
    where = _stored(grant_id)
    _add_filter(where, wanted)
    return await db.fetchval(f"SELECT count(*) FROM messages m WHERE {where}", *where.values)


async def thread_ids(db: Database, grant_id: str, wanted: ThreadFilter, *, limit: int, offset: int) -> list[str]:
    """The ids of some threads, the one with the newest message first."""
    query, where = _threads(grant_id, wanted)
    rows = await db.fetch(
        f"""{query} ORDER BY max(m.date) DESC, m.thread_id DESC
            LIMIT {where.place(limit)} OFFSET {where.place(offset)}""",
        *where.values,
    )
    return [row["thread_id"] for row in rows]


async def count_threads(db: Database, grant_id: str, wanted: ThreadFilter) -> int:
    """How many threads there are of these."""
    query, where = _threads(grant_id, wanted)
    return await db.fetchval(f"SELECT count(*) FROM ({query}) t", *where.values)


async def thread_messages(db: Database, grant_id: str, threads: list[str]) -> list[ThreadMessage]:
    """Every message of these threads, as far as a thread shows it."""
    rows = await db.fetch(
        """SELECT m.id, m.thread_id, m.date, m.subject, m."from"::text, m."to"::text, m.cc::text, m.bcc::text,
                  m.unread, m.starred, m.has_attachments, m.folders
           FROM messages m WHERE m.grant_id = $1 AND m.thread_id = ANY ($2) AND m.folders <> '{}'""",
        grant_id, threads,
    )  # fmt: skip
    return [
        ThreadMessage(
            id=row["id"],
            thread_id=row["thread_id"],
            date=row["date"],
            subject=row["subject"],
            addresses=tuple(msgspec.Raw(row[name].encode()) for name in ("from", "to", "cc", "bcc")),
            unread=row["unread"],
            starred=row["starred"],
            has_attachments=row["has_attachments"],
            folders=row["folders"],
        )
        for row in rows
    ]


async def files(db: Database, grant_id: str, wanted: FileFilter, *, limit: int, offset: int) -> list[Record]:
    """Some attachments, those of the newest messages first: the message's id, and the attachment as JSON."""
    query, where = _files(grant_id, wanted)
    return await db.fetch(
        f"""SELECT m.id AS message_id, a.value::text AS attachment {query}
            ORDER BY m.date DESC, m.id DESC, a.number
            LIMIT {where.place(limit)} OFFSET {where.place(offset)}""",
        *where.values,
    )


async def count_files(db: Database, grant_id: str, wanted: FileFilter) -> int:
    """How many attachments there are of these."""
    query, where = _files(grant_id, wanted)
    return await db.fetchval(f"SELECT count(*) {query}", *where.values)


def _stored(grant_id: str) -> Conditions:
    where = Conditions(grant_id)
    where.add("m.folders <> '{{}}'")
    return where


def _add_filter(where: Conditions, wanted: MessageFilter) -> None:
    add_filter(where, wanted)
    if wanted.folder_id is not None:
        where.add("{} = ANY (m.folders)", wanted.folder_id)


def _threads(grant_id: str, wanted: ThreadFilter) -> tuple[str, Conditions]:
    """The threads as a query without an order, and its values; a thread is found by any one of its messages."""
    stored = _stored(grant_id)
    having = Conditions(grant_id)
    having.values = stored.values
    if wanted.messages != _NO_FILTER:
        like = Conditions(grant_id)
        like.values = stored.values
        _add_filter(like, wanted.messages)
        having.add(f"bool_or({like})")
    for condition, value in {
        "bool_or(m.unread) = {}": wanted.unread,
        "bool_or(m.starred) = {}": wanted.starred,
        "bool_or(m.has_attachments) = {}": wanted.has_attachment,
        "min(m.date) < {}": wanted.started_before,
        "min(m.date) > {}": wanted.started_after,
        "max(m.date) < {}": wanted.last_before,
        "max(m.date) > {}": wanted.last_after,
    }.items():
        if value is not None:
            having.add(condition, value)
    return f"SELECT m.thread_id FROM messages m WHERE {stored} GROUP BY m.grant_id, m.thread_id HAVING {having}", stored


def _files(grant_id: str, wanted: FileFilter) -> tuple[str, Conditions]:
    where = _stored(grant_id)
    where.add("m.attachments::text <> '[]'")
    for condition, value in {
        "m.id = {}": wanted.message_id,
        "a.value ->> 'filename' = {}": wanted.filename,
        "a.value ->> 'content_type' = {}": wanted.content_type,
    }.items():
        if value is not None:
            where.add(condition, value)
    return f"FROM messages m, json_array_elements(m.attachments) WITH ORDINALITY a (value, number) WHERE {where}", where
