"""Long texts of a JSON body, read by themselves: the same values, and the same refusals, as by the decoder alone."""

import base64
import json
import os
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mooring.api.longtexts import LONG, LongTexts, from_base64
from mooring.errors import InvalidRequest
from mooring.large import WINDOW

MOST = 1024 * 1024

letters = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=20)
long_texts = st.builds(
    lambda piece, times: piece * times, letters, st.sampled_from([1, LONG, WINDOW // 8, WINDOW // 2])
)
values = st.recursive(
    st.none() | st.integers(-9, 9) | long_texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(letters, inner, max_size=3),
    max_leaves=4,
)


def read(body: bytes) -> Any:
    texts = LongTexts.of(body, MOST)
    assert texts is not None
    return texts.restored(msgspec.json.decode(texts.rest))


@settings(max_examples=60, deadline=None)
@given(values, st.booleans(), st.sampled_from([None, 1]))
def test_a_body_reads_as_it_does_in_one_piece(value: Any, ascii_only: bool, indent: int | None) -> None:
    body = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()
    assert read(body) == value


@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("letter", ["a", '"', "\\", "ü", "語", "😀", "\n", "\U0001f600\\"])
@pytest.mark.parametrize("shift", range(4))
def test_no_letter_is_cut_at_the_edge_of_a_window(letter: str, shift: int, ascii_only: bool) -> None:
    text = "x" * shift + letter * (WINDOW // len(letter.encode()) + 9)
    assert read(json.dumps({"body": text}, ensure_ascii=ascii_only).encode()) == {"body": text}


def test_what_is_set_aside_is_not_in_the_rest() -> None:
    body = json.dumps({"a": "x" * 100_000, "b": ["y" * 100_000, "short"]}).encode()
    texts = LongTexts.of(body, MOST)
    assert texts is not None
    assert len(texts.rest) < 200
    assert b"short" in texts.rest


def test_a_text_that_looks_like_the_word_of_another_is_itself() -> None:
    value = {"a": "x" * (LONG + 1), "b": "0.0", "c": ".0", "d": "0" * 32 + ".0"}
    assert read(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": "' + b"x" * WINDOW,
        b'{"a": "' + b"x" * WINDOW + b"\\",
        b'{"a": "' + b"x" * WINDOW + b'\\"}',
        b'{"a": "' + b"\\ud83d" * WINDOW + b'"}',
        b'{"a": "' + b"x" * WINDOW + b"\\u12" + b'"}',
        b'{"a": "' + b"\xff" * WINDOW + b'"}',
        b'{"a" "' + b"x" * WINDOW + b'"}',
        b'"' + b"x" * WINDOW + b'" "',
    ],
    ids=range(8),
)
def test_what_is_not_json_is_refused_all_the_same(body: bytes) -> None:
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
        read(body)


def test_a_nul_in_a_long_text_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="NUL"):
        read(json.dumps({"a": "x" * WINDOW + "\x00"}).encode())


def test_what_is_large_without_long_texts_is_too_much() -> None:
    assert LongTexts.of(json.dumps(["x" * 100] * 20_000).encode(), MOST) is None
    assert LongTexts.of(b"[" + b"1," * MOST + b"1]", MOST) is None
    assert LongTexts.of(b" " * (MOST + 1), MOST) is None


CONTENT = os.urandom(WINDOW + 1)
ENCODED = base64.b64encode(CONTENT).decode()


@pytest.mark.parametrize(
    "written",
    [
        json.dumps(ENCODED),
        json.dumps(ENCODED).replace("/", "\\/"),
        json.dumps("\r\n".join(ENCODED[at : at + 76] for at in range(0, len(ENCODED), 76))),
        json.dumps(f" {ENCODED[:5]}\t{ENCODED[5:]}\n"),
    ],
    ids=["plain", "as PHP writes it", "in lines", "with blanks"],
)
def test_base64_in_every_spelling(written: str) -> None:
    texts = LongTexts.of(f'{{"content": {written}}}'.encode(), MOST)
    assert texts is not None
    assert texts.base64(msgspec.json.decode(texts.rest)["content"]) == CONTENT


@given(st.binary(max_size=40), st.lists(st.integers(0, 60), max_size=4))
def test_base64_in_any_pieces(content: bytes, cuts: list[int]) -> None:
    encoded = base64.b64encode(content)
    edges = sorted({0, len(encoded), *(cut % (len(encoded) + 1) for cut in cuts)})
    assert from_base64(encoded[a:b] for a, b in pairwise(edges)) == content


@pytest.mark.parametrize(
    "pieces",
    [
        [b"QQ"],
        [b"QQ=", b"="[:0]],
        [b"QQ==", b"QUJD"],
        [b"QQ==QUJD"],
        [b"QUJD", b"="],
        [b"QU-D"],
        [b"Q\xffJD"],
        [b"=QQ="],
    ],
    ids=repr,
)
def test_what_is_no_base64_is_refused(pieces: list[bytes]) -> None:
    with pytest.raises(ValueError):
        from_base64(pieces)
