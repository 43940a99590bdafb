"""The doors of webhooks, of what became of deliveries, and of the facts themselves."""

import httpx
import pytest

from mooring.errors import InvalidRequest
from mooring.store import StoreUnavailable
from tests.unit.api.fake_webhooks import AT
from tests.unit.api.fakes import NOW_S, World

BODY = {
    "trigger_types": ["message.created", "grant.expired"],
    "webhook_url": "https://example.com/hook",
    "description": "ours",
    "notification_email_addresses": ["ops@example.com"],
}


async def create(v3: httpx.AsyncClient, **more: object) -> dict[str, object]:
    answer = await v3.post("/v3/webhooks", json={**BODY, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


async def test_a_webhook_is_shown_with_its_secret_once(v3: httpx.AsyncClient) -> None:
    made = await create(v3)
    assert made == {
        "id": "w1",
        "description": "ours",
        "trigger_types": ["message.created", "grant.expired"],
        "mooring_trigger_types": [],
        "webhook_url": "https://example.com/hook",
        "status": "active",
        "notification_email_addresses": ["ops@example.com"],
        "compressed_delivery": False,
        "ordered": True,
        "status_updated_at": int(AT.timestamp()),
        "created_at": int(AT.timestamp()),
        "updated_at": int(AT.timestamp()),
        "webhook_secret": "a-secret",
    }
    del made["webhook_secret"]
    assert (await v3.get("/v3/webhooks/w1")).json()["data"] == made
    assert (await v3.get("/v3/webhooks")).json()["data"] == [made]


async def test_our_triggers_are_kept_out_of_the_list_that_sdks_read(v3: httpx.AsyncClient) -> None:
    made = await create(v3, mooring_trigger_types=["sync.failed"])
    assert made["trigger_types"] == BODY["trigger_types"]
    assert made["mooring_trigger_types"] == ["sync.failed"]
    answer = await v3.put("/v3/webhooks/w1", json={"trigger_types": ["folder.created"]})
    assert answer.json()["data"]["trigger_types"] == ["folder.created"]
    assert answer.json()["data"]["mooring_trigger_types"] == ["sync.failed"]


NODE_ONLY = "grant.imap_sync_completed"
PYTHON = {"X-Nylas-API-Wrapper": "python"}


async def test_what_the_node_sdk_knows_is_shown_to_it_and_can_be_taken_away(v3: httpx.AsyncClient) -> None:
    made = await create(v3, trigger_types=["message.created", NODE_ONLY], mooring_trigger_types=["sync.gap"])
    assert (made["trigger_types"], made["mooring_trigger_types"]) == (["message.created", NODE_ONLY], ["sync.gap"])
    answer = await v3.put("/v3/webhooks/w1", json={"mooring_trigger_types": ["sync.failed"]})
    assert answer.json()["data"]["trigger_types"] == ["message.created", NODE_ONLY]
    answer = await v3.put("/v3/webhooks/w1", json={"trigger_types": ["message.created"]})
    assert answer.json()["data"]["trigger_types"] == ["message.created"]
    assert answer.json()["data"]["mooring_trigger_types"] == ["sync.failed"]


async def test_the_python_sdk_sees_no_trigger_that_it_cannot_read(v3: httpx.AsyncClient) -> None:
    await create(v3, trigger_types=["message.created", NODE_ONLY])
    for seen in (
        (await v3.get("/v3/webhooks/w1", headers=PYTHON)).json()["data"],
        (await v3.get("/v3/webhooks", headers=PYTHON)).json()["data"][0],
        (await v3.put("/v3/webhooks/w1/rotate-secret", json={}, headers=PYTHON)).json()["data"],
    ):
        assert (seen["trigger_types"], seen["mooring_trigger_types"]) == (["message.created"], [NODE_ONLY])
    # It replaces what it sees, and keeps what it does not.
    answer = await v3.put("/v3/webhooks/w1", json={"trigger_types": ["folder.created"]}, headers=PYTHON)
    assert answer.json()["data"]["trigger_types"] == ["folder.created"]
    assert (await v3.get("/v3/webhooks/w1")).json()["data"]["trigger_types"] == ["folder.created", NODE_ONLY]


async def test_both_spellings_of_a_new_secret(v3: httpx.AsyncClient) -> None:
    await create(v3)
    for answer in (
        await v3.put("/v3/webhooks/w1/rotate-secret", json={}),
        await v3.post("/v3/webhooks/rotate-secret/w1"),
    ):
        assert answer.json()["data"]["webhook_secret"] == "another-secret"


async def test_a_webhook_is_deleted(v3: httpx.AsyncClient) -> None:
    await create(v3)
    answer = await v3.delete("/v3/webhooks/w1")
    assert answer.json() == {"request_id": answer.headers["x-request-id"], "data": {"status": "success"}}
    assert (await v3.get("/v3/webhooks/w1")).status_code == 404


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"status": "asleep"}, "active or pause"),
        ({"description": "x" * 1001}, "longer than 1000"),
        ({"notification_email_addresses": ["a@b.c"] * 21}, "more than 20"),
        ({"trigger_types": "message.created"}, "another shape"),
    ],
)
async def test_what_cannot_be_is_refused(v3: httpx.AsyncClient, body: dict[str, object], said: str) -> None:
    await create(v3)
    answer = await v3.put("/v3/webhooks/w1", json=body)
    assert answer.status_code == 400
    assert said in answer.json()["error"]["message"]


