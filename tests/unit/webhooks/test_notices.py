"""What an endpoint is told: the envelope of v3, the deltas of v2, and a sample of each event."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
from nylas.models.webhooks import WebhookTriggers

from mooring.config import Generation
from mooring.events import EventType, Recorded
from mooring.webhooks import CATALOGUE, NODE_TRIGGERS, OUR_TRIGGERS, TRIGGERS, notice_id, sample
from mooring.webhooks.catalogue import V2_TRIGGERS, types_behind
from mooring.webhooks.notices import LARGEST, notice_of

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def fact(kind: EventType = EventType.MESSAGE_CREATED, **data: Any) -> Recorded:
    return Recorded("app", "grant", 7, kind, AT, {"id": "m1", **data})


def message(body: str = "<p>hi</p>") -> dict[str, Any]:
    return {
        "id": "m1", "grant_id": "grant", "object": "message", "thread_id": "t1", "date": 5,
        "body": msgspec.Raw(msgspec.json.encode(body)),
    }  # fmt: skip


def test_the_envelope_of_v3() -> None:
    notice = notice_of(fact(), Generation.V3, provider="imap", shown={"object": message()})
    told = json.loads(notice.body(3))
    assert told == {
        "specversion": "1.0",
        "type": "message.created",
        "source": "/imap/emails/realtime",
        "id": notice_id("grant", 7),
        "time": int(AT.timestamp()),
        "webhook_delivery_attempt": 3,
        "data": {"application_id": "app", "grant_id": "grant", "object": {**message(), "body": "<p>hi</p>"}},
    }
    assert json.loads(notice.body(4)) == {**told, "webhook_delivery_attempt": 4}


def test_a_large_message_is_told_without_its_body() -> None:
    shown = {"object": message("x" * LARGEST)}
    notice = notice_of(fact(), Generation.V3, provider="imap", shown=shown)
    told = json.loads(notice.body(1))
    assert told["type"] == "message.created.truncated"
    assert "body" not in told["data"]["object"]
    assert told["data"]["object"]["id"] == "m1"
    assert notice.name == "message.created"


def test_the_delta_of_v2() -> None:
    notice = notice_of(fact(), Generation.V2, provider="imap", shown={"object": message()})
    assert json.loads(notice.body(1)) == {
        "deltas": [
            {
                "date": int(AT.timestamp()),
                "object": "message",
                "type": "message.created",
                "object_data": {
                    "namespace_id": "grant",
                    "account_id": "grant",
                    "object": "message",
                    "attributes": {"thread_id": "t1", "received_date": 5},
                    "id": "m1",
                    "metadata": None,
                },
            }
        ]
    }


def test_an_account_is_what_v2_calls_a_grant() -> None:
    notice = notice_of(fact(EventType.GRANT_EXPIRED), Generation.V2, provider="imap", shown={"object": {}})
    (delta,) = json.loads(notice.body(1))["deltas"]
    assert (delta["type"], delta["object"]) == ("account.invalid", "account")
    assert (delta["object_data"]["id"], delta["object_data"]["account_id"]) == ("grant", "grant")


def test_every_event_has_an_entry_and_a_sample() -> None:
    assert set(CATALOGUE) == set(EventType)
    for kind in EventType:
        told = sample(kind, application_id="app", grant_id="grant", at=1)
        assert told["type"] == kind
        assert told["data"]["grant_id"] == "grant"
        assert json.loads(json.dumps(told)) == told


def test_ours_are_kept_apart() -> None:
    assert not TRIGGERS & OUR_TRIGGERS
    assert NODE_TRIGGERS < OUR_TRIGGERS
    assert {str(kind) for kind in EventType} == TRIGGERS | OUR_TRIGGERS


def test_a_trigger_of_v2_may_stand_for_several_events() -> None:
    assert types_behind(["account.running"], Generation.V2) == [
        "grant.updated",
        "grant.started",
        "sync.recovered",
    ]
    assert types_behind(["message.created", "grant.created"], Generation.V2) == ["message.created"]
    assert types_behind(["message.created", "grant.created"], Generation.V3) == ["grant.created", "message.created"]
    assert "" not in V2_TRIGGERS
    assert len(types_behind(V2_TRIGGERS, Generation.V2)) == sum(bool(entry.v2) for entry in CATALOGUE.values())


def test_every_shared_trigger_is_one_that_the_python_sdk_can_read() -> None:
    assert {str(trigger.value) for trigger in WebhookTriggers} >= TRIGGERS
