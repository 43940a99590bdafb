"""Diagnoses by HTTP: asked for, read, listed and followed."""

from typing import Any

import httpx
import pytest

from mooring.diagnosis import Ask, Service
from mooring.errors import TargetNotAllowed
from tests.unit.api.fake_diagnoses import DIAGNOSIS
from tests.unit.api.fakes import PASSWORD, V2_SECRET, World

PATH = "/v3/diagnoses"


async def test_asked_for_and_accepted(world: World, v3: httpx.AsyncClient) -> None:
    body = {"host": "imap.example.com", "settings": {"imap_password": PASSWORD}, "services": ["imap"]}
    answer = await v3.post(PATH, json=body)
    assert answer.status_code == 202
    assert world.diagnoses.asked == [
        Ask(host="imap.example.com", settings={"imap_password": PASSWORD}, services=(Service.IMAP,))
    ]
    data = answer.json()["data"]
    assert (data["id"], data["state"], data["object"], data["verdict"]) == ("d1", "queued", "diagnosis", None)
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert PASSWORD not in answer.text


@pytest.mark.parametrize(
    "body", [{"hosts": "a"}, {"host": 1}, {"services": ["pop3"]}, {"settings": []}, [], "text", {"host": "a\0b"}]
)
async def test_what_has_another_shape(v3: httpx.AsyncClient, body: Any) -> None:
    answer = await v3.post(PATH, json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"].startswith("api.invalid_request")


async def test_a_target_that_is_never_dialled(world: World, v3: httpx.AsyncClient) -> None:
    world.diagnoses.error = TargetNotAllowed("10.0.0.1 is not asked.")
    answer = await v3.post(PATH, json={"host": "10.0.0.1"})
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "api.target_not_allowed")


async def test_the_verdict_and_what_proves_it(world: World, v3: httpx.AsyncClient) -> None:
    answer = await v3.get(f"{PATH}/d1", params={"wait": "900"})
    assert world.diagnoses.calls[-1] == ("find", "app-v3", "d1", 60)
    data = answer.json()["data"]
    assert data["state"] == "done"
    assert (data["verdict"]["code"], data["verdict"]["confidence"]) == ("needed", 0.97)
    assert set(data["verdict"]["next_steps"]) == {"end_user", "developer", "mail_administrator", "support"}
    [seen] = data["evidence"]
    assert (seen["outcome"], seen["source_address"], seen["address"]) == ("reached", "203.0.113.10", "192.0.2.1")
    assert (await v3.get(f"{PATH}/other")).status_code == 404
    assert (await v3.get(f"{PATH}/d1", params={"wait": "-1"})).status_code == 400


async def test_listed_page_by_page(world: World, v3: httpx.AsyncClient) -> None:
    first = (await v3.get(PATH, params={"limit": 2})).json()
    assert [d["id"] for d in first["data"]] == ["d0", "d1"]
    assert first["data"][0]["evidence"] is None
    rest = (await v3.get(PATH, params={"limit": 2, "page_token": first["next_cursor"]})).json()
    assert ([d["id"] for d in rest["data"]], rest["next_cursor"]) == (["d2"], None)
    assert (await v3.get(PATH, params={"page_token": "bm90"})).status_code == 400


async def test_followed_as_events_and_behind_the_last_one_heard(world: World, v3: httpx.AsyncClient) -> None:
    answer = await v3.get(f"{PATH}/d1/stages")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert "content-length" not in answer.headers
    told = 'id: 1\nevent: started\ndata: {"kind":"started","run":1}\n\n'
    verdict = 'id: 2\nevent: verdict\ndata: {"kind":"verdict"}\n\n'
    assert answer.text.endswith(": nothing new\n\n" + told + verdict)
    later = await v3.get(f"{PATH}/d1/stages", headers={"Last-Event-ID": "1"})
    assert (told in later.text, verdict in later.text) == (False, True)
    for odd in ("-1", "x", "9" * 40, "١"):
        headers = [(b"last-event-id", odd.encode())]
        assert told in (await v3.get(f"{PATH}/d1/stages", headers=headers)).text
    assert (await v3.get(f"{PATH}/other/stages")).status_code == 404


async def test_v2_asks_with_its_client_secret(world: World, anybody: httpx.AsyncClient) -> None:
    path, body = f"{PATH}?client_id=app-v2", {"host": "imap.example.com"}
    assert (await anybody.post(path, json=body)).status_code == 401
    answer = await anybody.post(path, json=body, headers={"Authorization": f"Bearer {V2_SECRET}"})
    assert (answer.status_code, world.diagnoses.calls) == (202, [("ask", "app-v2")])


@pytest.mark.parametrize("path", [PATH, f"{PATH}/d1", f"{PATH}/d1/stages"])
async def test_nobody_reads_without_a_key(anybody: httpx.AsyncClient, path: str) -> None:
    assert (await anybody.get(path)).status_code == 401


async def test_the_report_as_a_page_and_as_a_document(world: World, v3: httpx.AsyncClient) -> None:
    page = await v3.get(f"{PATH}/d1/report.html")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert page.headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert (page.headers["x-content-type-options"], page.headers["cache-control"]) == ("nosniff", "no-store")
    for told in ("It filters by address.", "203.0.113.10", "https://mooring.example.com/allowlist/v3/us.txt"):
        assert told in page.text
    document = (await v3.get(f"{PATH}/d1/report.json")).json()
    assert (document["schema"], document["code"]) == ("mooring.diagnosis-report", "needed")
    assert (await v3.get(f"{PATH}/other/report.html")).status_code == 404
    world.diagnoses.found = DIAGNOSIS
    for kind in ("html", "json"):
        answer = await v3.get(f"{PATH}/d1/report.{kind}")
        assert (answer.status_code, answer.json()["error"]["type"]) == (409, "api.conflict_error")
