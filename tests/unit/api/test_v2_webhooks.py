"""The doors of webhooks in v2: bare objects, its own words, and a state that is all that can be changed."""

import json
from dataclasses import replace

import httpx
import pytest

from mooring.errors import TargetNotAllowed
from mooring.webhooks import WebhookStatus
from tests.unit.api.fakes import V2_SECRET, World
from tests.unit.api.test_auth import basic

PATH = "/a/app-v2/webhooks"
BODY = {"callback_url": "https://example.com/hook", "triggers": ["message.created", "account.invalid"]}
MADE = {
    "id": "w1",
    "application_id": "app-v2",
    "callback_url": "https://example.com/hook",
    "state": "active",
    "triggers": ["message.created", "account.invalid"],
    "version": "2.0",
}


@pytest.fixture
def v2(anybody: httpx.AsyncClient) -> httpx.AsyncClient:
    """A v2 application's own caller."""
    anybody.headers["Authorization"] = basic(V2_SECRET)
    return anybody


async def test_a_webhook_is_made_as_the_sdks_make_it(v2: httpx.AsyncClient) -> None:
    answer = await v2.post(
        PATH, content=json.dumps({**BODY, "state": "active"}), headers={"Content-Type": "text/plain;charset=UTF-8"}
    )
    assert (answer.status_code, answer.json()) == (200, MADE)
    assert (await v2.get(f"{PATH}/w1")).json() == MADE
    # The client secret signs, and is shown to nobody.
    assert "a-secret" not in answer.text


async def test_webhooks_are_a_bare_array_that_is_paged_by_offset(v2: httpx.AsyncClient) -> None:
    for _ in range(3):
        await v2.post(PATH, json=BODY)
    assert [w["id"] for w in (await v2.get(PATH)).json()] == ["w1", "w2", "w3"]
    assert [w["id"] for w in (await v2.get(f"{PATH}?offset=1&limit=1")).json()] == ["w2"]
    assert (await v2.get(f"{PATH}?offset=50&limit=50")).json() == []


async def test_its_state_is_changed(v2: httpx.AsyncClient) -> None:
    await v2.post(PATH, json=BODY)
    for state in ("inactive", "active"):
        assert (await v2.put(f"{PATH}/w1", json={"state": state})).json() == {**MADE, "state": state}
    assert (await v2.put(f"{PATH}/w1", json={**BODY, "state": "inactive"})).json()["state"] == "inactive"


async def test_one_is_made_that_is_inactive(world: World, v2: httpx.AsyncClient) -> None:
    assert (await v2.post(PATH, json={**BODY, "state": "inactive"})).json()["state"] == "inactive"
    assert world.webhooks.kept["w1"].status is WebhookStatus.PAUSED


@pytest.mark.parametrize("status", [WebhookStatus.FAILING, WebhookStatus.FAILED])
async def test_one_that_is_in_trouble_says_so(world: World, v2: httpx.AsyncClient, status: WebhookStatus) -> None:
    await v2.post(PATH, json=BODY)
    world.webhooks.kept["w1"] = replace(world.webhooks.kept["w1"], status=status)
    assert (await v2.get(f"{PATH}/w1")).json()["state"] == status


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"callback_url": "https://example.com/another"}, "only its state can be changed"),
        ({"triggers": ["message.updated"]}, "only its state can be changed"),
        ({"state": "failed"}, "active or inactive"),
        ({"state": "pause"}, "active or inactive"),
        ({"state": 1}, "another shape"),
    ],
)
async def test_what_cannot_be_changed_is_refused(v2: httpx.AsyncClient, body: dict[str, object], said: str) -> None:
    await v2.post(PATH, json=BODY)
    answer = await v2.put(f"{PATH}/w1", json=body)
    assert answer.status_code == 400
    assert answer.json().keys() == {"message", "type"}
    assert said in answer.json()["message"]
    assert (await v2.get(f"{PATH}/w1")).json() == MADE


async def test_a_webhook_is_deleted(v2: httpx.AsyncClient) -> None:
    await v2.post(PATH, json=BODY)
    assert (await v2.delete(f"{PATH}/w1")).json() == {"success": "true"}
    for answer in (await v2.get(f"{PATH}/w1"), await v2.delete(f"{PATH}/w1")):
        assert (answer.status_code, answer.json()["type"]) == (404, "invalid_request_error")


async def test_an_endpoint_that_may_not_be_called(world: World, v2: httpx.AsyncClient) -> None:
    world.webhooks.error = TargetNotAllowed("10.0.0.1 is private", hint="Use a public address.")
    answer = await v2.post(PATH, json=BODY)
    assert (answer.status_code, answer.json()["type"]) == (400, "api.target_not_allowed")


@pytest.mark.parametrize("secret", ["wrong", "v3-key"])
async def test_nobody_else_sees_or_makes_any(anybody: httpx.AsyncClient, secret: str) -> None:
    anybody.headers["Authorization"] = basic(secret)
    for answer in (await anybody.get(PATH), await anybody.post(PATH, json=BODY), await anybody.delete(f"{PATH}/w1")):
        assert (answer.status_code, answer.json()["type"]) == (401, "auth_error")
