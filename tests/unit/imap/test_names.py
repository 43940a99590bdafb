"""Mailbox names: RFC 3501 §5.1.3, both ways and around."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mooring.errors import InvalidRequest
from mooring.protocols.imap.names import decode_mailbox, encode_mailbox, readable

_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n"))


@pytest.mark.parametrize(
    ("name", "wire"),
    [
        ("INBOX", b"INBOX"),
        ("Sent Items", b"Sent Items"),
        ("R&D", b"R&-D"),
        ("Entwürfe", b"Entw&APw-rfe"),
        ("~peter/mail/台北/日本語", b"~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
        ("☺!", b"&Jjo-!"),
        ("😀", b"&2D3eAA-"),
        ("tab\there", b"tab&AAk-here"),
        ("", b""),
    ],
)
def test_known_names(name: str, wire: bytes) -> None:
    assert encode_mailbox(name) == wire
    assert decode_mailbox(wire) == name


@given(_TEXT.filter(lambda name: name.upper() != "INBOX"))
def test_every_text_survives(name: str) -> None:
    wire = encode_mailbox(name)
    assert wire.isascii()
    assert decode_mailbox(wire) == name
    assert decode_mailbox(encode_mailbox(name, utf8=True), utf8=True) == name


@given(st.binary(max_size=40))
def test_every_wire_form_becomes_storable_text(wire: bytes) -> None:
    for utf8 in (False, True):
        name = decode_mailbox(wire, utf8=utf8)
        name.encode()
        assert "\0" not in name


@pytest.mark.parametrize(
    ("wire", "shown"),
    [
        (b"&AGE-", "&AGE-"),  # a shift that was not needed: not the folder called "a"
        (b"&Jjo", "&Jjo"),
        (b"&!!!-", "&!!!-"),
        (b"&2D0-", "&2D0-"),  # half of a surrogate pair
        (b"&AAA-", "&AAA-"),  # NUL
        ("Gelöscht".encode(), "Gelöscht"),
        ("Gelöscht".encode("latin-1"), "Gelöscht"),
    ],
)
def test_broken_names_are_shown_as_they_are_and_given_back_as_bytes(wire: bytes, shown: str) -> None:
    assert decode_mailbox(wire) == shown
    assert encode_mailbox(wire) == wire


def test_a_name_of_shifts_without_end_takes_time_in_proportion() -> None:
    assert decode_mailbox(b"&" * 1_000_000) == "&" * 1_000_000


def test_the_inbox_has_one_name() -> None:
    assert {decode_mailbox(wire) for wire in (b"inbox", b"Inbox", b"INBOX")} == {"INBOX"}
    assert decode_mailbox(b"Inbox/x") == "Inbox/x"


@pytest.mark.parametrize("name", ["half \ud83d", b"nul\0", b"line\r\nM9 DELETE INBOX"])
def test_names_that_cannot_be_sent(name: str | bytes) -> None:
    with pytest.raises(InvalidRequest):
        encode_mailbox(name)


def test_a_line_break_in_a_utf8_name_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        encode_mailbox("a\r\nb", utf8=True)


def test_readable_text_has_no_nul() -> None:
    assert readable(b"a\0b") == "a\ufffdb"