async def test_the_addresses_that_deliveries_leave_from(v3: httpx.AsyncClient) -> None:
    answer = await v3.get("/v3/webhooks/ip-addresses")
    assert answer.json()["data"] == {"ip_addresses": ["192.0.2.30"], "updated_at": NOW_S}


async def test_attempts_are_paged_by_their_time(world: World, v3: httpx.AsyncClient) -> None:
    await create(v3)
    page = (await v3.get("/v3/webhooks/w1/attempts?failed=true&limit=1")).json()
    assert page["data"][0]["reason"] == "answered 500"
    assert (page["data"][0]["attempt"], page["data"][0]["status"], page["data"][0]["duration_ms"]) == (2, 500, 12.3)
    await v3.get(f"/v3/webhooks/w1/attempts?page_token={page['next_cursor']}")
    assert world.webhooks.asked == [
        {"before": None, "failed": True, "limit": 1},
        {"before": AT, "failed": None, "limit": 50},
    ]


async def test_dead_letters_are_shown_and_sent_again(world: World, v3: httpx.AsyncClient) -> None:
    await create(v3)
    [dead] = (await v3.get("/v3/webhooks/w1/dead-letters")).json()["data"]
    assert (dead["grant_id"], dead["sequence"], dead["type"], dead["attempts"]) == ("g1", 6, "message.created", 12)
    answer = await v3.post("/v3/webhooks/w1/dead-letters/resend", json={"grant_id": "g1", "sequences": [6]})
    assert answer.json()["data"] == {"resent": 1}
    assert (await v3.post("/v3/webhooks/w1/dead-letters/resend")).json()["data"] == {"resent": 1}
    assert world.webhooks.asked == [{"grant_id": "g1", "sequences": [6]}, {"grant_id": None, "sequences": None}]
    refused = await v3.post("/v3/webhooks/w1/dead-letters/resend", json={"sequences": [6]})
    assert refused.status_code == 400


async def test_a_sample_of_each_event(v3: httpx.AsyncClient) -> None:
    answer = await v3.post("/v3/webhooks/mock-payload", json={"trigger_type": "message.created"})
    told = answer.json()["data"]
    assert (told["type"], told["specversion"], told["data"]["application_id"]) == ("message.created", "1.0", "app-v3")
    unknown = await v3.post("/v3/webhooks/mock-payload", json={"trigger_type": "message.eaten"})
    assert "message.created" in unknown.json()["error"]["message"]


async def test_a_test_event_is_sent_where_somebody_wants_it(world: World, v3: httpx.AsyncClient) -> None:
    url = "https://example.com/try"
    answer = await v3.post("/v3/webhooks/send-test-event", json={"webhook_url": url})
    assert answer.json() == {"request_id": answer.headers["x-request-id"], "data": "success"}
    await v3.post("/v3/webhooks/send-test-event", json={"webhook_url": url, "trigger_type": "grant.expired"})
    assert world.webhooks.calls == [("app-v3", url, "message.created"), ("app-v3", url, "grant.expired")]
    unknown = await v3.post("/v3/webhooks/send-test-event", json={"webhook_url": url, "trigger_type": "message.eaten"})
    assert unknown.status_code == 400
    assert "message.eaten" in unknown.json()["error"]["message"]
    world.webhooks.error = InvalidRequest("The endpoint did not take the test event: it answered 500.")
    refused = await v3.post("/v3/webhooks/send-test-event", json={"webhook_url": url})
    assert refused.status_code == 400


async def test_facts_are_replayed_from_a_cursor(world: World, v3: httpx.AsyncClient) -> None:
    page = (await v3.get("/v3/grants/g1/facts?limit=10")).json()
    assert [(f["sequence"], f["type"], f["data"]) for f in page["data"]] == [(7, "message.created", {"id": "m1"})]
    later = (await v3.get(f"/v3/grants/g1/facts?page_token={page['next_cursor']}")).json()
    assert later["data"] == []
    assert later["next_cursor"] == page["next_cursor"]
    await v3.get("/v3/grants/g1/facts?after=3")
    assert [asked["after"] for asked in world.webhooks.asked] == [0, 7, 3]


async def test_the_backlog_is_measured(world: World, v3: httpx.AsyncClient) -> None:
    text = (await v3.get("/metrics")).text
    assert "mooring_facts_undelivered 3.0" in text
    assert "mooring_webhook_dead_letters 2.0" in text
    assert 'mooring_webhook_recent_attempts{outcome="taken"} 40.0' in text
    assert 'mooring_webhook_recent_attempts{outcome="not_taken"} 5.0' in text
    world.webhooks.error = StoreUnavailable("the database is away")
    assert (await v3.get("/metrics")).status_code == 200
