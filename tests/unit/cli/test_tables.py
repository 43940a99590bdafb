"""Tables: columns where they fit, records where they do not, and no word torn at any width."""

import io
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from mooring.cli.tables import lay_out

COLUMNS = ("ENVIRONMENT", "SOURCE", "RESULT")
ROWS = [
    ("v3-us-static", "2001:db8:1234:5678:9abc:def0:1234:5678", "can be used; a reflector would show what is seen"),
    ("v3-us-dynamic", "203.0.113.10", ""),
]


def laid_out(rows: Sequence[Sequence[object]], width: int, columns: tuple[str, ...] = COLUMNS) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    return [line.plain for line in lay_out(console, columns, rows)]


def test_what_fits_is_a_line_a_row_and_nothing_trails() -> None:
    assert laid_out(ROWS, 200) == [
        "ENVIRONMENT    SOURCE                                  RESULT",
        "v3-us-static   2001:db8:1234:5678:9abc:def0:1234:5678  can be used; a reflector would show what is seen",
        "v3-us-dynamic  203.0.113.10",
    ]


def test_sentences_are_broken_between_words() -> None:
    assert laid_out(ROWS, 80) == [
        "ENVIRONMENT    SOURCE                                  RESULT",
        "v3-us-static   2001:db8:1234:5678:9abc:def0:1234:5678  can be used; a reflector",
        "                                                       would show what is seen",
        "v3-us-dynamic  203.0.113.10",
    ]


def test_what_does_not_fit_is_a_value_a_line() -> None:
    assert laid_out(ROWS, 52) == [
        "ENVIRONMENT  v3-us-static",
        "SOURCE       2001:db8:1234:5678:9abc:def0:1234:5678",
        "RESULT       can be used; a reflector would show",
        "             what is seen",
        "",
        "ENVIRONMENT  v3-us-dynamic",
        "SOURCE       203.0.113.10",
        "RESULT",
    ]


WORDS = st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=30)


@given(st.lists(st.tuples(WORDS, st.lists(WORDS, max_size=6).map(" ".join)), min_size=1), st.integers(1, 120))
def test_no_word_is_torn_and_no_line_is_wider_than_it_must_be(rows: list[tuple[object, ...]], width: int) -> None:
    lines = laid_out(rows, width, ("WORD", "SENTENCE"))
    shown = [word for line in lines for word in line.split()]
    for row in rows:
        for word in " ".join(map(str, row)).split():
            assert word in shown
    longest = max(cell_len(word) for word in shown)
    assert max(map(cell_len, lines)) <= max(width, len("SENTENCE") + 2 + longest)


@pytest.mark.parametrize("text", ["a\x1b[31mb", "a\x1b]0;title\x07b", "a\u202eb", "a\x9b2Jb", "a\x00b"])
def test_nothing_that_is_shown_commands_a_terminal(text: str) -> None:
    (_, line) = laid_out([(text,)], 80, ("X",))
    assert line.isprintable()
    assert line.startswith("a\ufffd")


def test_a_value_has_no_lines_of_its_own() -> None:
    assert laid_out([("a\r\nb\tc\xa0d", None)], 80, ("X", "Y")) == ["X         Y", "a  b c d"]
