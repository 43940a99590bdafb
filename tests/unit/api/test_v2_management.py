"""What a v2 application does with itself, its accounts and their tokens."""

import json
from collections.abc import Iterator
from urllib.parse import urlencode

import httpx
import pytest

from mooring.applications import Changes
from tests.unit.api.fakes import NOW_S, V2_SECRET, V2_TOKEN, V3_TOKEN, World
from tests.unit.api.test_auth import basic

TEXT = {"Content-Type": "text/plain;charset=UTF-8"}
CODE = {"client_id": "app-v2", "client_secret": V2_SECRET, "grant_type": "authorization_code", "code": "code-1"}


@pytest.fixture
def v2(anybody: httpx.AsyncClient) -> httpx.AsyncClient:
    """A v2 application's own caller."""
    anybody.headers["Authorization"] = basic(V2_SECRET)
    return anybody


async def test_the_application(world: World, v2: httpx.AsyncClient) -> None:
    assert (await v2.get("/a/app-v2")).json() == {"application_name": "Acme", "icon_url": "", "redirect_uris": []}
    uris = ["https://app.example/callback", "com.example.app:/callback"]
    changed = await v2.put("/a/app-v2", content=json.dumps({"redirect_uris": uris}), headers=TEXT)
    assert changed.json() == {"application_name": "Acme", "icon_url": "", "redirect_uris": uris}
    assert world.applications.calls[-1] == ("change", "app-v2", Changes(redirect_uris=tuple(uris)))
    assert (await v2.put("/a/app-v2", json={"application_name": "x" * 201})).status_code == 400


async def test_accounts_and_their_views(v2: httpx.AsyncClient) -> None:
    assert (await v2.get("/a/app-v2/accounts?view=ids")).json() == ["a1"]
    assert (await v2.get("/a/app-v2/accounts?view=count")).json() == {"count": 1}


async def test_metadata_is_written_and_an_account_deleted(world: World, v2: httpx.AsyncClient) -> None:
    written = await v2.put("/a/app-v2/accounts/a1", content=json.dumps({"metadata": {"team": "x"}}), headers=TEXT)
    assert written.json()["metadata"] == {"team": "x"}
    assert (await v2.delete("/a/app-v2/accounts/a1")).json() == {"success": "true"}
    assert ("delete", "a1") in world.grants.calls
    for wrong in ({}, {"metadata": {"a": 1}}, {"metadata": {"a" * 41: "x"}}, {"metadata": {"a": "x" * 501}}):
        assert (await v2.put("/a/app-v2/accounts/a1", json=wrong)).status_code == 400


async def test_tokens_are_described_and_revoked(world: World, v2: httpx.AsyncClient) -> None:
    path = "/a/app-v2/accounts/a1"
    info = await v2.post(f"{path}/token-info", content=json.dumps({"access_token": V2_TOKEN}), headers=TEXT)
    assert info.json() == {"created_at": NOW_S, "updated_at": NOW_S, "scopes": "", "state": "valid"}
    assert (await v2.post(f"{path}/token-info", json={"access_token": V3_TOKEN})).status_code == 404
    for body in (b"", b"{}", json.dumps({"keep_access_token": V2_TOKEN}).encode()):
        assert (await v2.post(f"{path}/revoke-all", content=body, headers=TEXT)).json() == {"success": "true"}
    kept = [call[2] for call in world.tokens.calls if call[0] == "revoke_all"]
    assert kept == [None, None, V2_TOKEN]


async def test_an_accounts_token_reads_itself_and_changes_nothing(anybody: httpx.AsyncClient) -> None:
    anybody.headers["Authorization"] = f"Bearer {V2_TOKEN}"
    path = "/a/app-v2/accounts"
    assert [a["id"] for a in (await anybody.get(f"{path}?offset=0&limit=50")).json()] == ["a1"]
    assert (await anybody.get(f"{path}?offset=50&limit=50")).json() == []
    assert (await anybody.get(f"{path}?view=count")).json() == {"count": 1}
    assert (await anybody.get(f"{path}/a1")).json()["id"] == "a1"
    for method, below in (("POST", "/a1/upgrade"), ("POST", "/a1/downgrade"), ("DELETE", "/a1"), ("PUT", "/a1")):
        refused = await anybody.request(method, path + below)
        assert (refused.status_code, refused.json()["type"]) == (403, "invalid_request_error")
        assert "client secret" in refused.json()["message"]


def exchanges() -> Iterator[tuple[str, str, dict[str, object]]]:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    yield "POST", "/oauth/token", {"content": urlencode(CODE), "headers": form}
    yield "POST", "/oauth/token", {"json": CODE}
    yield "POST", "/oauth/token", {"content": json.dumps(CODE), "headers": TEXT}
    yield "GET", f"/oauth/token?{urlencode(CODE)}", {}


@pytest.mark.parametrize(
    ("method", "path", "more"), list(exchanges()), ids=["form", "JSON", "JSON called text", "query"]
)
async def test_a_code_is_exchanged_in_each_way(
    anybody: httpx.AsyncClient, method: str, path: str, more: dict[str, object]
) -> None:
    answer = await anybody.request(method, path, **more)  # type: ignore[arg-type]
    assert answer.json() == {
        "access_token": V2_TOKEN, "account_id": "a1", "email_address": "ann+a@example.com", "provider": "imap",
        "token_type": "bearer",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"client_secret": "wrong"}, 401),
        ({"code": "used"}, 400),
        ({"grant_type": "refresh_token"}, 400),
        ({"code": "a\x00b"}, 400),
    ],
)
async def test_what_is_no_exchange(anybody: httpx.AsyncClient, changes: dict[str, str], status: int) -> None:
    query = urlencode({**CODE, **changes})
    for answer in (await anybody.get(f"/oauth/token?{query}"), await anybody.post("/oauth/token", content=query)):
        assert answer.status_code == status, answer.text
        assert answer.json().keys() == {"message", "type"}


@pytest.mark.parametrize("body", [b"", b"{}", b"{", b"client_id=app-v2", b"&".join([b"a=b"] * 200), b"\xff"])
async def test_an_exchange_without_what_it_needs(anybody: httpx.AsyncClient, body: bytes) -> None:
    assert (await anybody.post("/oauth/token", content=body)).status_code == 400


@pytest.mark.parametrize("authorization", [basic(V2_TOKEN), basic(V2_TOKEN, "None"), f"Bearer {V2_TOKEN}"])
async def test_a_token_revokes_itself(world: World, anybody: httpx.AsyncClient, authorization: str) -> None:
    answer = await anybody.post("/oauth/revoke", headers={"Authorization": authorization})
    assert answer.json() == {"success": "true"}
    assert world.tokens.calls[-1] == ("revoke", V2_TOKEN)
    assert (await anybody.post("/oauth/revoke", headers={"Authorization": basic("no")})).status_code == 401
