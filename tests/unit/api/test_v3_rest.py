"""The other doors of v3, and those of the machines."""

from dataclasses import replace
from typing import Any, cast
from uuid import UUID

import httpx
import pytest

from mooring.api import create_app
from mooring.api.queries import write_token
from mooring.applications import Application, StaticIps
from mooring.calendars import EventQuery
from mooring.egress import GuardMode, GuardState
from mooring.grants import GrantQuery
from tests.unit.api.fakes import NOW, NOW_S, PASSWORD, V3_KEY, FakeAllowlist, FakeList, World

SETTINGS = {
    "imap_host": "imap.example.com",
    "imap_port": 993,
    "imap_username": "ann@example.com",
    "imap_password": PASSWORD,
    "smtp_host": "smtp.example.com",
}


async def test_connecting_an_account(world: World, v3: httpx.AsyncClient) -> None:
    answer = await v3.post(
        "/v3/connect/custom",
        json={"provider": "imap", "settings": SETTINGS, "state": "s", "scope": ["a", "b"], "name": "Ann"},
        headers={"User-Agent": "Test/1"},
    )
    assert answer.status_code == 201
    [request] = world.grants.connected
    assert (request.provider, request.email) == ("imap", "ann@example.com")
    assert request.credentials.imap_password == PASSWORD
    assert (request.state, request.scope, request.name) == ("s", ("a", "b"), "Ann")
    assert (request.user_agent, request.ip) == ("Test/1", "192.0.2.7")
    assert PASSWORD not in answer.text
    shown = answer.json()["data"]
    assert shown["settings"]["imap_host"] == "imap.example.com"
    assert (shown["grant_status"], shown["environment"], shown["state"]) == ("valid", "dynamic", "s")


async def test_a_forwarded_address_is_not_believed(world: World, v3: httpx.AsyncClient) -> None:
    body = {"provider": "imap", "settings": SETTINGS}
    await v3.post("/v3/connect/custom", json=body, headers={"X-Forwarded-For": "203.0.113.99"})
    assert world.grants.connected[0].ip == "192.0.2.7"


async def test_json_under_any_content_type(world: World, v3: httpx.AsyncClient) -> None:
    answer = await v3.post(
        "/v3/connect/custom",
        content=httpx.Request("POST", "http://x", json={"provider": "imap", "settings": SETTINGS}).content,
        headers={"Content-Type": "text/plain;charset=UTF-8"},
    )
    assert answer.status_code == 201


async def test_grants_are_listed(world: World, v3: httpx.AsyncClient) -> None:
    answer = await v3.get(
        "/v3/grants?limit=5&offset=2&email=a%40b.c&provider=imap&grant_status=invalid&since=1&before=2"
        "&sort_by=updated_at&order_by=asc"
    )
    body = answer.json()
    assert (body["limit"], body["offset"], body["next_cursor"]) == (5, 2, None)
    assert body["data"][0]["sync"] == {
        "state": "ok",
        "synced_at": NOW_S,
        "error": None,
        "stopped_at": None,
        "start_due_at": None,
    }
    expected = GrantQuery(
        limit=5, offset=2, email="a@b.c", provider="imap", status="invalid", since=1, before=2,
        sort_by="updated_at", descending=False,
    )  # fmt: skip
    assert world.grants.calls == [("list", "app-v3", expected)]


async def test_grants_are_listed_ten_at_a_time(world: World, v3: httpx.AsyncClient) -> None:
    await v3.get("/v3/grants")
    assert world.grants.calls == [("list", "app-v3", GrantQuery(limit=10))]


@pytest.mark.parametrize(
    "query", ["sort_by=email", "order_by=up", "grant_status=odd", "offset=-1", "limit=0", "ip=1.2.3.4"]
)
async def test_what_the_list_of_grants_refuses(v3: httpx.AsyncClient, query: str) -> None:
    assert (await v3.get(f"/v3/grants?{query}")).status_code == 400


async def test_a_grant_is_changed(world: World, v3: httpx.AsyncClient) -> None:
    answer = await v3.patch("/v3/grants/g1", json={"settings": {"imap_host": "new.example.com"}})
    assert answer.status_code == 200
    assert ("update", "g1", {"imap_host": "new.example.com"}, None) in world.grants.calls
    await v3.patch("/v3/grants/g1", json={"scope": []})
    assert ("update", "g1", None, ()) in world.grants.calls


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v3/connect/custom", {"provider": "imap", "settings": SETTINGS}),
        ("PATCH", "/v3/grants/g1", {"scope": []}),
        ("PUT", "/v3/webhooks/w1", {"status": "pause"}),
        ("POST", "/v3/webhooks/w1/dead-letters/resend", {"grant_id": "g1"}),
        ("POST", "/v3/webhooks/mock-payload", {"trigger_type": "message.created"}),
        ("POST", "/v3/webhooks/send-test-event", {"webhook_url": "https://b.example/"}),
    ],
)
async def test_a_field_that_a_body_does_not_have_is_named(
    v3: httpx.AsyncClient, method: str, path: str, body: dict[str, object]
) -> None:
    await v3.post("/v3/webhooks", json={"trigger_types": ["message.created"], "webhook_url": "https://b.example/"})
    answer = await v3.request(method, path, json={**body, "nonsense": 1})
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "api.invalid_request_error")
    assert "unknown field `nonsense`" in answer.json()["error"]["message"]


