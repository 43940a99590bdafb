"""Applications: keys that cannot be read back, secrets that are sealed, and static addresses on or off."""

import asyncio
import hashlib
from pathlib import Path

import pytest

from mooring.applications import Application, Applications, Changes, StaticIps
from mooring.config import Generation, Kind
from mooring.errors import InvalidRequest, NotFound, Unauthorized
from mooring.store import Database
from mooring.vault import Vault
from tests.waiting import until_async


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault.load(tmp_path / "mooring.keys", create=True)


@pytest.fixture
def applications(database: Database, vault: Vault) -> Applications:
    return Applications(database, vault)


async def everything(database: Database) -> str:
    """All that is stored of applications, as text."""
    rows = [*await database.fetch("SELECT * FROM applications"), *await database.fetch("SELECT * FROM api_keys")]
    return repr([[bytes(v).hex() if isinstance(v, bytes) else v for v in row.values()] for row in rows])


async def test_a_v3_application_is_known_by_its_key_of_which_only_a_hash_is_kept(
    applications: Applications, database: Database
) -> None:
    new = await applications.create(name="app", generation=Generation.V3, region="us")
    assert await applications.by_api_key(new.secret) == new.application
    # 256 random bits in base64 without padding.
    assert len(new.secret) >= 43
    stored = await database.fetchval("SELECT hash FROM api_keys")
    assert stored == hashlib.sha256(new.secret.encode()).digest()
    told = await everything(database)
    assert new.secret not in told
    assert new.secret.encode().hex() not in told
    assert new.secret not in repr(new)


async def test_a_v2_application_is_known_by_its_secret_which_is_sealed(
    applications: Applications, database: Database
) -> None:
    new = await applications.create(name="app", generation=Generation.V2, region="eu")
    client_id = new.application.id
    assert await applications.by_client_secret(client_id, new.secret) == new.application
    assert await database.fetchval("SELECT count(*) FROM api_keys") == 0
    assert new.secret.encode().hex() not in await everything(database)


@pytest.mark.parametrize("secret", ["", "wrong", "\ud800", "a\0b", "x" * 10_000])
async def test_nobody_is_known_by_a_wrong_secret(applications: Applications, secret: str) -> None:
    v2 = (await applications.create(name="app", generation=Generation.V2, region="us")).application
    v3 = (await applications.create(name="app", generation=Generation.V3, region="us")).application
    for client_id in (v2.id, v3.id, "nobody", "", "a\0b", "\ud800"):
        with pytest.raises(Unauthorized) as caught:
            await applications.by_client_secret(client_id, secret)
        assert "wrong" not in f"{caught.value.message} {caught.value.hint}"


async def test_nobody_is_known_by_a_wrong_key_or_by_anothers_kind_of_secret(applications: Applications) -> None:
    v2 = await applications.create(name="app", generation=Generation.V2, region="us")
    v3 = await applications.create(name="app", generation=Generation.V3, region="us")
    for key in ("", "x", v3.secret[:-1], v3.secret + " ", v2.secret, "a\0b"):
        with pytest.raises(Unauthorized):
            await applications.by_api_key(key)
    with pytest.raises(Unauthorized):
        await applications.by_client_secret(v3.application.id, v3.secret)


async def test_a_sealed_secret_belongs_to_its_application(applications: Applications, database: Database) -> None:
    one = await applications.create(name="one", generation=Generation.V2, region="us")
    other = await applications.create(name="other", generation=Generation.V2, region="us")
    await database.execute(
        "UPDATE applications SET client_secret = (SELECT client_secret FROM applications WHERE id = $1) WHERE id = $2",
        one.application.id,
        other.application.id,
    )
    with pytest.raises(Exception, match="belongs somewhere else"):
        await applications.by_client_secret(other.application.id, one.secret)


async def test_secrets_are_sealed_anew_by_a_new_key_once(applications: Applications, vault: Vault) -> None:
    new = [await applications.create(name=str(n), generation=Generation.V2, region="us") for n in range(3)]
    assert await applications.reseal() == 0
    vault.rotate()
    assert [await applications.reseal() for _ in range(2)] == [3, 0]
    for made in new:
        assert await applications.by_client_secret(made.application.id, made.secret) == made.application


async def set_static(applications: Applications, database: Database, application: str, state: StaticIps) -> Application:
    async with database.transaction() as tx:
        return (await applications.change_static_ips(tx, application, lambda _: state, by="operator", note=""))[0]


async def test_static_addresses_are_switched_and_decide_the_placement(
    applications: Applications, database: Database
) -> None:
    made = (await applications.create(name="app", generation=Generation.V3, region="eu")).application
    assert (made.static_ips, made.feature_on, made.placement) == (StaticIps.OFF, False, Kind.DYNAMIC)
    for state, on in ((StaticIps.REQUESTED, False), (StaticIps.ON, True), (StaticIps.DENIED, False)):
        changed = await set_static(applications, database, made.id, state)
        assert (changed.static_ips, changed.feature_on) == (state, on)
        assert changed.placement is (Kind.STATIC if on else Kind.DYNAMIC)
        assert await applications.get(made.id) == changed
    assert str(made.environment(Kind.STATIC)) == "v3-eu-static"


