"""Cursors: what was written can be read, and nothing else can."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mooring.api.queries import MAX_TOKEN
from mooring.errors import InvalidRequest
from mooring.mail import after_cursor, write_cursor
from mooring.mail.cursors import MOST_SEEN, read_cursor


@given(st.integers(-(2**63) + 1, 2**63 - 1), st.from_regex(r"[A-Za-z0-9_-]{24}", fullmatch=True))
def test_what_is_written_can_be_read(date: int, identity: str) -> None:
    cursor = write_cursor(date, identity)
    assert read_cursor(cursor) == (date, identity, ())
    assert cursor.replace("-", "").replace("_", "").isalnum()


@given(st.lists(st.from_regex(r"[A-Za-z0-9_-]{24}", fullmatch=True), max_size=MOST_SEEN))
def test_what_was_seen_is_kept_and_the_cursor_is_not_too_long(seen: list[str]) -> None:
    cursor = write_cursor(2**63 - 1, "x" * 24, seen)
    assert read_cursor(cursor).seen == tuple(seen)
    assert len(cursor) <= MAX_TOKEN


def encoded(text: str | bytes) -> str:
    data = text.encode() if isinstance(text, str) else text
    return base64.urlsafe_b64encode(data).decode()


GARBAGE = [
    "", " ", "x", "=", "%%%", "ä", "\x00", "1:abc", encoded("1"), encoded("1:"), encoded(":abc"), encoded("a:abc"),
    encoded("1.5:abc"), encoded(f"{2**63}:abc"), encoded(f"-{2**63}:abc"), encoded("9" * 5000 + ":abc"),
    encoded("1:a\x00b"), encoded("1:a b"), encoded("1:" + "a" * 500), encoded(b"1:\xff"), encoded("nan:abc"),
    encoded("1:abc,"), encoded("1:abc,a b"), encoded("1:abc" + ",a" * (MOST_SEEN + 1)),
]  # fmt: skip


@pytest.mark.parametrize("cursor", GARBAGE)
def test_garbage_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidRequest, match="page_token"):
        read_cursor(cursor)
    with pytest.raises(InvalidRequest):
        after_cursor([], cursor)


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(cursor: str) -> None:
    try:
        date, identity, _ = read_cursor(cursor)
    except InvalidRequest:
        return
    assert abs(date) < 2**63
    assert identity


def test_without_a_cursor_nothing_is_left_out() -> None:
    assert after_cursor([], None) == []
