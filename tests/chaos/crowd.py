"""Many mailboxes of one server, which admits few connections from each address."""

import asyncio
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from mooring.store import Database, EmbeddedPostgres
from tests.lab.dovecot import User
from tests.lab.laboratory import Laboratory
from tests.running import Running
from tests.waiting import until

AT_ONCE = 8
"""Mailboxes that are connected at the same time."""
VISITED_S = 60.0
"""Seconds within which each mailbox is visited once (spec, bulk moves)."""

STATIC = tuple(f"10.99.0.{number}" for number in range(40, 48))
DYNAMIC = tuple(f"10.99.0.{number}" for number in range(50, 58))


def policy(*, subset: int, connections: int) -> str:
    """For ``configuration``: the rest of its ``[policy]``."""
    return f"subset = {subset}\nconnections_per_source_and_server = {connections}\n"


Ask = Callable[..., list[dict[str, Any]]]


@contextmanager
def asked(mooring: Running) -> Generator[Ask]:
    """As ``Running.rows``, over one connection: for questions that are asked again and again."""

    async def connect(stack: AsyncExitStack) -> Database:
        url = await stack.enter_async_context(EmbeddedPostgres(mooring.folder / "data").connect_or_start())
        db = await Database.open(url, max_size=1)
        stack.push_async_callback(db.close)
        return db

    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        db = runner.run(connect(stack))

        async def rows(query: str, *arguments: object) -> list[dict[str, Any]]:
            return [dict(row) for row in await db.fetch(query, *arguments)]

        try:
            yield lambda query, *arguments: runner.run(rows(query, *arguments))
        finally:
            runner.run(stack.aclose())


@dataclass
class Crowd:
    """The accounts of these users, by the order of the users."""

    rows: Ask
    users: Sequence[User]
    grants: list[str]

    def last_looks(self) -> list[datetime | None]:
        """When each mailbox was last looked at as a whole."""
        rows = self.rows("SELECT synced_at FROM grants WHERE id = ANY ($1)", self.grants)
        return [row["synced_at"] for row in rows]

    def visited(self, *, timeout_s: float = VISITED_S) -> None:
        """Return once each mailbox has been looked at since this was called."""
        [row] = self.rows("SELECT now() AS now")

        def all_are() -> bool:
            return all(at is not None and at > row["now"] for at in self.last_looks())

        until(all_are, timeout_s=timeout_s, what=f"each of {len(self.grants)} mailboxes is visited")

    def facts(self) -> list[tuple[str, str, Any]]:
        """Grant, type and data of everything that has happened, in order."""
        rows = self.rows("SELECT grant_id, type, data FROM outbox ORDER BY grant_id, sequence")
        return [(row["grant_id"], row["type"], row["data"]) for row in rows]

    def environments(self) -> set[tuple[str, int]]:
        """How many accounts are placed where."""
        rows = self.rows("SELECT environment, count(*) AS accounts FROM grants GROUP BY 1")
        return {(row["environment"], row["accounts"]) for row in rows}


def gathered(mooring: Running, rows: Ask, lab: Laboratory, count: int, *, name: str) -> Crowd:
    """So many mailboxes, made, connected to be read, and in step."""
    users = [lab.dovecot.set_user(User(f"{name}{number}@lab.test", "a-password")) for number in range(count)]
    headers = {"Authorization": f"Bearer {mooring.api_key}"}
    with httpx.Client(base_url=mooring.url, headers=headers, timeout=60) as api, ThreadPoolExecutor(AT_ONCE) as threads:

        def connected(user: User) -> str:
            settings = {
                "imap_host": "imap.lab.test", "imap_port": 993,
                "imap_username": user.address, "imap_password": user.password,
            }  # fmt: skip
            answer = api.post("/v3/connect/custom", json={"provider": "imap", "settings": settings})
            assert answer.is_success, answer.text
            return str(answer.json()["data"]["id"])

        crowd = Crowd(rows, users, list(threads.map(connected, users)))
    until(lambda: None not in crowd.last_looks(), timeout_s=120 + count / 5, what=f"{count} mailboxes are in step")
    return crowd
