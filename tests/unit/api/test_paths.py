"""Paths have one spelling; an id keeps its slashes, and nobody is redirected."""

from urllib.parse import quote, unquote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mooring.api.paths import canonical
from tests.unit.api.fakes import World


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"/v3/grants", "/v3/grants"),
        (b"//v3/grants", "/v3/grants"),
        (b"///v3//grants///", "/v3/grants"),
        (b"/v3/grants/", "/v3/grants"),
        (b"/", "/"),
        (b"", "/"),
        (b"/v3/%67rants", "/v3/grants"),
        (b"/v3/grants/a%2Fb", "/v3/grants/a%2Fb"),
        (b"/v3/grants/a%2fb", "/v3/grants/a%2Fb"),
        (b"/v3/grants/a%252Fb", "/v3/grants/a%252Fb"),
        (b"/v3/grants/a+b@x.org", "/v3/grants/a+b@x.org"),
        (b"/v3/grants/a%2Bb%40x.org", "/v3/grants/a+b@x.org"),
        (b"/v3/grants/%", "/v3/grants/%25"),
        (b"/v3/grants/..", "/v3/grants/.."),
        (b"/v3/grants/\xff", "/v3/grants/%EF%BF%BD"),
        (b"/v3/grants/%00", "/v3/grants/%EF%BF%BD"),
        ("/v3/grants/ä".encode(), "/v3/grants/%C3%A4"),
    ],
)
def test_canonical(raw: bytes, expected: str) -> None:
    assert canonical(raw) == expected


@given(st.binary(max_size=60))
def test_canonical_is_its_own_canonical_form(raw: bytes) -> None:
    once = canonical(b"/" + raw)
    assert canonical(once.encode()) == once


@given(st.lists(st.text(alphabet=st.characters(categories=("L", "N", "P", "S")), min_size=1), min_size=1, max_size=4))
def test_what_is_encoded_is_decoded_once_and_never_split(segments: list[str]) -> None:
    raw = "/".join(quote(s, safe="") for s in segments).encode()
    assert [unquote(s) for s in canonical(raw).split("/")[1:]] == segments


@pytest.mark.parametrize(
    ("path", "identifier"),
    [
        ("/v3/grants/g1/folders", "g1"),
        ("//v3/grants/g1/folders", "g1"),
        ("/v3/grants/g1/folders/", "g1"),
        ("/v3/grants/ann+a@example.com/folders", "ann+a@example.com"),
        ("/v3/grants/ann%2Ba%40example.com/folders", "ann+a@example.com"),
        ("/v3/grants/ANN+a@Example.com/folders", "ANN+a@Example.com"),
        ("/v3/grants/email:ann+a@example.com/folders", "email:ann+a@example.com"),
        ("/v3/grants/grant:g1/folders", "grant:g1"),
    ],
)
async def test_identifiers_arrive_decoded(world: World, v3: httpx.AsyncClient, path: str, identifier: str) -> None:
    answer = await v3.get(f"http://api.test{path}")
    assert answer.status_code == 200, answer.text
    assert answer.history == []
    assert ("find", "app-v3", identifier) in world.grants.calls


@pytest.mark.parametrize(
    ("spelt", "message_id"),
    [
        ("%3Cabc%2Fdef%2B1%40h%3E", "<abc/def+1@h>"),
        ("%3Cabc%2Fdef+1@h%3E", "<abc/def+1@h>"),
        ("a%252Fb", "a%2Fb"),
        ("a%20b", "a b"),
        ("a+b", "a+b"),
        ("send%2F", "send/"),
    ],
)
async def test_an_encoded_slash_stays_inside_its_id(
    world: World, v3: httpx.AsyncClient, spelt: str, message_id: str
) -> None:
    answer = await v3.get(f"/v3/grants/g1/messages/{spelt}")
    assert answer.json()["error"]["type"] == "api.not_found_error"
    assert ("message", "g1", message_id) in world.mailbox.calls


async def test_an_id_with_a_nul_is_just_not_found(world: World, v3: httpx.AsyncClient) -> None:
    answer = await v3.get("/v3/grants/g1/messages/a%00b")
    assert answer.status_code == 404
    assert not any("\x00" in str(part) for call in world.mailbox.calls for part in call)


async def test_head_is_get_without_the_body(v3: httpx.AsyncClient) -> None:
    got, head = await v3.get("/v3/grants"), await v3.head("/v3/grants")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == got.headers["content-length"]


async def test_options_names_the_methods(anybody: httpx.AsyncClient) -> None:
    answer = await anybody.options("/v3/grants/g1")
    assert answer.status_code == 204
    assert {"GET", "PATCH", "DELETE"} <= set(answer.headers["allow"].split(", "))
    assert "x-request-id" in answer.headers