async def test_a_grant_is_deleted(world: World, v3: httpx.AsyncClient) -> None:
    answer = await v3.delete("/v3/grants/g1")
    assert answer.json() == {"request_id": answer.headers["x-request-id"]}
    assert (await v3.delete("/v3/grants/other")).status_code == 404


async def test_calendars(v3: httpx.AsyncClient) -> None:
    answer = await v3.get("/v3/grants/g1/calendars")
    [calendar] = answer.json()["data"]
    assert answer.headers["x-mooring-synced-at"] == "2026-01-31T12:00:00Z"
    assert (calendar["object"], calendar["read_only"], calendar["is_owned_by_user"]) == ("calendar", False, True)
    assert (await v3.get("/v3/grants/g1/calendars/primary")).json()["data"]["id"] == "cal1"
    assert (await v3.get("/v3/grants/g1/calendars/x")).status_code == 404


async def test_events(world: World, v3: httpx.AsyncClient) -> None:
    answer = await v3.get(
        "/v3/grants/g1/events?calendar_id=cal1&start=1&end=2&title=t&location=l&description=d&ical_uid=u&busy=True"
        "&show_cancelled=true&limit=3&page_token=abc"
    )
    [event] = answer.json()["data"]
    assert event["when"]["object"] == "timespan"
    expected = EventQuery(
        start=1, end=2, title="t", location="l", description="d", ical_uid="u", busy=True, show_cancelled=True,
        limit=3, cursor="abc",
    )  # fmt: skip
    assert world.calendars.calls == [("events", "g1", "cal1", expected)]
    assert (await v3.get("/v3/grants/g1/events/ev1?calendar_id=cal1")).json()["data"]["title"] == "Standup"


@pytest.mark.parametrize(
    "path",
    [
        "/v3/grants/g1/events",
        "/v3/grants/g1/events/ev1",
        "/v3/grants/g1/events?calendar_id=None",
        "/v3/grants/g1/events?calendar_id=c&attendees=a@b.c",
    ],
)
async def test_what_events_refuse(v3: httpx.AsyncClient, path: str) -> None:
    assert (await v3.get(path)).status_code == 400


async def test_the_static_list(v3: httpx.AsyncClient) -> None:
    assert (await v3.get("/v3/static-ips")).json()["data"] == {
        "generation": "v3",
        "region": "us",
        "version": 3,
        "updated_at": NOW_S,
        "ip_addresses": ["203.0.113.10"],
        "entries": [{"address": "203.0.113.10"}],
    }


class NoLists(FakeAllowlist):
    """The lists of an installation without a pool."""

    def static_list(self, application: Application, /) -> FakeList:
        return replace(super().static_list(application), version=0, ip_addresses=[], entries=[])


async def test_a_region_without_a_static_pool_has_no_empty_list() -> None:
    app = create_app(replace(World().services(), allowlist=cast("Any", NoLists())))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=cast("Any", app)), base_url="http://api.test") as v3:
        answer = await v3.get("/v3/static-ips", headers={"Authorization": f"Bearer {V3_KEY}"})
    assert (answer.status_code, answer.json()["error"]["type"]) == (503, "api.egress_error")
    assert "declares no pool v3-us-static" in answer.json()["error"]["message"]
    assert "[[egress.pool]]" in answer.json()["error"]["message"]


async def test_there_is_no_dynamic_list_and_it_says_why(v3: httpx.AsyncClient) -> None:
    data = (await v3.get("/v3/dynamic-ips")).json()["data"]
    assert data["ip_addresses"] == []
    assert "/v3/static-ips" in data["message"]
    assert "198.51.100.20" not in str(data)


async def test_the_application(v3: httpx.AsyncClient) -> None:
    data = (await v3.get("/v3/applications")).json()["data"]
    assert (data["application_id"], data["region"], data["branding"]["name"]) == ("app-v3", "us", "Acme")
    assert data["static_ips"] == StaticIps.OFF


