"""Who signs in to the dashboard: hashed passwords, sessions that end, names that are one person's."""

import asyncio
import hashlib
from datetime import timedelta
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from mooring.clock import SystemClock
from mooring.errors import Conflict, InvalidRequest, NotFound, Unauthorized
from mooring.operators import (
    SESSION_LIFE,
    Operators,
    Passwords,
    Role,
    TooManyAttempts,
    WrongPassword,
    any_operator,
    forget_sessions,
)
from mooring.store import Database
from tests.store.grant_house import House, open_house

PASSWORD = "nine grey herons"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> House:
    return await open_house(database, tmp_path)


@pytest.fixture
def operators(house: House) -> Operators:
    return Operators(house.db, house.applications, SystemClock(), Passwords(CHEAP))


async def sign_in(operators: Operators, name: str = "olga", password: str = PASSWORD) -> str:
    return await operators.sign_in(name, password, address="192.0.2.1")


async def test_somebody_signs_in_and_out(operators: Operators, house: House) -> None:
    assert not await any_operator(house.db)
    made = await operators.create(name=" Olga@Operator.test ", password=PASSWORD)
    assert (made.name, made.role, made.application_id) == ("Olga@Operator.test", Role.OPERATOR, None)
    assert await any_operator(house.db)
    token = await sign_in(operators, "olga@operator.TEST")
    assert await operators.by_session(token) == made
    other = await sign_in(operators, made.name)
    await operators.sign_out(token)
    with pytest.raises(Unauthorized):
        await operators.by_session(token)
    assert await operators.by_session(other) == made


async def test_neither_a_password_nor_a_session_can_be_read_from_the_database(
    operators: Operators, house: House
) -> None:
    await operators.create(name="olga", password=PASSWORD)
    token = await sign_in(operators)
    # 256 random bits in base64 without padding.
    assert len(token) >= 43
    stored = await house.db.fetchrow("SELECT * FROM operator_sessions")
    assert stored is not None
    assert stored["hash"] == hashlib.sha256(token.encode()).digest()
    password = await house.db.fetchval("SELECT password FROM operators")
    assert password.startswith("$argon2id$")
    assert PASSWORD not in password


async def test_an_administrator_belongs_to_one_application_and_goes_with_it(operators: Operators, house: House) -> None:
    made = await operators.create(name="adam", password=PASSWORD, application_id=house.application.id)
    assert (made.role, made.application_id) == (Role.ADMIN, house.application.id)
    token = await sign_in(operators, "adam")
    await house.db.execute("DELETE FROM applications")
    with pytest.raises(Unauthorized):
        await operators.by_session(token)
    with pytest.raises(NotFound):
        await operators.create(name="eve", password=PASSWORD, application_id="nobody")


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("olga", "nine grey heron"),
        ("olga", ""),
        ("nobody", PASSWORD),
        ("", PASSWORD),
        ("a\0b", PASSWORD),
        ("\ud800", ""),
    ],
)
async def test_nobody_is_told_whether_the_name_or_the_password_is_wrong(
    operators: Operators, name: str, password: str
) -> None:
    await operators.create(name="olga", password=PASSWORD)
    with pytest.raises(WrongPassword) as caught:
        await sign_in(operators, name, password)
    assert (caught.value.message, caught.value.hint) == (
        "Nobody has this name and this password.", "Check both, and try again.",
    )  # fmt: skip


async def test_who_guesses_is_no_longer_heard(operators: Operators) -> None:
    await operators.create(name="olga", password=PASSWORD)
    for name in ("OLGA", "olga ", "olga", "Olga", "olgA"):
        with pytest.raises(WrongPassword):
            await sign_in(operators, name, "wrong")
    with pytest.raises(TooManyAttempts):
        await sign_in(operators)
    assert await operators.sign_in("olga", PASSWORD, address="198.51.100.1")


async def test_a_name_is_one_persons(operators: Operators) -> None:
    await operators.create(name="olga", password=PASSWORD)
    with pytest.raises(Conflict):
        await operators.create(name="OLGA", password=PASSWORD)
    made = await asyncio.gather(
        *(operators.create(name="eve", password=PASSWORD) for _ in range(5)), return_exceptions=True
    )
    assert sum(isinstance(one, Conflict) for one in made) == 4
    assert [operator.name for operator in await operators.every()] == ["olga", "eve"]


@pytest.mark.parametrize(
    ("name", "password"), [("", PASSWORD), ("a\nb", PASSWORD), ("x" * 201, PASSWORD), ("olga", "short")]
)
async def test_what_cannot_be_is_refused(operators: Operators, name: str, password: str) -> None:
    with pytest.raises(InvalidRequest):
        await operators.create(name=name, password=password)
    assert await operators.every() == []


async def test_another_password_ends_every_session_of_that_person(operators: Operators) -> None:
    await operators.create(name="olga", password=PASSWORD)
    await operators.create(name="eve", password=PASSWORD)
    olgas, eves = await sign_in(operators), await sign_in(operators, "eve")
    await operators.change_password("OLGA", "seven calm harbours")
    with pytest.raises(Unauthorized):
        await operators.by_session(olgas)
    assert (await operators.by_session(eves)).name == "eve"
    with pytest.raises(WrongPassword):
        await sign_in(operators)
    assert await sign_in(operators, password="seven calm harbours")
    with pytest.raises(NotFound):
        await operators.change_password("nobody", PASSWORD)


async def test_who_is_deleted_is_signed_out(operators: Operators) -> None:
    await operators.create(name="olga", password=PASSWORD)
    token = await sign_in(operators)
    await operators.delete("olga")
    for attempt in (operators.by_session(token), sign_in(operators)):
        with pytest.raises(Unauthorized):
            await attempt
    with pytest.raises(NotFound):
        await operators.delete("olga")


async def test_a_session_ends_by_itself_and_is_forgotten(operators: Operators, house: House) -> None:
    await operators.create(name="olga", password=PASSWORD)
    old, new = await sign_in(operators), await sign_in(operators)
    left = await house.db.fetchval("SELECT max(expires_at) - now() FROM operator_sessions")
    assert SESSION_LIFE - timedelta(minutes=1) < left <= SESSION_LIFE
    await house.db.execute(
        "UPDATE operator_sessions SET expires_at = now() - interval '1 second' WHERE hash = $1",
        hashlib.sha256(old.encode()).digest(),
    )
    with pytest.raises(Unauthorized):
        await operators.by_session(old)
    await forget_sessions(house.db)
    assert await house.db.fetchval("SELECT count(*) FROM operator_sessions") == 1
    assert await operators.by_session(new)


async def test_a_password_is_hashed_anew_when_costs_have_risen(operators: Operators, house: House) -> None:
    await operators.create(name="olga", password=PASSWORD)
    dearer = PasswordHasher(time_cost=2, memory_cost=16, parallelism=1)
    later = Operators(house.db, house.applications, SystemClock(), Passwords(dearer))
    token = await sign_in(later)
    assert "m=16,t=2" in await house.db.fetchval("SELECT password FROM operators")
    assert await later.by_session(token)
    assert await sign_in(later)
