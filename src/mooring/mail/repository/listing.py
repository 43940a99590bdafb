"""Reading the stored copy for the API: one query a page."""

from typing import Any

from mooring.mail.cursors import read_cursor
from mooring.mail.repository.writing import folder_of
from mooring.mail.types import Folder, MessageFilter
from mooring.store import Database, Record

_MESSAGE = """
m.id, m.grant_id, m.thread_id, m.subject, m."from"::text, m."to"::text, m.cc::text, m.bcc::text, m.reply_to::text,
m.date, m.unread, m.starred, m.content, m.folders, m.attachments::text, m.created_at
"""


async def counted_folders(db: Database, grant_id: str) -> list[Folder]:
    """Every folder with how many messages, unread ones and child folders it has."""
    rows = await db.fetch(
        """SELECT f.grant_id, f.id, f.path, f.wire_name, f.delimiter, f.attributes, f.selectable, f.uid_validity,
                  f.origin, f.uid_next, f.highest_modseq, f.fetched_at, f.complete_at, f.synced_at, f.error,
                  coalesce(c.total, 0) AS total_count, coalesce(c.unread, 0) AS unread_count,
                  (SELECT count(*) FROM folders d WHERE d.grant_id = f.grant_id AND f.delimiter <> ''
                     AND starts_with(d.path, f.path || f.delimiter)
                     AND strpos(substr(d.path, length(f.path || f.delimiter) + 1), f.delimiter) = 0) AS child_count
           FROM folders f
           LEFT JOIN (SELECT folder_id, count(*) AS total, count(*) FILTER (WHERE NOT '\\Seen' = ANY (flags)) AS unread
                      FROM placements WHERE grant_id = $1 GROUP BY folder_id) c ON c.folder_id = f.id
           WHERE f.grant_id = $1 ORDER BY f.path""",
        grant_id,
    )
    return [folder_of(row) for row in rows]


async def page(
    db: Database, grant_id: str, wanted: MessageFilter, *, limit: int, cursor: str | None, offset: int = 0
) -> list[Record]:
    """The rows of one page, newest first.

    Args:
        offset: so many rows behind the cursor are passed over.
    """
    if wanted.folder_id is not None:
        return await _folder_page(db, grant_id, wanted, limit, cursor, offset)
    where = Conditions(grant_id)
    add_filter(where, wanted)
    where.add("m.folders <> '{{}}'")
    if cursor is not None:
        date, identity, seen = read_cursor(cursor)
        where.add("(m.date, m.id) < ({}, {})", date, identity)
        if seen:
            where.add("m.id <> ALL ({}::text[])", list(seen))
    return await db.fetch(
        f"""SELECT {_MESSAGE} FROM messages m WHERE {where}
            ORDER BY m.date DESC, m.id DESC LIMIT {where.place(limit)} OFFSET {where.place(offset)}""",
        *where.values,
    )


async def _folder_page(
    db: Database, grant_id: str, wanted: MessageFilter, limit: int, cursor: str | None, offset: int
) -> list[Record]:
    """As ``page``, along the folder's own index; a message that lies there twice counts once."""
    where = Conditions(grant_id)
    add_filter(where, wanted)
    where.add("p.grant_id = $1 AND p.folder_id = {}", wanted.folder_id)
    if cursor is not None:
        date, identity, seen = read_cursor(cursor)
        where.add("(p.date, p.message_id) < ({}, {})", date, identity)
        if seen:
            where.add("p.message_id <> ALL ({}::text[])", list(seen))
    return await db.fetch(
        f"""SELECT {_MESSAGE} FROM
              (SELECT DISTINCT ON (p.date, p.message_id) p.date AS at, p.message_id FROM placements p
               JOIN messages m ON m.grant_id = $1 AND m.id = p.message_id
               WHERE {where} ORDER BY p.date DESC, p.message_id DESC
               LIMIT {where.place(limit)} OFFSET {where.place(offset)}) p
            JOIN messages m ON m.grant_id = $1 AND m.id = p.message_id
            ORDER BY p.at DESC, p.message_id DESC""",
        *where.values,
    )


async def one(db: Database, grant_id: str, message_id: str) -> Record | None:
    """The row of one message."""
    return await db.fetchrow(
        f"SELECT {_MESSAGE} FROM messages m WHERE m.grant_id = $1 AND m.id = $2", grant_id, message_id
    )


async def some(db: Database, grant_id: str, ids: list[str]) -> list[Record]:
    """The rows of these messages, those that are there."""
    return await db.fetch(f"SELECT {_MESSAGE} FROM messages m WHERE m.grant_id = $1 AND m.id = ANY ($2)", grant_id, ids)


async def places(db: Database, grant_id: str, ids: list[str]) -> dict[str, tuple[str, int, int]]:
    """Pack, offset and length of these messages' raw bytes."""
    rows = await db.fetch(
        "SELECT id, pack, pack_offset, pack_length FROM messages WHERE grant_id = $1 AND id = ANY ($2)", grant_id, ids
    )
    return {row["id"]: (row["pack"], row["pack_offset"], row["pack_length"]) for row in rows}


class Conditions:
    """The WHERE of one query: conditions and the values of their places. ``$1`` is the grant."""

    def __init__(self, grant_id: str) -> None:
        self.values: list[Any] = [grant_id]
        self._parts = ["m.grant_id = $1"]

    def place(self, value: Any) -> str:
        self.values.append(value)
        return f"${len(self.values)}"

    def add(self, condition: str, *values: Any) -> None:
        self._parts.append(condition.format(*(self.place(value) for value in values)))

    def __str__(self) -> str:
        return " AND ".join(self._parts)


def add_filter(where: Conditions, wanted: MessageFilter) -> None:
    """Ask for messages like these; the folder is the caller's matter."""
    simple = {
        "m.unread = {}": wanted.unread,
        "m.starred = {}": wanted.starred,
        "m.has_attachments = {}": wanted.has_attachment,
        "m.thread_id = {}": wanted.thread_id,
        "m.date < {}": wanted.received_before,
        "m.date > {}": wanted.received_after,
        "strpos(m.subject, {}) > 0": wanted.subject,
    }
    for condition, value in simple.items():
        if value is not None:
            where.add(condition, value)
    for columns, addresses in (
        (('m."from"',), wanted.from_),
        (('m."to"',), wanted.to),
        (("m.cc",), wanted.cc),
        (("m.bcc",), wanted.bcc),
        (('m."from"', 'm."to"', "m.cc", "m.bcc"), wanted.any_email),
    ):
        if addresses:
            place = where.place([address.lower() for address in addresses])
            where.add(f"({' OR '.join(_has_address(column, place) for column in columns)})")
    if wanted.filename is not None:
        where.add(
            "EXISTS (SELECT FROM json_array_elements(m.attachments) a WHERE a ->> 'filename' = {})", wanted.filename
        )


def _has_address(column: str, place: str) -> str:
    return f"EXISTS (SELECT FROM json_array_elements({column}) a WHERE lower(a ->> 'email') = ANY ({place}))"
