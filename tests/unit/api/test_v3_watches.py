"""Watches by HTTP: begun, read, listed and given up."""

from typing import Any

import httpx
import pytest

from tests.unit.api.fakes import PASSWORD, World

PATH = "/v3/watches"
BEGIN = "/v3/diagnoses/d1/watch"
SETTINGS = {"imap_host": "imap.example.com", "imap_username": "ann@example.com", "imap_password": PASSWORD}


async def test_begun(world: World, v3: httpx.AsyncClient) -> None:
    answer = await v3.post(BEGIN, json={})
    assert answer.status_code == 201
    data = answer.json()["data"]
    assert (data["id"], data["object"], data["state"], data["authentication"]) == ("w1", "watch", "waiting", None)
    assert (data["open"], data["total"]) == (1, 2)
    assert [(a["address"], a["state"]) for a in data["addresses"]] == [
        ("203.0.113.10", "open"), ("203.0.113.11", "closed"),
    ]  # fmt: skip
    assert [(c["kind"], c["addresses"]) for c in data["changes"]] == [("opened", ["203.0.113.10"])]
    assert world.watches.requests == [None]


async def test_with_an_account_to_connect(world: World, v3: httpx.AsyncClient) -> None:
    answer = await v3.post(BEGIN, json={"authenticate": True, "settings": SETTINGS, "state": "s"})
    assert answer.status_code == 201
    assert answer.json()["data"]["authentication"]["state"] == "wanted"
    [request] = world.watches.requests
    assert request is not None
    assert (request.email, request.credentials.imap_password, request.state) == ("ann@example.com", PASSWORD, "s")
    assert PASSWORD not in answer.text


@pytest.mark.parametrize(
    "body", [{"authenticate": True}, {"authenticate": "yes"}, {"settings": []}, {"else": 1}, [],
             {"authenticate": True, "settings": {"imap_host": "a"}}]
)  # fmt: skip
async def test_what_cannot_be_meant(v3: httpx.AsyncClient, body: Any) -> None:
    answer = await v3.post(BEGIN, json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"].startswith(("api.invalid_request", "invalid_request"))


async def test_of_a_diagnosis_that_is_not_there(v3: httpx.AsyncClient) -> None:
    assert (await v3.post("/v3/diagnoses/another/watch", json={})).status_code == 404


async def test_read_listed_and_given_up(world: World, v3: httpx.AsyncClient) -> None:
    assert (await v3.get(f"{PATH}/w1")).json()["data"]["next_look_at"] is not None
    assert (await v3.get(f"{PATH}/w2")).status_code == 404
    first = (await v3.get(PATH, params={"limit": 2})).json()
    assert [w["id"] for w in first["data"]] == ["w0", "w1"]
    assert first["data"][0]["changes"] is None
    rest = (await v3.get(PATH, params={"limit": 2, "page_token": first["next_cursor"]})).json()
    assert ([w["id"] for w in rest["data"]], rest["next_cursor"]) == (["w2"], None)
    assert (await v3.delete(f"{PATH}/w1")).status_code == 200
    assert (await v3.delete(f"{PATH}/w2")).status_code == 404
    assert world.watches.calls[-1] == ("end", "app-v3", "w2")
