"""Long work in steps: the same in one go, and with others' turns in between."""

import asyncio

import pytest

from mooring.steps import Steps, at_once, gently


def counting(to: int) -> Steps[int]:
    for _ in range(to):
        yield
    return to


def failing() -> Steps[int]:
    yield
    raise ValueError("odd")


def test_in_one_go() -> None:
    assert (at_once(counting(0)), at_once(counting(7))) == (0, 7)
    with pytest.raises(ValueError, match="odd"):
        at_once(failing())


async def test_others_have_a_turn_after_each_step() -> None:
    turns: list[str] = []

    async def other() -> None:
        for _ in range(5):
            turns.append("other")
            await asyncio.sleep(0)

    async def gentle() -> int:
        return await gently(noted(turns))

    assert (await asyncio.gather(gentle(), other()))[0] == 3
    assert turns == ["ours", "other"] * 3 + ["other"] * 2
    with pytest.raises(ValueError, match="odd"):
        await gently(failing())


def noted(turns: list[str]) -> Steps[int]:
    for _ in range(3):
        turns.append("ours")
        yield
    return 3
