"""A grant with a calendar server in a real database, its lease, and the way to a server on loopback."""

from datetime import timedelta
from pathlib import Path

import httpx
import msgspec

from mooring.config import Generation, Kind
from mooring.grants import (
    Attempt,
    CalendarServer,
    Credentials,
    Grant,
    GrantStatus,
    Keys,
    Server,
    Sessions,
    Settings,
    TlsMode,
    Way,
)
from mooring.jobs import Holder, Lease, LeaseKind, offer
from mooring.protocols.imap import ImapClient
from mooring.store import Database
from mooring.vault import Vault
from tests.protocol.caldav.transcripts import unread

DAV = "https://dav.example.com/"


class Loopback(Sessions):
    """Takes every request for ``DAV`` to a server on loopback; mail servers are out of reach.

    Attributes:
        asked: method and path of every request, in order.
        failure: what is answered instead of asking, where it is set.
    """

    def __init__(self, url: str = "") -> None:
        self.asked: list[tuple[str, str]] = []
        self.failure: httpx.Response | None = None
        self._url = url

    def http(self, attempt: Attempt) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=_Rewriting(self, self._url), trust_env=False)

    async def imap(self, way: Way, server: Server, password: str) -> tuple[ImapClient, Attempt, TlsMode]:
        raise Attempt(way, server.host, server.port).timed_out(1)

    def reports(self) -> int:
        """How many REPORTs there were since the last question."""
        count = sum(method == "REPORT" for method, _ in self.asked)
        self.asked.clear()
        return count


class _Rewriting(httpx.AsyncBaseTransport):
    def __init__(self, sessions: Loopback, url: str) -> None:
        self._sessions = sessions
        self._url = url
        self._inner = httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._sessions.asked.append((request.method, request.url.path))
        if self._sessions.failure is not None:
            return unread(self._sessions.failure)
        target = httpx.URL(self._url).copy_with(raw_path=request.url.raw_path)
        headers = {**request.headers, "host": target.netloc.decode()}
        return await self._inner.handle_async_request(
            httpx.Request(request.method, target, headers=headers, stream=request.stream)
        )

    async def aclose(self) -> None:
        await self._inner.aclose()


async def make_grant(
    database: Database, folder: Path, *, password: str = "", url: str | None = DAV
) -> tuple[Grant, Keys]:
    """A grant of a new application, and the keys that open it."""
    keys = Keys(database, Vault.load(folder / "mooring.keys", create=True))
    settings: dict[str, object] = {"imap": {"host": "imap.example.com", "port": 993, "username": "ann"}}
    if url is not None:
        settings["caldav"] = {"url": url, "username": "ann"}
    await database.execute("INSERT INTO organisations (id, name) VALUES ('o', 'O') ON CONFLICT DO NOTHING")
    await database.execute(
        """INSERT INTO applications (id, organisation_id, name, generation, region) VALUES ('a', 'o', 'A', 'v3', 'us')
           ON CONFLICT DO NOTHING"""
    )
    at = await database.fetchval(
        """INSERT INTO grants (id, application_id, provider, email, mail_domain, subject, environment, settings,
                               credentials, data_key)
           VALUES ('g', 'a', 'imap', 'ann@example.com', 'example.com', 's', 'dynamic', $1, $2, $3)
           RETURNING created_at""",
        settings,
        keys.seal_credentials("g", Credentials(imap_password="x", caldav_password=password)),
        keys.new_data_key("g"),
    )
    # Not read from the database, whose tables may be those of an earlier revision.
    grant = Grant(
        id="g", application_id="a", generation=Generation.V3, region="us", feature_on=False, provider="imap",
        email="ann@example.com", mail_domain="example.com", subject="s", environment=Kind.DYNAMIC,
        status=GrantStatus.VALID, settings=msgspec.convert(settings, Settings), name="", state="", scope=(),
        user_agent="", ip="", sync_error=None, synced_at=None, created_at=at, updated_at=at,
    )  # fmt: skip
    return grant, keys


async def claim(database: Database, grant: Grant) -> Lease:
    """The lease of the grant's mailbox; whoever had it loses it."""
    holder = Holder(database, timedelta(minutes=5))
    await holder.join()
    async with database.transaction() as tx:
        await offer(tx, LeaseKind.MAILBOX, grant.id, "")
    [lease] = await holder.claim(LeaseKind.MAILBOX, scopes=None, limit=1)
    return lease


def server_of(grant: Grant) -> CalendarServer:
    """Where its calendars are."""
    assert grant.settings.caldav is not None
    return grant.settings.caldav
