"""Tokens, codes and sealed secrets of grants."""

import asyncio
import time
from pathlib import Path

import pytest

from mooring.config import Generation
from mooring.errors import InvalidRequest, NotFound, Unauthorized
from mooring.grants import Credentials, Grant, Keys
from mooring.store import Database
from mooring.vault import VaultError
from tests.store.grant_house import PASSWORD, House, open_house


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> House:
    return await open_house(database, tmp_path)


async def test_tokens_open_their_grant(house: House) -> None:
    grant, _ = await house.connect()
    tokens = [await house.tokens.issue(grant) for _ in range(2)]
    for token in tokens:
        assert (await house.tokens.grant_of(token)).id == grant.id
        assert token not in str(await house.row())
    for token in ("", "nonsense", tokens[0] + "x"):
        with pytest.raises(Unauthorized):
            await house.tokens.grant_of(token)


async def test_tokens_are_revoked_one_by_one_and_all_but_one(house: House) -> None:
    grant, _ = await house.connect()
    other, _ = await house.connect(email="bob@example.test")
    one, two, three = [await house.tokens.issue(grant) for _ in range(3)]
    others = await house.tokens.issue(other)
    assert abs((await house.tokens.issued_at(grant, one)).timestamp() - time.time()) < 60
    with pytest.raises(NotFound):
        await house.tokens.issued_at(grant, others)
    await house.tokens.revoke(one)
    with pytest.raises(Unauthorized):
        await house.tokens.grant_of(one)
    with pytest.raises(InvalidRequest, match="no access token of this account"):
        await house.tokens.revoke_all(grant, keep=others)
    assert (await house.tokens.grant_of(two)).id == grant.id
    await house.tokens.revoke_all(grant, keep=three)
    assert (await house.tokens.grant_of(three)).id == grant.id
    with pytest.raises(NotFound):
        await house.tokens.issued_at(grant, two)
    await house.tokens.revoke_all(grant, keep=None)
    with pytest.raises(Unauthorized):
        await house.tokens.grant_of(three)
    assert (await house.tokens.grant_of(others)).id == other.id


async def test_a_code_is_good_once_and_for_its_application(house: House) -> None:
    grant, _ = await house.connect()
    other = (await house.applications.create(name="B", generation=Generation.V2, region="us")).application
    code = await house.tokens.issue_code(grant)
    with pytest.raises(Unauthorized):
        await house.tokens.redeem_code(other, code)
    found = await asyncio.gather(
        *(house.tokens.redeem_code(house.application, code) for _ in range(5)), return_exceptions=True
    )
    assert [g.id for g in found if isinstance(g, Grant)] == [grant.id]
    assert sum(isinstance(g, Unauthorized) for g in found) == 4


async def test_a_code_expires(house: House) -> None:
    grant, _ = await house.connect()
    code = await house.tokens.issue_code(grant)
    left = await house.db.fetchval("SELECT extract(epoch FROM expires_at - now()) FROM authorization_codes")
    assert 590 < left <= 600
    await house.db.execute("UPDATE authorization_codes SET expires_at = now()")
    with pytest.raises(Unauthorized):
        await house.tokens.redeem_code(house.application, code)


async def test_everything_is_sealed_anew_after_a_rotation(house: House) -> None:
    grants = [(await house.connect(email=f"ann{n}@example.test"))[0] for n in range(3)]
    assert await house.keys.reseal() == 0
    plain = b"body"
    sealed = (await house.keys.data_key(grants[0])).encrypt(plain, b"")
    house.vault.rotate()
    assert await house.keys.reseal() == 3
    assert await house.keys.reseal() == 0
    rows = await house.db.fetch("SELECT credentials, data_key FROM grants")
    assert not any(house.vault.needs_reseal(value) for row in rows for value in row)
    fresh = Keys(house.db, house.vault)
    assert await fresh.credentials(grants[1]) == Credentials(PASSWORD, PASSWORD)
    assert (await fresh.data_key(grants[0])).decrypt(sealed, b"") == plain


async def test_secrets_of_one_grant_open_nothing_of_another(house: House) -> None:
    one, other = [(await house.connect(email=f"ann{n}@example.test"))[0] for n in range(2)]
    await house.db.execute(
        "UPDATE grants g SET credentials = o.credentials FROM grants o WHERE g.id = $1 AND o.id = $2", one.id, other.id
    )
    with pytest.raises(VaultError) as caught:
        await house.keys.credentials(one)
    assert PASSWORD not in repr(caught.value)
    assert PASSWORD not in repr(one)
