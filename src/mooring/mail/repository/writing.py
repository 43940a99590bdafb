"""The tables of the stored copy, as the synchronisation writes them; reading for the API is in ``listing``.

Every function here runs in a transaction that its caller has fenced: one writer for each grant.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from mooring.mail.identity import ThreadHeaders, assign_threads
from mooring.mail.records import Batch, Record
from mooring.mail.types import Folder, Obstacle
from mooring.steps import Steps, gently
from mooring.store import Connection, Database
from mooring.store import Record as Row

_STEP = 2048
"""Rows that are gone through in one step: about 2 ms."""

_FOLDER = """
f.grant_id, f.id, f.path, f.wire_name, f.delimiter, f.attributes, f.selectable, f.uid_validity, f.origin,
f.uid_next, f.highest_modseq, f.fetched_at, f.complete_at, f.synced_at, f.error
"""
_MESSAGE_COLUMNS = (
    "grant_id", "id", "thread_id", "message_id_header", "date", "subject", "from", "to", "cc", "bcc", "reply_to",
    "attachments", "has_attachments", "content", "size", "pack", "pack_offset", "pack_length", "folders",
    "unread", "starred", "created_at",
)  # fmt: skip


def folder_of(row: Any) -> Folder:
    fields = dict(row)
    fields["attributes"] = tuple(row["attributes"])
    return Folder(**fields)


async def folders(db: Database | Connection, grant_id: str) -> list[Folder]:
    """Every folder of the grant, by path."""
    rows = await db.fetch(f"SELECT {_FOLDER} FROM folders f WHERE f.grant_id = $1 ORDER BY f.path", grant_id)
    return [folder_of(row) for row in rows]


async def upsert_folder(tx: Connection, folder: Folder) -> bool:
    """Write what LIST says of a folder; True when it is new."""
    return bool(
        await tx.fetchval(
            """INSERT INTO folders (grant_id, id, path, wire_name, delimiter, attributes, selectable)
               VALUES ($1, $2, $3, $4, $5, $6, $7)
               ON CONFLICT (grant_id, id) DO UPDATE SET path = excluded.path, delimiter = excluded.delimiter,
                   attributes = excluded.attributes, selectable = excluded.selectable
               RETURNING xmax = 0""",
            folder.grant_id,
            folder.id,
            folder.path,
            folder.wire_name,
            folder.delimiter,
            list(folder.attributes),
            folder.selectable,
        )
    )


async def delete_folder(tx: Connection, grant_id: str, folder_id: str) -> None:
    """Forget a folder that the server no longer has, and every place in it."""
    await empty_folder(tx, grant_id, folder_id)
    await tx.execute("DELETE FROM folders WHERE grant_id = $1 AND id = $2", grant_id, folder_id)


async def empty_folder(tx: Connection, grant_id: str, folder_id: str) -> None:
    """Forget every place in the folder; the messages wait to be found again, here or elsewhere."""
    await tx.execute("DELETE FROM passed_over WHERE grant_id = $1 AND folder_id = $2", grant_id, folder_id)
    rows = await tx.fetch(
        "DELETE FROM placements WHERE grant_id = $1 AND folder_id = $2 RETURNING message_id", grant_id, folder_id
    )
    await refresh_messages(tx, grant_id, {row["message_id"] for row in rows})


async def close_folder(tx: Connection, grant_id: str, folder_id: str) -> None:
    """Begin with nothing in the folder, should it ever be opened again."""
    await empty_folder(tx, grant_id, folder_id)
    await tx.execute(
        """UPDATE folders SET uid_validity = NULL, uid_next = NULL, highest_modseq = NULL, fetched_at = NULL,
               complete_at = NULL, error = NULL
           WHERE grant_id = $1 AND id = $2""",
        grant_id, folder_id,
    )  # fmt: skip


async def reset_folder(tx: Connection, grant_id: str, folder_id: str, uid_validity: int, origin: str) -> Folder:
    """Begin a folder anew under this UIDVALIDITY (RFC 9051 §2.3.1.1): no UID of before means anything now."""
    await empty_folder(tx, grant_id, folder_id)
    row = await tx.fetchrow(
        f"""UPDATE folders f SET uid_validity = $3, origin = $4, uid_next = NULL, highest_modseq = NULL,
                complete_at = NULL
            WHERE grant_id = $1 AND id = $2 RETURNING {_FOLDER}""",
        grant_id, folder_id, uid_validity, origin,
    )  # fmt: skip
    return folder_of(row)


async def mark_folder(
    tx: Connection,
    grant_id: str,
    folder_id: str,
    *,
    uid_next: int | None = None,
    highest_modseq: int | None = None,
    complete: bool = False,
) -> Folder:
    """Write that the folder has been read: as far as its newest, or (``complete``) to its end."""
    row = await tx.fetchrow(
        f"""UPDATE folders f SET fetched_at = coalesce(fetched_at, now()), synced_at = now(), error = NULL,
                uid_next = coalesce($3, uid_next), highest_modseq = coalesce($4, highest_modseq),
                complete_at = CASE WHEN $5 THEN coalesce(complete_at, now()) ELSE complete_at END
            WHERE grant_id = $1 AND id = $2 RETURNING {_FOLDER}""",
        grant_id, folder_id, uid_next, highest_modseq, complete,
    )  # fmt: skip
    return folder_of(row)


async def fail_folder(tx: Connection, grant_id: str, folder_id: str, error: dict[str, Any]) -> None:
    """Write why the folder cannot be read just now."""
    await tx.execute("UPDATE folders SET error = $3 WHERE grant_id = $1 AND id = $2", grant_id, folder_id, error)


async def stored_flags(db: Database | Connection, grant_id: str, folder_id: str) -> dict[int, frozenset[str]]:
    """Flags by UID of everything stored of the folder, in rising order."""
    rows = await db.fetch(
        "SELECT uid, flags FROM placements WHERE grant_id = $1 AND folder_id = $2 ORDER BY uid", grant_id, folder_id
    )
    return await gently(_flags_by_uid(rows))


def _flags_by_uid(rows: Sequence[Row]) -> Steps[dict[int, frozenset[str]]]:
    """Equal ones are one object, since a mailbox has few combinations and many messages."""
    shared: dict[tuple[str, ...], frozenset[str]] = {}
    found: dict[int, frozenset[str]] = {}
    for at in range(0, len(rows), _STEP):
        for uid, flags in rows[at : at + _STEP]:
            words = tuple(flags)
            found[uid] = shared.get(words) or shared.setdefault(words, frozenset(words))
        yield
    return found


async def pass_over(
    tx: Connection, grant_id: str, folder_id: str, obstacles: Mapping[int, Obstacle], *, is_news: bool
) -> None:
    """Write why these UIDs are not stored. Each is due after a minute, then eight times as late, at most a week."""
    await tx.execute(
        """INSERT INTO passed_over (grant_id, folder_id, uid, reason, is_news, again_at)
           SELECT $1, $2, u.uid, u.reason, $5,
                  CASE WHEN u.reason = $6 THEN timestamptz 'infinity' ELSE now() + interval '1 minute' END
           FROM unnest($3::bigint[], $4::text[]) AS u (uid, reason)
           ON CONFLICT (grant_id, folder_id, uid) DO UPDATE
           SET reason = excluded.reason, strikes = passed_over.strikes + 1,
               again_at = CASE WHEN isfinite(excluded.again_at)
                               THEN now() + least(interval '1 minute' * 8 ^ least(passed_over.strikes, 5),
                                                  interval '7 days')
                               ELSE excluded.again_at END""",
        grant_id, folder_id, list(obstacles), list(obstacles.values()), is_news, Obstacle.TOO_LARGE,
    )  # fmt: skip


async def settle(tx: Connection, grant_id: str, folder_id: str, uids: Iterable[int]) -> None:
    """Forget that these were passed over."""
    await tx.execute(
        "DELETE FROM passed_over WHERE grant_id = $1 AND folder_id = $2 AND uid = ANY ($3)",
        grant_id, folder_id, list(uids),
    )  # fmt: skip


async def passed_over(db: Database | Connection, grant_id: str, folder_id: str) -> list[int]:
    """The UIDs of the folder that were passed over."""
    rows = await db.fetch("SELECT uid FROM passed_over WHERE grant_id = $1 AND folder_id = $2", grant_id, folder_id)
    return [row["uid"] for row in rows]


async def due(db: Database | Connection, grant_id: str, limit: int) -> list[tuple[str, int, bool]]:
    """Folder, UID and whether it is news of what was passed over and is to be asked for again."""
    rows = await db.fetch(
        """SELECT folder_id, uid, is_news FROM passed_over WHERE grant_id = $1 AND again_at <= now()
           ORDER BY again_at LIMIT $2""",
        grant_id, limit,
    )  # fmt: skip
    return [(row["folder_id"], row["uid"], row["is_news"]) for row in rows]


async def known_threads(tx: Connection, grant_id: str, headers: Iterable[str]) -> dict[str, str]:
    """Thread id by Message-ID, for those that were seen before."""
    rows = await tx.fetch(
        "SELECT header, thread_id FROM thread_links WHERE grant_id = $1 AND header = ANY ($2)", grant_id, list(headers)
    )
    return {row["header"]: row["thread_id"] for row in rows}


async def link_threads(tx: Connection, grant_id: str, links: dict[str, str]) -> None:
    """Remember these links; one that is known stays as it is.

    In one order: two that write the same links at once wait for each other, and must not do so in a circle.
    """
    headers = sorted(links)
    await tx.execute(
        """INSERT INTO thread_links (grant_id, header, thread_id) SELECT $1, * FROM unnest($2::text[], $3::text[])
           ON CONFLICT DO NOTHING""",
        grant_id, headers, [links[header] for header in headers],
    )  # fmt: skip


async def join_thread(tx: Connection, grant_id: str, identity: str, headers: ThreadHeaders) -> str:
    """The thread of one message, from now on remembered. It needs no fence: links are only ever added."""
    known = await known_threads(tx, grant_id, [w for w in (headers.own, *headers.references) if w])
    threads, links = assign_threads(grant_id, [(identity, headers)], known)
    await link_threads(tx, grant_id, links)
    return threads[identity]


async def existing(tx: Connection, grant_id: str, ids: Iterable[str]) -> set[str]:
    """Which of these messages are stored already."""
    rows = await tx.fetch("SELECT id FROM messages WHERE grant_id = $1 AND id = ANY ($2)", grant_id, list(ids))
    return {row["id"] for row in rows}


async def insert_messages(
    tx: Connection,
    grant_id: str,
    folder_id: str,
    batch: Batch,
    records: Sequence[Record],
    threads: dict[str, str],
    now: int,
) -> None:
    """Write new messages, each in this one folder, and the pack that holds them."""
    await tx.execute(
        "INSERT INTO packs (grant_id, id, bytes) VALUES ($1, $2, $3)", grant_id, batch.pack_id, len(batch.pack)
    )
    await tx.copy_records_to_table(
        "messages",
        columns=_MESSAGE_COLUMNS,
        records=[
            (
                grant_id, r.id, threads[r.id], r.headers.own, r.date, r.subject, *map(msgspec.Raw, r.addresses),
                msgspec.Raw(r.attachments), r.has_attachments, r.content, r.size, batch.pack_id, r.offset,
                r.length, [folder_id], r.unread, r.starred, now,
            )
            for r in records
        ],
    )  # fmt: skip


async def insert_placements(tx: Connection, grant_id: str, folder_id: str, records: Sequence[Record]) -> None:
    """Write where these messages lie; a place that is known already is left alone.

    The date is the message's: of one without a Date header, each folder knows another moment of arrival.
    """
    await tx.execute(
        """INSERT INTO placements (grant_id, folder_id, uid, message_id, date, flags)
           SELECT $1, $2, u.uid, m.id, m.date, coalesce(string_to_array(nullif(u.flags, ''), ' '), '{}')
           FROM unnest($3::bigint[], $4::text[], $5::text[]) AS u (uid, message_id, flags)
           JOIN messages m ON m.grant_id = $1 AND m.id = u.message_id
           ON CONFLICT DO NOTHING""",
        grant_id, folder_id, [r.uid for r in records], [r.id for r in records],
        [" ".join(sorted(r.flags)) for r in records],
    )  # fmt: skip


async def set_flags(tx: Connection, grant_id: str, folder_id: str, flags: dict[int, frozenset[str]]) -> set[str]:
    """Write the flags of these UIDs; returns the messages that they belong to."""
    rows = await tx.fetch(
        """UPDATE placements p SET flags = coalesce(string_to_array(nullif(u.flags, ''), ' '), '{}')
           FROM unnest($3::bigint[], $4::text[]) AS u (uid, flags)
           WHERE p.grant_id = $1 AND p.folder_id = $2 AND p.uid = u.uid RETURNING p.message_id""",
        grant_id, folder_id, list(flags), [" ".join(sorted(f)) for f in flags.values()],
    )  # fmt: skip
    return {row["message_id"] for row in rows}


async def remove_places(tx: Connection, grant_id: str, folder_id: str, uids: Iterable[int]) -> set[str]:
    """Forget these UIDs; returns the messages that lay there."""
    rows = await tx.fetch(
        "DELETE FROM placements WHERE grant_id = $1 AND folder_id = $2 AND uid = ANY ($3) RETURNING message_id",
        grant_id, folder_id, list(uids),
    )  # fmt: skip
    return {row["message_id"] for row in rows}


async def refresh_messages(tx: Connection, grant_id: str, ids: Iterable[str]) -> list[str]:
    """Make folders, unread and starred follow from the places; returns the messages that this changed.

    A message is unread while it is in every place, and starred once it is in one.
    """
    rows = await tx.fetch(
        """UPDATE messages m SET folders = p.folders, unread = p.unread, starred = p.starred
           FROM (SELECT i.id, coalesce(array_agg(DISTINCT q.folder_id) FILTER (WHERE q.folder_id IS NOT NULL), '{}')
                          AS folders,
                        coalesce(bool_and(NOT '\\Seen' = ANY (q.flags)), true) AS unread,
                        coalesce(bool_or('\\Flagged' = ANY (q.flags)), false) AS starred
                 FROM unnest($2::text[]) AS i (id)
                 LEFT JOIN placements q ON q.grant_id = $1 AND q.message_id = i.id
                 GROUP BY i.id) p
           WHERE m.grant_id = $1 AND m.id = p.id
             AND (m.folders, m.unread, m.starred) IS DISTINCT FROM (p.folders, p.unread, p.starred)
           RETURNING m.id""",
        grant_id, list(ids),
    )  # fmt: skip
    return [row["id"] for row in rows]


async def homeless(db: Database | Connection, grant_id: str) -> set[str]:
    """The messages that lie in no folder."""
    rows = await db.fetch("SELECT id FROM messages WHERE grant_id = $1 AND folders = '{}'", grant_id)
    return {row["id"] for row in rows}


async def oldest_homeless(db: Database | Connection, grant_id: str) -> datetime | None:
    """The date of the oldest of them."""
    return await db.fetchval(
        "SELECT to_timestamp(min(date)) FROM messages WHERE grant_id = $1 AND folders = '{}'", grant_id
    )


async def delete_homeless(tx: Connection, grant_id: str, ids: Iterable[str]) -> list[str]:
    """Delete those of these messages that lie in no folder; returns their ids."""
    rows = await tx.fetch(
        "DELETE FROM messages WHERE grant_id = $1 AND folders = '{}' AND id = ANY ($2) RETURNING id",
        grant_id, list(ids),
    )  # fmt: skip
    return [row["id"] for row in rows]


async def unused_packs(tx: Connection, grant_id: str) -> list[str]:
    """Forget the packs in which no message lies any more; returns their ids."""
    rows = await tx.fetch(
        """DELETE FROM packs p WHERE p.grant_id = $1
             AND NOT EXISTS (SELECT FROM messages m WHERE m.grant_id = $1 AND m.pack = p.id) RETURNING p.id""",
        grant_id,
    )
    return [row["id"] for row in rows]


async def pack_ids(db: Database, grant_id: str) -> set[str]:
    """Every pack that the grant has."""
    return {row["id"] for row in await db.fetch("SELECT id FROM packs WHERE grant_id = $1", grant_id)}
