"""Asking for static addresses by HTTP, for applications of either generation."""

import base64

import httpx
import pytest

from tests.unit.api.fakes import NOW_S, V2_SECRET, World

REQUEST, STATUS = "/v3/static-ips/request", "/v3/static-ips/status"


async def test_a_v3_application_asks_and_looks(world: World, v3: httpx.AsyncClient) -> None:
    asked = await v3.post(REQUEST, json={"note": " bank.example filters "})
    assert asked.status_code == 200
    assert world.feature.asked == [("app-v3", "bank.example filters")]
    assert asked.json()["data"] == {
        "application_id": "app-v3",
        "state": "requested",
        "message": "The operator has been asked and has not decided yet.",
        "changes": [{"at": NOW_S, "before": "off", "after": "requested", "by": "application", "note": "why"}],
        "moves": [],
    }
    assert (await v3.post(REQUEST)).status_code == 200
    assert world.feature.asked[-1] == ("app-v3", "")
    await v3.post(REQUEST, json={"organisation": True})
    assert world.feature.asked[-1][0] == "app-v3 and its organisation's"
    assert (await v3.get(STATUS)).json()["data"]["state"] == "off"


@pytest.mark.parametrize("how", ["bearer", "basic"])
async def test_a_v2_application_shows_its_secret(world: World, anybody: httpx.AsyncClient, how: str) -> None:
    basic = base64.b64encode(f"{V2_SECRET}:".encode()).decode()
    authorization = f"Bearer {V2_SECRET}" if how == "bearer" else f"Basic {basic}"
    answer = await anybody.post(f"{REQUEST}?client_id=app-v2", headers={"Authorization": authorization})
    assert (answer.status_code, answer.json()["data"]["application_id"]) == (200, "app-v2")
    assert world.feature.asked == [("app-v2", "")]


async def test_nobody_asks_for_another(world: World, anybody: httpx.AsyncClient) -> None:
    for headers in ({}, {"Authorization": "Bearer nobody"}):
        for path in (REQUEST, f"{REQUEST}?client_id=app-v2"):
            assert (await anybody.post(path, headers=headers)).status_code == 401
    assert world.feature.asked == []


@pytest.mark.parametrize("body", [{"note": "x" * 501}, {"note": 7}, {"why": "x"}])
async def test_what_a_request_may_not_say(world: World, v3: httpx.AsyncClient, body: dict[str, object]) -> None:
    assert (await v3.post(REQUEST, json=body)).status_code == 400
    assert world.feature.asked == []