async def test_when_the_state_changed_is_kept_when_it_is_set_again(
    applications: Applications, database: Database
) -> None:
    made = (await applications.create(name="app", generation=Generation.V3, region="us")).application

    async def changed_at() -> object:
        return await database.fetchval("SELECT static_ips_changed_at FROM applications")

    await set_static(applications, database, made.id, StaticIps.ON)
    first = await changed_at()
    await set_static(applications, database, made.id, StaticIps.ON)
    assert await changed_at() == first
    await set_static(applications, database, made.id, StaticIps.OFF)
    assert await changed_at() != first


async def test_a_switch_is_undone_with_its_transaction(applications: Applications, database: Database) -> None:
    made = (await applications.create(name="app", generation=Generation.V3, region="us")).application
    with pytest.raises(RuntimeError, match="changed"):  # noqa: PT012 (the block is the transaction)
        async with database.transaction() as tx:
            await applications.change_static_ips(tx, made.id, lambda _: StaticIps.ON, by="operator", note="")
            raise RuntimeError("changed my mind")
    assert await applications.get(made.id) == made


async def test_what_is_held_is_not_switched_until_the_holder_is_done(
    applications: Applications, database: Database
) -> None:
    made = (await applications.create(name="app", generation=Generation.V3, region="us")).application
    async with database.transaction() as tx:
        assert await applications.hold(tx, made.id) == made
        switch = asyncio.create_task(set_static(applications, database, made.id, StaticIps.ON))
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        await until_async(lambda: database.fetchval(waiting), what="the switch waits for the holder")
        assert not switch.done()
    assert (await switch).feature_on


async def test_there_is_nothing_to_switch_or_get_where_there_is_no_application(
    applications: Applications, database: Database
) -> None:
    with pytest.raises(NotFound):
        await applications.get("nobody")
    with pytest.raises(NotFound):
        async with database.transaction() as tx:
            await applications.hold(tx, "nobody")
    with pytest.raises(NotFound):
        await set_static(applications, database, "nobody", StaticIps.ON)


async def test_applications_are_listed_oldest_first(applications: Applications) -> None:
    made = [
        (await applications.create(name=name, generation=Generation.V3, region="us", static_ips=state)).application
        for name, state in (("b", StaticIps.OFF), ("a", StaticIps.ON))
    ]
    assert await applications.every() == made
    assert made[1].feature_on


@pytest.mark.parametrize("region", ["", "US", "u s", "../x", "eu-west"])
async def test_a_region_that_no_pool_can_have_is_refused(applications: Applications, region: str) -> None:
    with pytest.raises(InvalidRequest, match="region"):
        await applications.create(name="app", generation=Generation.V3, region=region)
    assert await applications.every() == []


async def test_an_application_has_a_name(applications: Applications) -> None:
    with pytest.raises(InvalidRequest, match="name"):
        await applications.create(name=" ", generation=Generation.V3, region="us")


async def test_an_application_says_what_it_is_called_and_where_it_may_be_led_back_to(
    applications: Applications,
) -> None:
    made = (await applications.create(name="app", generation=Generation.V2, region="us")).application
    assert (made.icon_url, made.redirect_uris) == ("", ())
    uris = ("https://app.example/back?a=1,2", "http://localhost:3000", "com.example.app:/back", "myapp://back")
    changed = await applications.change(made.id, Changes(redirect_uris=(*uris, uris[0])))
    assert (changed.name, changed.redirect_uris) == ("app", uris)
    renamed = await applications.change(made.id, Changes(name="other", icon_url="https://app.example/i.png"))
    assert (renamed.name, renamed.icon_url, renamed.redirect_uris) == ("other", "https://app.example/i.png", uris)
    assert await applications.change(made.id, Changes(redirect_uris=())) == await applications.get(made.id)
    assert (await applications.get(made.id)).redirect_uris == ()
    with pytest.raises(NotFound):
        await applications.change("nobody", Changes(name="x"))


@pytest.mark.parametrize(
    "changes",
    [
        Changes(name=" "),
        Changes(icon_url="javascript:alert(1)"),
        Changes(icon_url="https://"),
        *(
            Changes(redirect_uris=(uri,))
            for uri in (
                "", "app.example/back", "/back", "https://", "javascript://x/%0aalert(1)", "data:text/html,x",
                "https://app.example/#fragment", "https://app.example/a b", "https://a.example;b/", "https://a,b/",
                "https://[/", "https://app.example/\u00fc", "https://app.example/" + "x" * 2000, "app:/back",
            )
        ),
    ],
)  # fmt: skip
async def test_nobody_can_be_led_there(applications: Applications, changes: Changes) -> None:
    made = (await applications.create(name="app", generation=Generation.V2, region="us")).application
    with pytest.raises(InvalidRequest):
        await applications.change(made.id, changes)
    assert await applications.get(made.id) == made
