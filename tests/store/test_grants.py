"""The life of a grant: nothing before every server has agreed, and one grant for one account."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from mooring.applications import StaticIps
from mooring.config import Generation, Kind
from mooring.errors import Conflict, InvalidRequest, NotFound, ProviderFailure, Unauthorized
from mooring.grants import (
    ConnectRequest,
    Credentials,
    GrantQuery,
    GrantStatus,
    Server,
    Settings,
    TlsMode,
    parse_settings,
)
from mooring.store import Database
from tests.store.grant_house import ANN, PASSWORD, House, open_house


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> House:
    return await open_house(database, tmp_path)


async def test_connecting(house: House) -> None:
    grant, created = await house.connect(name="Ann")
    assert created
    assert (grant.email, grant.mail_domain, grant.status) == ("ann@example.test", "example.test", GrantStatus.VALID)
    assert grant.settings == Settings(
        imap=Server("imap.example.test", 993, "ann@example.test", TlsMode.IMPLICIT),
        smtp=Server("smtp.example.test", 465, "ann@example.test", TlsMode.STARTTLS),
    )
    assert (grant.environment, grant.name, grant.state, grant.scope, grant.ip) == (
        Kind.DYNAMIC, "Ann", "st", ("a", "b"), "::1",
    )  # fmt: skip
    assert {environment for _, _, environment in house.sessions.asked} == {"v3-us-static"}
    assert (await house.lease(grant))[0] == "v3-us-dynamic"
    assert await house.facts() == ["grant.created"]
    assert await house.keys.credentials(grant) == Credentials(PASSWORD, PASSWORD)
    assert PASSWORD not in str(await house.row())


async def test_authenticating_again_keeps_the_id_and_takes_the_mailbox_from_its_holder(house: House) -> None:
    grant, _ = await house.connect()
    await house.db.execute("UPDATE grants SET status = 'invalid', sync_error = '{}'")
    scope, generation = await house.lease(grant)
    house.sessions.known = dict.fromkeys(house.sessions.known, "new")
    again, created = await house.connect(imap_password="new", name="Anna")
    assert (again.id, created, again.name, again.status, again.sync_error) == (grant.id, False, "Anna", "valid", None)
    assert await house.keys.credentials(again) == Credentials("new", "new")
    assert await house.lease(grant) == (scope, generation + 1)
    assert await house.facts() == ["grant.created", "grant.updated"]


@pytest.mark.parametrize("host", ["imap.example.test", "smtp.example.test"])
async def test_a_failed_authentication_makes_and_changes_nothing(house: House, host: str) -> None:
    right = house.sessions.known.pop(host)
    nothing = await house.row()
    with pytest.raises(ProviderFailure) as caught:
        await house.connect()
    assert (caught.value.stage, caught.value.host, caught.value.server_said) == ("login", host, "NO not with ***")
    assert await house.row() == nothing

    house.sessions.known[host] = right
    grant, _ = await house.connect()
    house.sessions.known[host] = "another"
    before = await house.row()
    for attempt in (
        house.connect(name="other"),
        house.grants.update(house.application, grant.id, settings={"smtp_port": 587}, scope=("other",)),
    ):
        with pytest.raises(ProviderFailure):
            await attempt
    assert await house.row() == before


async def test_another_host_is_another_grant(house: House) -> None:
    mine, _ = await house.connect()
    house.sessions.known["imap.evil.test"] = "theirs"
    theirs, created = await house.connect(imap_host="imap.evil.test", imap_password="theirs", smtp_host="")
    assert created
    assert theirs.id != mine.id
    assert theirs.email == mine.email
    assert (await house.grants.find(house.application, "ann@example.test")).id == mine.id


@pytest.mark.parametrize("hosts", [("192.0.2.1", "198.51.2.1"), ("2001:db8::1", "2001:db8::2")])
async def test_another_address_of_a_host_is_another_grant(house: House, hosts: tuple[str, str]) -> None:
    house.sessions.known |= dict.fromkeys(hosts, PASSWORD)
    ids = {(await house.connect(imap_host=host, smtp_host=""))[0].id for host in hosts}
    assert len(ids) == 2


async def test_somebody_elses_login_on_a_shared_host_is_another_grant(house: House) -> None:
    mine, _ = await house.connect()
    theirs, is_new = await house.connect(email="ann@example.test", imap_username="eve@example.test")
    assert is_new
    assert theirs.id != mine.id
    assert (await house.grants.get(mine.id)).settings.imap.username == "ann@example.test"
    again, is_new = await house.connect(email="ann@example.test", imap_username="eve@example.test")
    assert (again.id, is_new) == (theirs.id, False)
    assert (await house.grants.find(house.application, "ann@example.test")).id == mine.id
    with pytest.raises(Conflict, match="is not the login of ann@"):
        await house.grants.update(house.application, mine.id, settings={"imap_username": "eve@example.test"})


async def test_the_owner_comes_first_even_after_somebody_else(house: House) -> None:
    theirs, _ = await house.connect(email="ann@example.test", imap_username="eve@example.test")
    mine, is_new = await house.connect()
    assert is_new
    assert mine.id != theirs.id
    assert (await house.grants.find(house.application, "ann@example.test")).id == mine.id


async def test_another_host_of_the_same_domain_is_the_same_grant(house: House) -> None:
    mine, _ = await house.connect()
    house.sessions.known["mx.example.test"] = PASSWORD
    again, created = await house.connect(imap_host="mx.example.test")
    assert (again.id, created, again.settings.imap.host) == (mine.id, False, "mx.example.test")


async def test_another_application_has_a_grant_of_its_own(house: House) -> None:
    mine, _ = await house.connect()
    other = (await house.applications.create(name="B", generation=Generation.V3, region="us")).application
    theirs, created = await house.connect(application=other)
    assert created
    assert theirs.id != mine.id
    for identifier in (mine.id, f"grant:{mine.id}"):
        with pytest.raises(NotFound):
            await house.grants.find(other, identifier)
    assert (await house.grants.find(other, mine.email)).id == theirs.id
    with pytest.raises(NotFound):
        await house.grants.delete(other, mine.id)


async def test_connecting_twice_at_once_makes_one_grant(house: House) -> None:
    found = await asyncio.gather(*(house.connect(name=f"n{n}") for n in range(6)))
    assert len({grant.id for grant, _ in found}) == 1
    assert sorted(created for _, created in found) == [False] * 5 + [True]
    assert sorted(await house.facts()) == ["grant.created"] + ["grant.updated"] * 5


async def test_only_imap_is_connected(house: House) -> None:
    _, settings, credentials = parse_settings(ANN)
    with pytest.raises(InvalidRequest, match="google"):
        await house.grants.connect(house.application, ConnectRequest("google", "a@x", settings, credentials))
    assert house.sessions.asked == []


async def test_finding(house: House) -> None:
    grant, _ = await house.connect()
    for identifier in (grant.id, f"grant:{grant.id}", "ann@example.test", "ANN@Example.TEST", "email:Ann@example.test"):
        assert (await house.grants.find(house.application, identifier)).id == grant.id
    for identifier in ("", "nobody", "grant:", "email:", "bob@example.test", f"email:{grant.id}", "other:x"):
        with pytest.raises(NotFound):
            await house.grants.find(house.application, identifier)
    assert await house.grants.get(grant.id) == grant


async def test_an_address_means_the_oldest_valid_grant(house: House) -> None:
    house.sessions.known |= {"a.one.test": PASSWORD, "a.two.test": PASSWORD}
    first, second, third = [
        (await house.connect(imap_host=host, smtp_host=""))[0]
        for host in ("imap.example.test", "a.one.test", "a.two.test")
    ]
    for grant in (first, second, third):
        assert (await house.grants.find(house.application, grant.email)).id == grant.id
        await house.db.execute("UPDATE grants SET status = 'invalid' WHERE id = $1", grant.id)
    assert (await house.grants.find(house.application, first.email)).id == first.id


async def test_listing(house: House) -> None:
    for number in range(5):
        await house.connect(email=f"ann{number}@example.test")
    await house.db.execute("UPDATE grants SET created_at = to_timestamp(1000 + substr(email, 4, 1)::int)")
    await house.db.execute("UPDATE grants SET updated_at = to_timestamp(2000 - substr(email, 4, 1)::int)")
    await house.db.execute("UPDATE grants SET status = 'invalid' WHERE email LIKE 'ann3%'")

    async def listed(**query: Any) -> str:
        return "".join(g.email[3] for g in await house.grants.list(house.application, GrantQuery(**query)))

    assert await listed() == "43210"
    assert await listed(descending=False) == "01234"
    assert await listed(sort_by="updated_at") == "01234"
    assert await listed(limit=2, offset=1) == "32"
    assert await listed(offset=9) == ""
    assert await listed(email="ANN2@example.test") == "2"
    assert await listed(status="invalid") == "3"
    assert await listed(provider="imap", since=1002) == "432"
    assert await listed(before=1002) == "10"
    assert await listed(provider="google") == ""
    with pytest.raises(InvalidRequest, match="sort_by"):
        await listed(sort_by="email; DROP TABLE grants")
    other = (await house.applications.create(name="B", generation=Generation.V3, region="us")).application
    assert await house.grants.list(other, GrantQuery()) == []


async def test_a_partial_update(house: House) -> None:
    grant, _ = await house.connect()
    before = await house.lease(grant)
    changed = await house.grants.update(house.application, grant.email, settings=None, scope=("only",))
    assert (changed.scope, changed.settings) == (("only",), grant.settings)
    assert await house.lease(grant) == before

    house.sessions.known = dict.fromkeys(house.sessions.known, "new")
    changed = await house.grants.update(house.application, grant.id, settings={"imap_password": "new"})
    assert await house.keys.credentials(changed) == Credentials("new", "new")
    assert (changed.scope, changed.settings, changed.email) == (("only",), grant.settings, grant.email)
    assert await house.lease(grant) == (before[0], before[1] + 1)
    assert {environment for _, _, environment in house.sessions.asked} == {"v3-us-static"}


async def test_an_update_does_not_make_another_account(house: House) -> None:
    grant, _ = await house.connect()
    house.sessions.known["imap.evil.test"] = PASSWORD
    before, asked = await house.row(), len(house.sessions.asked)
    with pytest.raises(Conflict):
        await house.grants.update(house.application, grant.id, settings={"imap_host": "imap.evil.test"})
    with pytest.raises(InvalidRequest):
        await house.grants.update(house.application, grant.id, settings={"imap_port": "many"})
    assert await house.row() == before
    assert len(house.sessions.asked) == asked


@pytest.mark.parametrize(
    "changes",
    [
        {"smtp_host": "smtp.evil.test"},
        {"smtp_host": "192.0.2.66"},
        {"smtp_host": "smtp.evil.test", "imap_password": PASSWORD},
        {"caldav_url": "https://dav.evil.test/"},
        {"caldav_host": "evil.test"},
    ],
)
async def test_a_stored_password_is_not_sent_to_another_domain(house: House, changes: dict[str, Any]) -> None:
    grant, _ = await house.connect()
    before, asked = await house.row(), len(house.sessions.asked)
    with pytest.raises(InvalidRequest, match="_password is missing"):
        await house.grants.update(house.application, grant.id, settings=changes)
    assert await house.row() == before
    assert len(house.sessions.asked) == asked


async def test_who_knows_the_password_may_name_any_server(house: House) -> None:
    grant, _ = await house.connect()
    house.sessions.known |= {"smtp.relay.test": "relayed", "out.relay.test": "relayed", "mx.example.test": PASSWORD}
    for changes in (
        {"smtp_host": "smtp.relay.test", "smtp_password": "relayed"},
        {"smtp_host": "out.relay.test"},
        {"smtp_host": "mx.example.test", "smtp_password": PASSWORD},
    ):
        changed = await house.grants.update(house.application, grant.id, settings=changes)
        assert changed.settings.smtp is not None
        assert changed.settings.smtp.host == changes["smtp_host"]


async def test_deleting_erases(house: House) -> None:
    grant, _ = await house.connect()
    token, code = await house.tokens.issue(grant), await house.tokens.issue_code(grant)
    await house.objects.put(f"grants/{grant.id}/pack", b"sealed")
    await house.objects.put("grants/other/pack", b"somebody else's")
    await house.grants.delete(house.application, grant.email)
    assert [info.key async for info in house.objects.list("grants")] == ["grants/other/pack"]
    assert await house.db.fetchval("SELECT count(*) FROM leases") == 0
    assert await house.facts() == ["grant.created", "grant.deleted"]
    with pytest.raises(NotFound):
        await house.keys.credentials(grant)
    with pytest.raises(Unauthorized):
        await house.tokens.grant_of(token)
    with pytest.raises(Unauthorized):
        await house.tokens.redeem_code(house.application, code)
    with pytest.raises(NotFound):
        await house.grants.delete(house.application, grant.id)
    again, created = await house.connect()
    assert created
    assert again.id != grant.id


async def test_a_grant_that_is_deleted_while_it_is_verified_leaves_nothing(house: House) -> None:
    grant, _ = await house.connect()
    work = house.grants.update(house.application, grant.id, settings={"smtp_port": 587})
    async with house.during(work) as updating:
        await house.grants.delete(house.application, grant.id)
    with pytest.raises(NotFound):
        await updating
    assert await house.db.fetchval("SELECT count(*) FROM leases") == 0
    assert await house.facts() == ["grant.created", "grant.deleted"]


async def test_switching_moves_the_accounts_of_the_application_alone(house: House) -> None:
    grants = [(await house.connect(email=f"ann{n}@example.test"))[0] for n in range(3)]
    other = (await house.applications.create(name="B", generation=Generation.V3, region="us")).application
    alone, _ = await house.connect(application=other)
    before = {grant.id: await house.lease(grant) for grant in [*grants, alone]}
    application, moved = await house.switch(StaticIps.ON)
    assert (application.feature_on, moved) == (True, 3)
    assert {(await house.grants.get(grant.id)).environment for grant in grants} == {Kind.DYNAMIC}
    assert (await house.switch(StaticIps.ON))[1] == 0
    async with house.moving():
        pass
    for grant in grants:
        assert (await house.grants.get(grant.id)).environment is Kind.STATIC
        scope, generation = await house.lease(grant)
        assert (scope, generation > before[grant.id][1]) == ("v3-us-static", True)
    assert (await house.lease(alone))[0] == "v3-us-dynamic"
    assert (await house.switch(StaticIps.OFF))[1] == 3
    async with house.moving():
        pass
    assert {(await house.lease(grant))[0] for grant in grants} == {"v3-us-dynamic"}
    with pytest.raises(NotFound):
        await house.feature.decide("nobody", StaticIps.ON, by="operator")


@pytest.mark.parametrize("is_known", [False, True])
async def test_a_switch_while_servers_are_verified_is_not_missed(house: House, is_known: bool) -> None:
    if is_known:
        await house.connect()
    async with house.during(house.connect()) as connecting:
        await house.switch(StaticIps.ON)
    grant, _ = await connecting
    assert grant.environment is Kind.STATIC
    assert (await house.lease(grant))[0] == "v3-us-static"
    async with house.during(house.grants.update(await house.application_now(), grant.id, settings={})) as updating:
        await house.switch(StaticIps.OFF)
    assert (await updating).environment is Kind.STATIC
    async with house.moving():
        pass
    assert (await house.lease(grant))[0] == "v3-us-dynamic"
