"""The applications' tables."""

from typing import Any

from mooring.applications.types import Application, StaticIps, StaticIpsChange
from mooring.config import Generation, MigrationMode
from mooring.store import Connection, Database

_COLUMNS = """id, organisation_id, name, generation, region, static_ips, migration_mode, predecessor_id, icon_url,
              redirect_uris, created_at, updated_at"""


def _application(row: Any) -> Application:
    return Application(
        id=row["id"],
        organisation_id=row["organisation_id"],
        name=row["name"],
        generation=Generation(row["generation"]),
        region=row["region"],
        static_ips=StaticIps(row["static_ips"]),
        migration_mode=MigrationMode(row["migration_mode"]) if row["migration_mode"] else None,
        predecessor_id=row["predecessor_id"] or "",
        icon_url=row["icon_url"],
        redirect_uris=tuple(row["redirect_uris"]),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def _change(row: Any) -> StaticIpsChange:
    return StaticIpsChange(row["at"], StaticIps(row["before"]), StaticIps(row["after"]), row["by"], row["note"])


async def ensure_organisation(tx: Connection, organisation_id: str, name: str) -> None:
    """Make the organisation if there is none by this id."""
    await tx.execute(
        "INSERT INTO organisations (id, name) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING", organisation_id, name
    )


async def insert(
    tx: Connection,
    *,
    application_id: str,
    organisation_id: str,
    name: str,
    generation: str,
    region: str,
    static_ips: str,
    client_secret: bytes | None,
    predecessor_id: str,
) -> Application:
    """Write a new application."""
    row = await tx.fetchrow(
        f"""INSERT INTO applications (id, organisation_id, name, generation, region, static_ips, client_secret,
                                      predecessor_id)
            VALUES ($1, $2, $3, $4, $5, $6, $7, nullif($8, '')) RETURNING {_COLUMNS}""",
        application_id, organisation_id, name, generation, region, static_ips, client_secret, predecessor_id,
    )  # fmt: skip
    return _application(row)


async def set_migration_mode(db: Database, application_id: str, mode: str | None) -> Application | None:
    """Write how the application's accounts move; None: as the policy says."""
    row = await db.fetchrow(
        f"UPDATE applications SET migration_mode = $2, updated_at = now() WHERE id = $1 RETURNING {_COLUMNS}",
        application_id, mode,
    )  # fmt: skip
    return _application(row) if row else None


async def change(
    db: Database, application_id: str, name: str | None, icon_url: str | None, redirect_uris: list[str] | None
) -> Application | None:
    """Write what is given; None leaves it as it is."""
    row = await db.fetchrow(
        f"""UPDATE applications SET name = coalesce($2, name), icon_url = coalesce($3, icon_url),
                redirect_uris = coalesce($4, redirect_uris), updated_at = now()
            WHERE id = $1 RETURNING {_COLUMNS}""",
        application_id, name, icon_url, redirect_uris,
    )  # fmt: skip
    return _application(row) if row else None


async def insert_key(tx: Connection, application_id: str, key_hash: bytes) -> None:
    """Let this key speak for the application."""
    await tx.execute("INSERT INTO api_keys (hash, application_id) VALUES ($1, $2)", key_hash, application_id)


async def by_key(db: Database, key_hash: bytes) -> Application | None:
    """Whose key this is."""
    row = await db.fetchrow(
        f"SELECT {_COLUMNS} FROM applications WHERE id = (SELECT application_id FROM api_keys WHERE hash = $1)",
        key_hash,
    )
    return _application(row) if row else None


async def by_id(db: Database, application_id: str) -> Application | None:
    row = await db.fetchrow(f"SELECT {_COLUMNS} FROM applications WHERE id = $1", application_id)
    return _application(row) if row else None


async def hold(tx: Connection, application_id: str) -> Application | None:
    """The application, which nobody changes until the transaction ends."""
    row = await tx.fetchrow(f"SELECT {_COLUMNS} FROM applications WHERE id = $1 FOR SHARE", application_id)
    return _application(row) if row else None


async def every(db: Database) -> list[Application]:
    """All applications, oldest first."""
    return [_application(r) for r in await db.fetch(f"SELECT {_COLUMNS} FROM applications ORDER BY created_at, id")]


async def any_application(db: Database) -> bool:
    """Whether there is an application at all: the first start makes one."""
    return bool(await db.fetchval("SELECT EXISTS (SELECT FROM applications)"))


async def client_secret(db: Database, application_id: str) -> bytes | None:
    """The sealed client secret of a v2 application."""
    return await db.fetchval("SELECT client_secret FROM applications WHERE id = $1", application_id)


async def lock(tx: Connection, application_id: str) -> None:
    """Have nobody else change or hold the application until the transaction ends."""
    await tx.execute("SELECT FROM applications WHERE id = $1 FOR NO KEY UPDATE", application_id)


async def set_static_ips(tx: Connection, application_id: str, change: tuple[str, str], by: str, note: str) -> None:
    """Write the change of state, from one to the other, and who made it and why."""
    before, after = change
    await tx.execute(
        "UPDATE applications SET static_ips = $2, static_ips_changed_at = now(), updated_at = now() WHERE id = $1",
        application_id, after,
    )  # fmt: skip
    await tx.execute(
        "INSERT INTO static_ips_changes (application_id, before, after, by, note) VALUES ($1, $2, $3, $4, $5)",
        application_id, before, after, by, note,
    )  # fmt: skip


async def static_ips_changes(db: Database, application_id: str) -> list[StaticIpsChange]:
    """All changes of the state, oldest first."""
    rows = await db.fetch(
        "SELECT at, before, after, by, note FROM static_ips_changes WHERE application_id = $1 ORDER BY number",
        application_id,
    )
    return [_change(row) for row in rows]


async def last_static_ips_changes(db: Database) -> dict[str, StaticIpsChange]:
    """The last change of each application's state, by its id; those never changed have none."""
    rows = await db.fetch(
        """SELECT DISTINCT ON (application_id) application_id, at, before, after, by, note FROM static_ips_changes
           ORDER BY application_id, number DESC"""
    )
    return {row["application_id"]: _change(row) for row in rows}


async def sealed_secrets(db: Database) -> list[tuple[str, bytes]]:
    """Every sealed client secret with its application's id, for sealing anew."""
    rows = await db.fetch("SELECT id, client_secret FROM applications WHERE client_secret IS NOT NULL")
    return [(row["id"], row["client_secret"]) for row in rows]


async def replace_secret(db: Database, application_id: str, old: bytes, new: bytes) -> None:
    """Put the newly sealed secret in the place of the old one, if nobody else did meanwhile."""
    await db.execute(
        "UPDATE applications SET client_secret = $3 WHERE id = $1 AND client_secret = $2", application_id, old, new
    )
