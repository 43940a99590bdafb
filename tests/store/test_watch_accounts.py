"""Accounts that a watch connects, over a real database: once, and whoever dies meanwhile."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from mooring.config import Generation
from mooring.diagnosis import (
    Authentication,
    ChangeKind,
    ServerWatch,
    Watches,
    WatchState,
)
from mooring.errors import (
    Conflict,
    LedgerUnavailable,
    MooringError,
    NoSource,
    ProviderFailure,
    SourceBusy,
    SourceUnavailable,
)
from mooring.grants import ConnectRequest, Grants, TooEarly
from mooring.store import StoreUnavailable
from tests.store.diagnosis_house import POOLS, pool
from tests.store.grant_house import PASSWORD, House
from tests.store.watch_house import (
    ADDRESSES,
    HOST,
    Tower,
    account,
    kept,
    tower,
)

__all__ = ["tower"]


async def test_the_account_is_connected_once_all_is_open(tower: Tower) -> None:
    watch = await tower.begin(account())
    assert watch.authentication is Authentication.WANTED
    assert PASSWORD not in await kept(tower.house.db)
    tower.outside.admits = {ADDRESSES[0]}
    await tower.look(3)
    assert tower.house.sessions.asked == []
    tower.outside.admits = set(ADDRESSES)
    await tower.look(2)
    found = await tower.find(watch)
    assert found.authentication is Authentication.DONE
    grant = await tower.house.grants.get(found.grant_id)
    assert (grant.email, grant.state) == ("ann@example.test", "st")
    assert [host for host, _, _ in tower.house.sessions.asked] == [HOST, "smtp.example.test"]
    assert (await tower.told(watch))[-1][1]["grant_id"] == grant.id
    assert found.changes[-1].grant_id == grant.id
    assert await tower.house.db.fetchval("SELECT request IS NULL FROM watches")
    tower.outside.admits = set()
    await tower.look(2)
    tower.outside.admits = set(ADDRESSES)
    await tower.look(3)
    assert len(tower.house.sessions.asked) == 2


async def test_the_account_is_sealed_anew_by_a_new_key_once_and_connected_all_the_same(tower: Tower) -> None:
    watch = await tower.begin(account())
    assert await tower.watches.reseal() == 0
    tower.house.vault.rotate()
    assert [await tower.watches.reseal() for _ in range(2)] == [1, 0]
    tower.outside.admits = set(ADDRESSES)
    await tower.look(3)
    assert (await tower.find(watch)).authentication is Authentication.DONE


async def test_a_refused_login_is_never_shown_again(tower: Tower) -> None:
    watch = await tower.opened(account(imap_password="another-password"))
    found = await tower.find(watch)
    assert (found.authentication, found.grant_id) == (Authentication.REFUSED, "")
    assert "another-password" not in await kept(tower.house.db)
    assert await tower.house.db.fetchval("SELECT request IS NULL FROM watches")
    await tower.look(3)
    assert len(tower.house.sessions.asked) == 1
    told = await tower.told(watch)
    assert (told[-1][0], told[-1][1]["change"]) == ("watch.changed", "not_authenticated")


async def test_what_was_no_refusal_is_tried_again_and_given_up_after_three_times(tower: Tower) -> None:
    tower.house.sessions.filtered = {("v3-us-static", "smtp.example.test")}
    watch = await tower.opened(account())
    found = await tower.find(watch)
    assert (found.authentication, found.due_at is not None) == (Authentication.WANTED, True)
    await tower.look(4)
    found = await tower.find(watch)
    assert found.authentication is Authentication.FAILED
    assert "smtp.example.test" in found.error
    assert [host for host, _, _ in tower.house.sessions.asked] == [HOST, "smtp.example.test"] * 3


class Refusing(Grants):
    """Who connects nobody.

    Attributes:
        errors: raised one after the other; when there are no more, the account is connected.
    """

    def __init__(self, grants: Grants, *errors: MooringError) -> None:
        self._of = grants
        self.errors = list(errors)

    async def connect(self, application: Any, request: ConnectRequest) -> Any:
        if self.errors:
            raise self.errors.pop(0)
        return await self._of.connect(application, request)


async def test_a_password_that_the_calendar_server_refuses_is_shown_once(tower: Tower) -> None:
    refused = ProviderFailure(
        "dav.example.test refused the login.", stage="calendar", reason="authentication", host="dav.example.test",
        port=443, source="203.0.113.10", environment="static", traffic="auth", refused=True,
    )  # fmt: skip
    refusing = Refusing(tower.house.grants, refused)
    watch = await tower.begin(account())
    tower.outside.admits = set(ADDRESSES)
    await tower.look(4, tower.watcher(grants=refusing))
    found = await tower.find(watch)
    assert (found.authentication, found.error) == (Authentication.REFUSED, "dav.example.test refused the login.")


async def test_what_is_our_own_fault_uses_no_try_up(tower: Tower) -> None:
    ours = [
        NoSource("no pool", reason="unknown_pool"), SourceBusy("busy", reason="busy"), StoreUnavailable("away"),
        SourceUnavailable("not on this host", reason="unplumbed"), LedgerUnavailable("away", reason="ledger"),
    ]  # fmt: skip
    watch = await tower.begin(account())
    tower.outside.admits = set(ADDRESSES)
    watcher = tower.watcher(grants=Refusing(tower.house.grants, *ours))
    await tower.look(6, watcher)
    found = await tower.find(watch)
    assert (found.authentication, found.error) == (Authentication.WANTED, "away")
    assert await tower.house.db.fetchval("SELECT tries FROM watches") == 0
    await tower.look(1, watcher)
    found = await tower.find(watch)
    assert (found.authentication, found.error) == (Authentication.DONE, "")


async def test_an_account_that_moves_is_waited_for_as_long_as_it_takes(tower: Tower) -> None:
    watch = await tower.begin(account())
    tower.outside.admits = set(ADDRESSES)
    watcher = tower.watcher(grants=Refusing(tower.house.grants, TooEarly(1800)))
    await tower.look(2, watcher)
    assert (await tower.find(watch)).authentication is Authentication.WANTED
    left = await tower.house.db.fetchval("SELECT due_at - now() FROM watches")
    assert timedelta(minutes=29) < left <= timedelta(seconds=1801)
    await tower.look(1, watcher)
    assert (await tower.find(watch)).authentication is Authentication.DONE


async def test_no_account_is_connected_while_a_name_cannot_be_looked_up(tower: Tower) -> None:
    watch = await tower.begin(account())
    tower.outside.admits = set(ADDRESSES)
    watcher = tower.watcher(grants=Refusing(tower.house.grants, NoSource("no pool", reason="unknown_pool")))
    await tower.look(2, watcher)
    tower.outside.problem = "busy"
    await tower.look(2, watcher)
    found = await tower.find(watch)
    assert (found.standing.state, found.authentication) == (WatchState.OPEN, Authentication.WANTED)
    left = await tower.house.db.fetchval("SELECT due_at - now() FROM watches")
    assert left <= timedelta(minutes=2)
    tower.outside.problem = ""
    await tower.look(1, watcher)
    found = await tower.find(watch)
    assert found.authentication is Authentication.DONE
    assert [c.kind for c in found.changes] == [ChangeKind.OPENED, ChangeKind.AUTHENTICATED]


async def test_who_authenticates_from_dynamic_addresses_cannot_have_it_done_by_a_watch(tower: Tower) -> None:
    house = tower.house
    made = await house.applications.create(name="old", generation=Generation.V2, region="us")
    watches = Watches(house.db, house.vault, (*POOLS, pool("v2-us-static", "203.0.113.30")))
    question = msgspec.structs.replace(tower.diagnosis.question, application_id=made.application.id)
    asked = replace(tower.diagnosis, question=question)
    with pytest.raises(Conflict, match="leave from v2-us-dynamic") as refused:
        await watches.begin(made.application, asked, account())
    assert "static IPs" in refused.value.hint
    assert (await watches.begin(made.application, asked)).environment == "v2-us-static"


async def test_the_password_waits_where_static_addresses_were_switched_off_meanwhile(tower: Tower) -> None:
    watch = await tower.begin(account())
    await tower.house.db.execute("UPDATE applications SET generation = 'v2', static_ips = 'off'")
    tower.outside.admits = set(ADDRESSES)
    await tower.look(6)
    found = await tower.find(watch)
    assert (found.authentication, tower.house.sessions.asked) == (Authentication.WANTED, [])
    assert "leave from v2-us-dynamic" in found.error


class Dying(Grants):
    """Whose process dies while it connects an account."""

    def __init__(self, grants: Grants, *, made: bool, house: House, dialled: str = "") -> None:
        self._of = grants
        self._made = made
        self._dialled = dialled
        self._house = house

    async def connect(self, application: Any, request: ConnectRequest) -> Any:
        if self._made:
            await self._of.connect(application, request)
        if self._dialled:
            await self._house.db.execute(
                """INSERT INTO ledger (at, id, application_id, subject, grant_id, traffic, environment, source,
                                       source_address, via, reason, host, port, remote, outcome)
                   SELECT now(), gen_random_uuid(), application_id, subject, '', $1, 'v3-us-static', 's', '', '',
                          '', '', 993, '', 'intended' FROM watches""",
                self._dialled,
            )
        raise asyncio.CancelledError


async def killed_while_connecting(tower: Tower, dying: Dying, **changes: str) -> ServerWatch:
    watch = await tower.begin(account(**changes))
    tower.outside.admits = set(ADDRESSES)
    await tower.look()
    await tower.due()
    await asyncio.gather(tower.watcher(grants=dying).look_once(), return_exceptions=True)
    assert (await tower.find(watch)).authentication is Authentication.TRYING
    return watch


async def test_killed_after_the_grant_was_made(tower: Tower) -> None:
    watch = await killed_while_connecting(tower, Dying(tower.house.grants, made=True, house=tower.house))
    await tower.look(2)
    found = await tower.find(watch)
    assert found.authentication is Authentication.DONE
    assert found.grant_id == await tower.house.db.fetchval("SELECT id FROM grants")
    assert len(tower.house.sessions.asked) == 2


async def test_killed_before_anything_was_dialled(tower: Tower) -> None:
    watch = await killed_while_connecting(tower, Dying(tower.house.grants, made=False, house=tower.house))
    await tower.look(2)
    assert (await tower.find(watch)).authentication is Authentication.DONE
    assert len(tower.house.sessions.asked) == 2


async def test_killed_while_the_server_was_asked(tower: Tower) -> None:
    dying = Dying(tower.house.grants, made=False, house=tower.house, dialled="auth")
    watch = await killed_while_connecting(tower, dying)
    await tower.look(2)
    found = await tower.find(watch)
    assert found.authentication is Authentication.FAILED
    assert "interrupted" in found.error
    assert tower.house.sessions.asked == []


async def test_killed_after_the_second_grant_of_an_address_was_made(tower: Tower) -> None:
    other, _ = await tower.house.connect()
    dying = Dying(tower.house.grants, made=True, house=tower.house, dialled="auth")
    watch = await killed_while_connecting(tower, dying, imap_username="shared", email="ann@example.test")
    await tower.look(2)
    found = await tower.find(watch)
    assert found.authentication is Authentication.DONE
    grant = await tower.house.grants.get(found.grant_id)
    assert (grant.id != other.id, grant.settings.imap.username) == (True, "shared")


async def test_killed_while_asking_of_a_grant_that_changes_for_other_reasons(tower: Tower) -> None:
    known, _ = await tower.house.connect()
    dying = Dying(tower.house.grants, made=False, house=tower.house, dialled="auth")
    watch = await killed_while_connecting(tower, dying)
    await tower.house.grants.update(tower.house.application, known.id, settings=None, scope=("c",))
    await tower.look(2)
    assert (await tower.find(watch)).authentication is Authentication.FAILED


async def test_killed_before_anything_was_dialled_of_a_grant_that_synchronises(tower: Tower) -> None:
    known, _ = await tower.house.connect()
    dying = Dying(tower.house.grants, made=False, house=tower.house, dialled="sync")
    watch = await killed_while_connecting(tower, dying)
    await tower.look(2)
    found = await tower.find(watch)
    assert (found.authentication, found.grant_id) == (Authentication.DONE, known.id)
