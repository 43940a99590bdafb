"""Moving, stopping and starting by HTTP."""

import base64
from typing import Any

import httpx
import pytest

from mooring.config import Kind, MigrationMode
from mooring.errors import Forbidden
from mooring.grants import TooEarly
from tests.unit.api.fakes import V2_SECRET, World

MOVES = "/v3/grants/g1/moves"


async def test_a_move_is_begun_found_and_listed(world: World, v3: httpx.AsyncClient) -> None:
    begun = await v3.post(MOVES, json={"to": "static", "mode": "direct", "dry_run": True})
    assert begun.status_code == 200
    assert world.placements.asked == [("move", "g1", Kind.STATIC, MigrationMode.DIRECT, True, "application")]
    data = begun.json()["data"]
    assert (data["id"], data["state"], data["environment"]) == ("move1", "waiting", "v3-us-static")
    assert [step["step"] for step in data["steps"]] == ["queued"]
    found = (await v3.get(f"{MOVES}/move1")).json()["data"]
    assert (found["id"], found["seconds_left"], found["error"]) == ("move1", 0, None)
    assert [move["id"] for move in (await v3.get(MOVES)).json()["data"]] == ["move1"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"to": "dynamic"}, 409),
        ({"to": "mars"}, 400),
        ({}, 400),
        ({"to": "static", "mode": "later"}, 400),
        ({"to": "static", "dry_run": "perhaps"}, 400),
        ({"to": "static", "fast": True}, 400),
    ],
)
async def test_what_cannot_be_meant(v3: httpx.AsyncClient, body: dict[str, Any], status: int) -> None:
    answer = await v3.post(MOVES, json=body)
    assert answer.status_code == status
    assert answer.json()["error"]["message"]


async def test_without_the_feature_and_for_unknown_ones(world: World, v3: httpx.AsyncClient) -> None:
    assert (await v3.get(f"{MOVES}/other")).status_code == 404
    assert (await v3.post("/v3/grants/nobody/moves", json={"to": "static"})).status_code == 404
    world.placements.refusal = Forbidden("This application does not have static addresses.")
    assert (await v3.post(MOVES, json={"to": "static"})).status_code == 403


async def test_stopped_and_started(world: World, v3: httpx.AsyncClient) -> None:
    assert (await v3.post("/v3/grants/g1/stop")).status_code == 200
    assert (await v3.post("/v3/grants/g1/start")).status_code == 200
    assert [asked[0] for asked in world.placements.asked] == ["stop", "start"]


async def test_v2_calls_it_downgrade_and_upgrade_and_too_early_says_when(
    world: World, anybody: httpx.AsyncClient
) -> None:
    basic = {"Authorization": f"Basic {base64.b64encode(f'{V2_SECRET}:'.encode()).decode()}"}
    for path, what in (("downgrade", "stop"), ("upgrade", "start")):
        answer = await anybody.post(f"/a/app-v2/accounts/a1/{path}", headers=basic)
        assert (answer.status_code, answer.json()) == (200, {"success": "true"})
        assert world.placements.asked[-1][:3] == (what, "app-v2", "a1")
    world.placements.refusal = TooEarly(1742)
    early = await anybody.post("/a/app-v2/accounts/a1/upgrade", headers=basic)
    assert (early.status_code, early.headers["retry-after"]) == (409, "1742")
    assert (early.json()["type"], "1742 seconds" in early.json()["message"]) == ("invalid_request_error", True)
