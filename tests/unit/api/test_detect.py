"""Detecting settings, as both generations ask for it."""

from dataclasses import replace
from typing import Any, cast

import httpx

from mooring.api import create_app
from mooring.providers import Detected, Provider
from tests.unit.api.fakes import V2_APPLICATION, V2_SECRET, V3_KEY, World

PATH = "/v3/providers/detect"
V2_PATH = "/connect/detect-provider"


def v2_body(email: str = "ann@example.com", **changed: str) -> dict[str, str]:
    return {"client_id": V2_APPLICATION.id, "client_secret": V2_SECRET, "email_address": email, **changed}


async def test_v3(world: World, v3: httpx.AsyncClient) -> None:
    answer = await v3.post(PATH, params={"email": "ann+a@example.com", "all_provider_types": "True"})
    assert answer.status_code == 200
    data = answer.json()["data"]
    assert world.detection.calls == [("detect", "app-v3", "ann+a@example.com")]
    assert (data["email_address"], data["detected"], data["provider"]) == ("ann+a@example.com", True, "imap")
    assert "type" not in data
    assert data["settings"] == {
        "email": "ann+a@example.com",
        "imap_host": "imap.example.com",
        "imap_port": 993,
        "imap_tls": "implicit",
        "imap_username": "ann+a@example.com",
        "smtp_host": "smtp.example.com",
        "smtp_port": 587,
        "smtp_tls": "starttls",
        "smtp_username": "ann+a@example.com",
        "caldav_url": "https://dav.example.com/dav",
        "caldav_username": "ann+a@example.com",
    }
    assert [(s["service"], s["origin"]) for s in data["servers"]] == [
        ("imap", "autoconfig"),
        ("smtp", "autoconfig"),
        ("caldav", "well-known"),
    ]
    assert data["notes"] == ["imap2.example.com was not heard."]


async def test_what_is_proposed_can_be_connected(world: World, v3: httpx.AsyncClient) -> None:
    settings = (await v3.post(PATH, params={"email": "ann@example.com"})).json()["data"]["settings"]
    body = {"provider": "imap", "settings": {**settings, "imap_password": "secret"}}
    assert (await v3.post("/v3/connect/custom", json=body)).status_code == 201
    [wanted] = world.grants.connected
    assert wanted.settings.smtp is not None
    assert wanted.settings.caldav is not None
    assert wanted.settings.smtp.tls == "starttls"


async def test_a_known_imap_provider_has_a_type_and_others_have_none(world: World, v3: httpx.AsyncClient) -> None:
    world.detection.found = replace(world.detection.found, type="gmx")
    assert (await v3.post(PATH, params={"email": "a@gmx.de"})).json()["data"]["type"] == "gmx"
    world.detection.found = Detected("", Provider.GOOGLE, "gmail")
    assert "type" not in (await v3.post(PATH, params={"email": "a@gmail.com"})).json()["data"]


async def test_nothing_found(world: World, v3: httpx.AsyncClient) -> None:
    world.detection.found = Detected("", None)
    assert (await v3.post(PATH, params={"email": "ann@example.com"})).json()["data"] == {
        "email_address": "ann@example.com",
        "detected": False,
        "settings": {},
        "servers": [],
        "notes": [],
    }


async def test_v3_without_an_address_or_a_key(v3: httpx.AsyncClient) -> None:
    assert (await v3.post(PATH)).status_code == 400
    assert (await v3.get(PATH, params={"email": "ann@example.com"})).status_code == 405
    assert (await v3.post(PATH, params={"email": "a@b.de", "all_provider_types": "maybe"})).status_code == 400
    del v3.headers["Authorization"]
    assert (await v3.post(PATH, params={"email": "ann@example.com"})).status_code == 401


async def test_v2(world: World, anybody: httpx.AsyncClient) -> None:
    world.detection.found = replace(world.detection.found, type="gmx")
    answer = await anybody.post(V2_PATH, json=v2_body("ann@gmx.de"))
    assert answer.status_code == 200
    assert answer.json() == {
        "auth_name": "imap",
        "detected": True,
        "email_address": "ann@gmx.de",
        "is_imap": True,
        "provider_name": "gmx",
    }


async def test_v2_has_its_own_names(world: World, anybody: httpx.AsyncClient) -> None:
    names = {Provider.GOOGLE: "gmail", Provider.MICROSOFT: "office365", Provider.EWS: "exchange"}
    for provider, name in names.items():
        world.detection.found = Detected("", provider)
        told = (await anybody.post(V2_PATH, json=v2_body())).json()
        assert (told["auth_name"], told["provider_name"], told["is_imap"]) == (name, name, False)
    world.detection.found = Detected("", None)
    told = (await anybody.post(V2_PATH, json=v2_body())).json()
    assert (told["auth_name"], told["provider_name"], told["detected"]) == (None, None, False)


async def test_v2_takes_the_client_secret_alone(world: World, anybody: httpx.AsyncClient) -> None:
    assert (await anybody.post(V2_PATH, json=v2_body(client_secret="wrong"))).status_code == 401
    assert world.detection.calls == []


async def test_twenty_a_minute_with_those_for_diagnoses() -> None:
    world = World()
    transport = httpx.ASGITransport(app=cast("Any", create_app(world.services())))
    headers = {"Authorization": f"Bearer {V3_KEY}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://api.test", headers=headers) as client:
        params = {"email": "ann@example.com"}
        for _ in range(8):
            assert (await client.post("/v3/diagnoses", json=params)).status_code == 202
        answers = [await client.post(PATH, params=params) for _ in range(13)]
        diagnosed = await client.post("/v3/diagnoses", json=params)
        of_a_host = await client.post("/v3/diagnoses", json={**params, "host": "imap.example.com"})
    assert [answer.status_code for answer in answers] == [200] * 12 + [429]
    assert (diagnosed.status_code, of_a_host.status_code) == (429, 202)
    assert "detections of this application" in diagnosed.json()["error"]["message"]
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 3
    assert "detections of this application: 20 in 60 seconds" in answers[-1].json()["error"]["message"]
