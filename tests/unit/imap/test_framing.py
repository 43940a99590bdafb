"""Where a response ends: lines, literals, limits, and any chunking at all."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mooring.errors import RemoteProtocolError
from mooring.protocols.imap.framing import Framer

STREAM = (
    b"* OK text that ends like a literal {99999}\r\n"
    b"* 1 FETCH (UID 5 BODY[] {12}\r\nbody\r\n{5}\r\nx FLAGS (\\Seen))\r\n"
    b"* LIST () {1}\r\n/ {5}\r\nin{3}\r\n"
    b"* 2 FETCH (UID 6 BODY[] {0}\r\n)\r\n"
    b"bare line feed\n"
    b"M1 NO [ALERT] {3}\r\n"
    b"* 3 FETCH (BODY[] ~{3+}\r\nabc)\r\n"
)
WHOLE: list[tuple[bytes, dict[int, bytes | None]]] = [
    (b"* OK text that ends like a literal {99999}", {}),
    (b"* 1 FETCH (UID 5 BODY[] { FLAGS (\\Seen))", {24: b"body\r\n{5}\r\nx"}),
    (b"* LIST () { {", {10: b"/", 12: b"in{3}"}),
    (b"* 2 FETCH (UID 6 BODY[] {)", {24: b""}),
    (b"bare line feed", {}),
    (b"M1 NO [ALERT] {3}", {}),
    (b"* 3 FETCH (BODY[] {)", {18: b"abc"}),
]


def framed(chunks: list[bytes], framer: Framer | None = None) -> list[tuple[bytes, dict[int, bytes | None]]]:
    framer = framer or Framer()
    found: list[tuple[bytes, dict[int, bytes | None]]] = []
    for chunk in chunks:
        framer.receive_data(chunk)
        while (response := framer.next_response()) is not None:
            found.append((response.line, response.literals))
    return found


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


def test_the_stream_in_one_piece() -> None:
    assert framed([STREAM]) == WHOLE


def test_byte_by_byte() -> None:
    assert framed([STREAM[at : at + 1] for at in range(len(STREAM))]) == WHOLE


@given(st.lists(st.integers(0, 500), max_size=12))
def test_any_chunking(places: list[int]) -> None:
    assert framed(cut(STREAM, places)) == WHOLE


def test_a_literal_over_the_limit_is_thrown_away_and_the_rest_stays_in_step() -> None:
    framer = Framer()
    framer.max_literals = 10
    data = b"* 1 FETCH (A {11}\r\n" + b"x" * 11 + b" B {10}\r\n" + b"y" * 10 + b" C {1}\r\nz)\r\n* 2 EXISTS\r\n"
    for size in (1, 7, 1000):
        found = framed([data[at : at + size] for at in range(0, len(data), size)], framer)
        assert found[0][1] == {13: None, 17: b"y" * 10, 21: None}
        assert found[1][0] == b"* 2 EXISTS"


def test_a_line_without_end_is_stopped() -> None:
    framer = Framer()
    framer.max_line = 1000
    with pytest.raises(RemoteProtocolError, match="more than 1000 bytes"):
        framed([b"* " + b"x" * 100] * 20, framer)


def test_many_literals_do_not_outwit_the_line_limit() -> None:
    framer = Framer()
    framer.max_line = 1000
    with pytest.raises(RemoteProtocolError):
        framed([b"* LIST "] + [b"{0}\r\n "] * 1000, framer)


def test_an_absurd_announcement_is_an_error() -> None:
    with pytest.raises(RemoteProtocolError, match="announced"):
        framed([b"* 1 FETCH (BODY[] {99999999999999999999}\r\n"])


def test_very_many_literals_take_time_in_proportion() -> None:
    framer = Framer()
    (response,) = framed([b"* LIST " + b"{0}\r\n{1}\r\nx" * 80_000 + b"\r\n"], framer)
    assert len(response[1]) == 160_000


def test_nothing_is_held_between_responses() -> None:
    framer = Framer()
    assert framed([b"* 1 EXISTS\r\n" * 1000], framer)[-1] == (b"* 1 EXISTS", {})
    assert framer.is_between_responses
    assert framer.take_rest() == b""
    framer.receive_data(b"* 1 FE")
    assert framer.next_response() is None
    assert not framer.is_between_responses


def test_the_rest_belongs_to_somebody_else() -> None:
    framer = Framer()
    framer.receive_data(b"M1 OK\r\n\x00\x01compressed\n")
    response = framer.next_response()
    assert response is not None
    assert response.line == b"M1 OK"
    assert framer.take_rest() == b"\x00\x01compressed\n"
    assert framer.next_response() is None
