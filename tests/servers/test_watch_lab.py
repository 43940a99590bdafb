"""A watch of real servers behind a real firewall: the rule goes live, the account is connected, the rule disappears."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from mooring.clock import SystemClock
from mooring.config import ControlTarget
from mooring.diagnosis import (
    Ask,
    Authenticating,
    Authentication,
    ChangeKind,
    Observation,
    Question,
    Rhythm,
    ServerWatch,
    Service,
    Vantage,
    Watcher,
    Watches,
    WatchState,
)
from mooring.diagnosis.types import Probe
from mooring.egress import Ledger
from mooring.egress.types import Timeouts
from mooring.grants import ConnectRequest, Grants, Sessions, parse_settings
from mooring.net.tls import client_context
from mooring.store import Database
from tests.lab import DYNAMIC, STATIC, STATIC6, Firewall, Laboratory, User, Verdict
from tests.postgres import database, database_url, migrated_template, postgres_server
from tests.probing import Probing
from tests.store.diagnosis_house import POOLS, process_of
from tests.store.grant_house import House, open_house
from tests.waiting import until_async

__all__ = ["database", "database_url", "migrated_template", "postgres_server"]

HOST = "dual.lab.test"
OURS = (*STATIC, *STATIC6)
MAIL = (993, 465)


class Unlimited:
    """A budget that lets everything leave: a test looks every second."""

    async def reserve(self, question: Question, probes: Sequence[Probe]) -> tuple[list[Probe], list[Observation]]:
        return list(probes), []

    async def remember(self, question: Question, observation: Observation) -> None:
        pass


@dataclass
class Tower:
    """Whoever watches, from the laboratory's addresses."""

    house: House
    watches: Watches
    watcher: Watcher

    async def begin(self, request: ConnectRequest | None = None) -> ServerWatch:
        ask = Ask(host=HOST, services=(Service.IMAP, Service.SMTP))
        diagnosis = await process_of(self.house).diagnoses.ask(self.house.application, ask)
        return await self.watches.begin(self.house.application, diagnosis, request)

    @asynccontextmanager
    async def watching(self) -> AsyncGenerator[None]:
        task = asyncio.create_task(self.watcher.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def find(self, watch: ServerWatch) -> ServerWatch:
        return await self.watches.find(self.house.application, watch.id)

    async def until(self, watch: ServerWatch, so: Callable[[ServerWatch], bool], what: str) -> ServerWatch:
        """The watch, once it is so."""

        async def is_so() -> ServerWatch | None:
            found = await self.find(watch)
            return found if so(found) else None

        found = await until_async(is_so, timeout_s=60, what=what)
        assert found is not None
        return found

    async def until_looked_again(self, times: int) -> None:
        """Return once so many more looks have begun."""
        looks = await self.house.db.fetchval("SELECT look FROM watches")

        async def has_looked_again() -> bool:
            return await self.house.db.fetchval("SELECT look FROM watches") >= looks + times

        await until_async(has_looked_again, timeout_s=90, what=f"{times} more looks")

    async def until_looked(self, watch: ServerWatch) -> None:
        """Return once every door has been looked at."""

        async def was_looked_at() -> bool:
            doors = (await self.find(watch)).standing.doors
            return len(doors) == 8 and all(door.looked_at for door in doors)

        await until_async(was_looked_at, timeout_s=60, what="every door was looked at")


@pytest.fixture(scope="session")
def ann(lab: Laboratory) -> User:
    assert lab.postfix
    return lab.user("ann-watched")


@pytest.fixture
async def tower(
    lab: Laboratory, ann: User, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[Tower]:
    monkeypatch.setenv("SSL_CERT_FILE", str(lab.trust))
    client_context.cache_clear()
    clock = SystemClock()
    ledger = Ledger(database, clock, timedelta(days=1))
    pools = {Vantage.STATIC: OURS, Vantage.DYNAMIC: DYNAMIC}
    probing = Probing(database, ledger, pools, targets=[ControlTarget(HOST, 143)], timeouts=Timeouts(connect_s=3.0))
    house = await open_house(database, tmp_path)
    grants = Grants(
        database, house.objects, house.keys, Sessions(probing.dialer), house.applications, house.placements, clock
    )
    connecting = Authenticating(database, house.vault, house.applications, grants, ledger)
    exits = tuple(dict.fromkeys(probing.exits.values()))
    watcher = Watcher(
        database, probing.prober, Unlimited(), lambda _: exits, connecting,
        Rhythm(timedelta(seconds=1), timedelta(seconds=1)), environments=["v3-us-static"], spread_s=0.2,
    )  # fmt: skip
    yield Tower(house, Watches(database, house.vault, POOLS), watcher)
    await ledger.aclose()
    client_context.cache_clear()


def account(ann: User, password: str | None = None) -> ConnectRequest:
    email, settings, credentials = parse_settings(
        {
            "imap_host": HOST, "imap_username": ann.address, "imap_password": password or ann.password,
            "smtp_host": HOST, "email": ann.address,
        }
    )  # fmt: skip
    return ConnectRequest("imap", email, settings, credentials)


async def test_the_rule_goes_live_for_a_part_for_all_and_disappears(
    tower: Tower, firewall: Firewall, ann: User
) -> None:
    firewall.drop(OURS, MAIL)
    watch = await tower.begin(account(ann))
    async with tower.watching():
        await tower.until_looked(watch)
        assert (await tower.find(watch)).changes == ()
        firewall.admit(OURS[:3], MAIL)
        found = await tower.until(watch, lambda w: set(w.standing.open_addresses) == set(OURS[:3]), "three are open")
        assert (found.standing.state, found.authentication) == (WatchState.WAITING, Authentication.WANTED)
        assert {a for c in found.changes for a in c.addresses} == set(OURS[:3])
        so_far = len(found.changes)
        firewall.admit(OURS, MAIL)
        found = await tower.until(watch, lambda w: w.authentication is Authentication.DONE, "the account is connected")
        opened, authenticated = found.changes[so_far:]
        assert (opened.kind, opened.addresses, opened.open, opened.total) == (ChangeKind.OPENED, OURS[3:], 4, 4)
        assert authenticated.kind is ChangeKind.AUTHENTICATED
        grant = await tower.house.grants.get(found.grant_id)
        assert (grant.email, grant.settings.imap.host) == (ann.address, HOST)
        firewall.drop([STATIC[1]], MAIL)
        found = await tower.until(watch, lambda w: w.changes[-1].kind is ChangeKind.CLOSED, "the rule is missed")
        closed = found.changes[-1]
        assert (closed.addresses, closed.open) == ((STATIC[1],), 3)
        assert closed.at > opened.at
    assert firewall.sources() <= set(OURS)


async def test_a_refused_login_is_shown_once(tower: Tower, firewall: Firewall, ann: User) -> None:
    watch = await tower.begin(account(ann, password="not-the-password"))
    async with tower.watching():
        await tower.until(watch, lambda w: w.authentication is Authentication.REFUSED, "the login was refused")
        await tower.until_looked_again(3)
    assert await tower.house.db.fetchval("SELECT count(*) FROM ledger WHERE traffic = 'auth'") == 1


@pytest.mark.parametrize("how", [Verdict.DROP, Verdict.RESET])
async def test_nothing_is_closed_while_our_own_exit_gets_nowhere(
    tower: Tower, firewall: Firewall, how: Verdict
) -> None:
    watch = await tower.begin()
    async with tower.watching():
        await tower.until(watch, lambda w: w.standing.state is WatchState.OPEN, "all are open")
        firewall.reject([STATIC[0]], how=how)
        await tower.until_looked_again(4)
        found = await tower.find(watch)
    assert found.standing.state is WatchState.OPEN
    assert all(door.is_open for door in found.standing.doors)
