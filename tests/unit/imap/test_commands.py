"""From arguments to bytes: nothing that a caller passes can become a second command."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mooring.errors import InvalidRequest
from mooring.protocols.imap.commands import (
    Command,
    Literal,
    LiteralMode,
    Verb,
    atom,
    criteria,
    date_text,
    date_time,
    flag_list,
    quoted,
    string,
)


def sent(command: Command, mode: LiteralMode = LiteralMode.PLUS) -> list[bytes]:
    return [b"".join(stage) for stage in command.encode("M1", mode)]


def test_literals_wait_unless_the_server_said_otherwise() -> None:
    small, large = Literal(b"x" * 4096), Literal(b"y" * 4097)
    command = Command(Verb.LOGIN, small, large)
    assert sent(command, LiteralMode.PLUS) == [
        b"M1 LOGIN {4096+}\r\n" + small.data + b" {4097+}\r\n" + large.data + b"\r\n"
    ]
    assert sent(command, LiteralMode.MINUS) == [
        b"M1 LOGIN {4096+}\r\n" + small.data + b" {4097}\r\n",
        large.data + b"\r\n",
    ]
    assert sent(command, LiteralMode.SYNCHRONISING) == [
        b"M1 LOGIN {4096}\r\n",
        small.data + b" {4097}\r\n",
        large.data + b"\r\n",
    ]


def test_no_arguments_in_the_repr() -> None:
    command = Command(Verb.LOGIN, string("ann"), string("hunter2"), Literal(b"hunter2"))
    assert repr(command) == "Command(LOGIN)"
    assert repr(Literal(b"hunter2")) == "Literal(7 bytes)"


@pytest.mark.parametrize(
    ("value", "written"),
    [("", b'""'), ("a b", b'"a b"'), ('a"b\\c', b'"a\\"b\\\\c"'), ("{5}", b'"{5}"')],
)
def test_quotable_strings(value: str, written: bytes) -> None:
    assert string(value) == written


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0")))
def test_every_string_is_quoted_ascii_on_one_line_or_a_literal(value: str) -> None:
    match string(value):
        case Literal(data=data):
            assert data == value.encode()
        case bytes() as written:
            assert written.isascii()
            assert b"\r" not in written
            assert b"\n" not in written


def test_a_nul_cannot_be_sent() -> None:
    with pytest.raises(InvalidRequest):
        string("a\0b")


@pytest.mark.parametrize("word", ["", "a b", "a\r\nM9 X", "(", "a{5}", "ü", '"', "*"])
def test_what_is_no_word(word: str) -> None:
    with pytest.raises(InvalidRequest):
        atom(word)
    with pytest.raises(InvalidRequest):
        flag_list([word])


def test_flags() -> None:
    assert flag_list(["$Work", "\\Seen"]) == "($Work \\Seen)"
    assert flag_list([]) == "()"


def test_dates_never_follow_the_locale_and_carry_their_zone() -> None:
    assert date_text(date(1994, 2, 1)) == "1-Feb-1994"
    west = timezone(-timedelta(hours=3, minutes=30))
    assert date_time(datetime(2024, 7, 1, 2, 44, 25, tzinfo=west)) == '" 1-Jul-2024 02:44:25 -0330"'
    assert date_time(datetime(2024, 12, 31, 0, 0, 0, tzinfo=UTC)) == '"31-Dec-2024 00:00:00 +0000"'
    with pytest.raises(InvalidRequest):
        date_time(datetime(2024, 7, 1))  # noqa: DTZ001 - that it has no zone is the point


@pytest.mark.parametrize(
    ("keys", "written"),
    [
        ("ALL", b"M1 UID SEARCH ALL\r\n"),
        ('OR (SUBJECT "a \\"b\\"") FROM "c"', b'M1 UID SEARCH OR (SUBJECT "a \\"b\\"") FROM "c"\r\n'),
        ('SUBJECT "Grüße" UNSEEN', b"M1 UID SEARCH SUBJECT {7+}\r\nGr\xc3\xbc\xc3\x9fe UNSEEN\r\n"),
        ('SUBJECT ""', b'M1 UID SEARCH SUBJECT ""\r\n'),
    ],
)
def test_search_criteria(keys: str, written: bytes) -> None:
    assert sent(Command(Verb.UID_SEARCH, *criteria(keys))) == [written]


@pytest.mark.parametrize(
    "keys", ["", " ", 'SUBJECT "open', "SUBJECT Grüße", "ALL\r\nM9 LOGOUT", "TEXT {5}", 'TEXT "\0"']
)
def test_criteria_that_cannot_be_sent(keys: str) -> None:
    with pytest.raises(InvalidRequest):
        criteria(keys)


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0")))
def test_any_text_can_be_searched_for_and_stays_one_word(text: str) -> None:
    arguments = criteria(f"SUBJECT {quoted(text)} UNSEEN")
    assert arguments[0] == "SUBJECT"
    assert arguments[2] == "UNSEEN"
    value = arguments[1]
    written = value.data.decode() if isinstance(value, Literal) else value
    assert written in (text, string(text))
    assert len(arguments) == 3
