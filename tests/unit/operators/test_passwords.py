"""Passwords are hashed as argon2id, and compared in the same time whether there is one or not."""

from typing import Literal

import pytest
from argon2 import PasswordHasher

from mooring.errors import InvalidRequest
from mooring.operators import Passwords


class Counting(PasswordHasher):
    """Counts what it compares."""

    def __init__(self, *, memory_cost: int = 8) -> None:
        super().__init__(time_cost=1, memory_cost=memory_cost, parallelism=1)
        self.compared = 0

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002 (argon2's own name)
        self.compared += 1
        return super().verify(hash, password)


async def test_a_password_is_kept_as_an_argon2id_hash_and_known_again() -> None:
    passwords = Passwords(Counting())
    stored = await passwords.hash("nine grey herons")
    assert stored.startswith("$argon2id$")
    assert stored != await passwords.hash("nine grey herons")
    assert await passwords.matches(stored, "nine grey herons")
    assert not await passwords.matches(stored, "nine grey heron")


def test_the_costs_are_those_that_are_recommended() -> None:
    hasher = PasswordHasher()
    assert (hasher.time_cost, hasher.memory_cost, hasher.parallelism) == (3, 65536, 4)


@pytest.mark.parametrize("shown", ["", "wrong", "x" * 5000, "\ud800", "a\0b", "ü" * 12])
async def test_as_much_is_compared_when_nobody_has_the_name(shown: str) -> None:
    hasher = Counting()
    passwords = Passwords(hasher)
    stored = await passwords.hash("nine grey herons")
    for known in (stored, None):
        before = hasher.compared
        assert not await passwords.matches(known, shown)
        assert hasher.compared == before + 1


async def test_a_hash_that_is_none_matches_nothing() -> None:
    assert not await Passwords(Counting()).matches("not a hash", "nine grey herons")


@pytest.mark.parametrize("short", ["", "eleven char", "x" * 2000, "\ud800" * 12])
async def test_a_password_that_cannot_be_one_is_refused(short: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await Passwords(Counting()).hash(short)
    assert not short or short not in caught.value.message


async def test_other_costs_are_seen() -> None:
    stored = await Passwords(Counting()).hash("nine grey herons")
    assert not Passwords(Counting()).is_outdated(stored)
    assert Passwords(Counting(memory_cost=16)).is_outdated(stored)