async def test_connections_of_a_grant_are_paged(world: World, v3: httpx.AsyncClient) -> None:
    path = "/v3/grants/g1/connections?limit=2&server=imap.example.com&source=d1&since=2026-01-01"
    first = (await v3.get(path)).json()
    assert [e["source"] for e in first["data"]] == ["203.0.113.10"] * 2
    shown = first["data"][0]
    assert (shown["at"], shown["environment"], shown["class"]) == ("2026-01-31T12:00:00Z", "dynamic", "sync")
    assert (shown["source_name"], shown["server"]) == ("d1", "imap.example.com:993")
    second = (await v3.get(f"{path}&page_token={first['next_cursor']}")).json()
    ids = [e["id"] for e in first["data"] + second["data"]]
    assert ids == [e.id for e in world.ledger.written]
    assert second["next_cursor"] is None
    asked = world.ledger.asked[1]
    assert (asked["application_id"], asked["subject"], asked["server"], asked["source"]) == (
        "app-v3", "s1", "imap.example.com", "d1",
    )  # fmt: skip
    assert asked["before"] == (NOW, first["data"][-1]["id"])


async def test_connections_of_the_application_are_its_own(world: World, v3: httpx.AsyncClient) -> None:
    assert len((await v3.get("/v3/connections")).json()["data"]) == 3
    assert (world.ledger.asked[0]["application_id"], world.ledger.asked[0]["subject"]) == ("app-v3", None)


@pytest.mark.parametrize("token", ["abc", "WzFd", "WyIyMDI2LTAxLTMxVDEyOjAwOjAwIiwieCJd"])
async def test_a_forged_ledger_token_is_400(v3: httpx.AsyncClient, token: str) -> None:
    assert (await v3.get(f"/v3/connections?page_token={token}")).status_code == 400


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
async def test_a_ledger_token_from_outside_of_time_is_400(v3: httpx.AsyncClient, at: str) -> None:
    token = write_token([at, str(UUID(int=1))])
    assert (await v3.get(f"/v3/connections?page_token={token}")).status_code == 400


async def test_health_and_readiness(world: World, anybody: httpx.AsyncClient) -> None:
    assert (await anybody.get("/healthz")).json() == {"status": "ok"}
    assert (await anybody.get("/readyz")).status_code == 200
    world.is_ready = lambda: False
    assert (await anybody.get("/readyz")).status_code == 503


async def test_metrics_count_by_route_never_by_id(v3: httpx.AsyncClient) -> None:
    await v3.get("/v3/grants/g1/messages/m1")
    await v3.get("/v3/somewhere/else")
    text = (await v3.get("/metrics")).text
    assert 'route="/v3/grants/{identifier}/messages/{message_id}",status="200"' in text
    assert 'route="unmatched",status="404"' in text
    assert "somewhere" not in text


async def test_metrics_tell_leaks_only_when_the_kernel_is_known_to_count_them(
    world: World, anybody: httpx.AsyncClient
) -> None:
    for mode in (GuardMode.UNWATCHED, GuardMode.SILENT, GuardMode.NOT_APPLIED):
        world.guard.state = GuardState(mode)
        text = (await anybody.get("/metrics")).text
        assert f'mooring_egress_guard{{mode="{mode}"}} 1.0' in text
        assert "mooring_egress_leaks" not in text
    for leaks in (0, 3):
        world.guard.state = GuardState(GuardMode.COUNTING, leaks=leaks)
        text = (await anybody.get("/metrics")).text
        assert 'mooring_egress_guard{mode="counting"} 1.0' in text
        assert text.count("mooring_egress_guard{") == 1
        assert f"mooring_egress_leaks_total {leaks}.0" in text


async def test_metrics_tell_how_full_each_source_is(world: World, anybody: httpx.AsyncClient) -> None:
    world.guard.counts = {"static-1": (20, 4)}
    text = (await anybody.get("/metrics")).text
    assert 'mooring_egress_connections{source="static-1",state="open"} 20.0' in text
    assert 'mooring_egress_connections{source="static-1",state="waited_for"} 4.0' in text
    world.guard.counts = {}
    assert "static-1" not in (await anybody.get("/metrics")).text


async def test_reflect(anybody: httpx.AsyncClient) -> None:
    answer = await anybody.get("/reflect")
    assert answer.text == "192.0.2.7\n"
    assert answer.headers["content-type"].startswith("text/plain")


async def test_the_docs_name_every_route(anybody: httpx.AsyncClient) -> None:
    openapi = (await anybody.get("/docs/openapi.json")).json()
    assert openapi["openapi"] == "3.1.0"
    listing = openapi["paths"]["/v3/grants/{identifier}/messages"]["get"]
    assert listing["summary"].startswith("List messages, newest first")
    assert {"in", "unread", "limit", "page_token"} <= {p["name"] for p in listing["parameters"]}
    assert listing["security"] == [{"key": []}]
    schemas = openapi["components"]["schemas"]
    reference = listing["responses"]["200"]["content"]["application/json"]["schema"]["$ref"]
    assert reference.rpartition("/")[2] in schemas
    assert "from" in schemas["Message"]["properties"]
    page = await anybody.get("/docs")
    assert "/v3/grants/{identifier}/messages" in page.text
    assert "<script" not in page.text
