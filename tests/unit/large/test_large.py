"""Work on megabytes: beside the loop, and in windows."""

import threading
from contextvars import ContextVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mooring.large import LARGE, WINDOW, beside, copy, count, windows

_who: ContextVar[str] = ContextVar("who", default="nobody")


def here() -> tuple[int, str]:
    return threading.get_ident(), _who.get()


async def test_what_is_small_is_done_here_and_now() -> None:
    assert await beside(LARGE, here) == here()


async def test_what_is_large_is_done_in_a_thread_with_the_caller_s_context() -> None:
    _who.set("somebody")
    thread, who = await beside(LARGE + 1, here)
    assert thread != threading.get_ident()
    assert who == "somebody"


async def test_what_fails_in_a_thread_fails_for_the_caller() -> None:
    with pytest.raises(ZeroDivisionError):
        await beside(LARGE + 1, lambda: 1 // 0)


@given(st.integers(0, 1000), st.integers(1, 50))
def test_windows_cover_all_and_nothing_twice(size: int, step: int) -> None:
    covered = [place for start, end in windows(size, step) for place in range(start, end)]
    assert covered == list(range(size))
    assert all(end - start <= step for start, end in windows(size, step))


@pytest.mark.parametrize("at", [0, WINDOW - 2, WINDOW - 1, WINDOW, 2 * WINDOW - 1])
def test_a_word_is_counted_once_wherever_it_lies(at: int) -> None:
    data = b"x" * at + b"\r\n--" + b"x" * WINDOW
    assert [count(data, word) for word in (b"\n--", b"\r\n", b"\n", b"y")] == [1, 1, 1, 0]


def test_a_copy_is_the_same() -> None:
    data = bytes(range(256)) * 5000
    assert copy(memoryview(data)) == data
