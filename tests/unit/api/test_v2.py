"""The facade of v2: bare objects and arrays, an account where a grant is inside."""

import json
from dataclasses import replace

import httpx
import pytest

from mooring.api.v2.views import account_view, managed_account_view
from mooring.applications import StaticIps
from mooring.grants import GrantStatus
from mooring.mail import Party
from tests.unit.api.fakes import NOW_S, PASSWORD, V2_GRANT, V2_SECRET, V2_TOKEN, World
from tests.unit.api.test_auth import basic

AUTHORIZE = {
    "client_id": "app-v2",
    "name": "Ann",
    "email_address": "Ann@Example.com",
    "provider": "imap",
    "scopes": "email.read_only,email.send",
    "settings": {
        "imap_host": "imap.example.com",
        "imap_port": 993,
        "imap_username": "ann",
        "imap_password": PASSWORD,
        "smtp_host": "smtp.example.com",
        "ssl_required": True,
    },
}


@pytest.fixture
def account(anybody: httpx.AsyncClient) -> httpx.AsyncClient:
    """A caller with an account's access token."""
    anybody.headers["Authorization"] = f"Bearer {V2_TOKEN}"
    return anybody


async def test_native_authentication_in_two_steps(world: World, anybody: httpx.AsyncClient) -> None:
    authorized = await anybody.post(
        "/connect/authorize", content=json.dumps(AUTHORIZE), headers={"Content-Type": "text/plain;charset=UTF-8"}
    )
    assert authorized.json() == {"code": "code-1"}
    [request] = world.grants.connected
    assert (request.email, request.scope) == ("ann@example.com", ("email.read_only", "email.send"))
    answer = await anybody.post(
        "/connect/token", json={"client_id": "app-v2", "client_secret": V2_SECRET, "code": "code-1"}
    )
    body = answer.json()
    assert body["access_token"] == V2_TOKEN
    assert (body["account_id"], body["object"], body["email_address"]) == ("a1", "account", "ann+a@example.com")
    assert "request_id" not in body
    assert answer.headers["nylas-api-version"] == "2.5"
    assert PASSWORD not in authorized.text + answer.text


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/connect/authorize", {**AUTHORIZE, "client_id": "app-v3"}, 401),
        ("/connect/authorize", {**AUTHORIZE, "client_id": "nobody"}, 401),
        ("/connect/authorize", {**AUTHORIZE, "provider": "gmail"}, 400),
        ("/connect/authorize", {**AUTHORIZE, "settings": {}}, 400),
        ("/connect/authorize", {}, 400),
        ("/connect/token", {"client_id": "app-v2", "client_secret": "wrong", "code": "code-1"}, 401),
        ("/connect/token", {"client_id": "app-v2", "client_secret": V2_SECRET, "code": "used"}, 400),
    ],
)
async def test_what_native_authentication_refuses(
    world: World, anybody: httpx.AsyncClient, path: str, body: dict[str, object], status: int
) -> None:
    answer = await anybody.post(path, json=body)
    assert answer.status_code == status
    assert answer.json().keys() == {"message", "type"}
    assert world.grants.connected == []


async def test_the_account(account: httpx.AsyncClient) -> None:
    body = (await account.get("/account")).json()
    assert (body["id"], body["account_id"], body["sync_state"]) == ("a1", "a1", "running")
    assert (body["linked_at"], body["organization_unit"]) == (NOW_S, "folder")


async def test_accounts_of_the_application(anybody: httpx.AsyncClient) -> None:
    anybody.headers["Authorization"] = basic(V2_SECRET)
    [listed] = (await anybody.get("/a/app-v2/accounts?limit=100&offset=0")).json()
    found = (await anybody.get("/a/app-v2/accounts/a1")).json()
    assert listed == found
    assert (found["id"], found["sync_state"], found["email"]) == ("a1", "running", "ann+a@example.com")
    assert (await anybody.get("/a/app-v2/accounts/nope")).status_code == 404


@pytest.mark.parametrize(
    ("state", "current"),
    [
        (StaticIps.OFF, "198.51.100.20"),
        (StaticIps.DENIED, "198.51.100.20"),
        (StaticIps.REQUESTED, "203.0.113.10"),
        (StaticIps.ON, "203.0.113.10"),
    ],
)
async def test_the_addresses_to_allow(world: World, anybody: httpx.AsyncClient, state: StaticIps, current: str) -> None:
    world.applications.v2 = replace(world.applications.v2, static_ips=state)
    answer = await anybody.get("/a/app-v2/ip_addresses", headers={"Authorization": basic(V2_SECRET)})
    assert answer.json() == {
        "ip_addresses": [current],
        "updated_at": NOW_S,
        "dynamic_ip_addresses": ["198.51.100.20"],
        "static_ip_addresses": ["203.0.113.10"],
    }


async def test_messages_are_a_bare_array(account: httpx.AsyncClient) -> None:
    answer = await account.get("/messages?limit=2&offset=0")
    first, second = answer.json()
    assert (first["id"], second["id"]) == ("m0", "m1")
    assert (first["account_id"], first["object"]) == ("g1", "message")
    assert first["from"] == [{"email": "bob@example.com", "name": "Bob"}]
    assert first["folder"] == {
        "id": "inbox", "account_id": "g1", "name": "inbox", "display_name": "INBOX", "object": "folder",
    }  # fmt: skip
    assert first["files"][0]["id"] == "m0-att1"
    assert first["files"][0]["message_ids"] == ["m0"]


@pytest.mark.parametrize(
    ("query", "status"),
    [("offset=-1", 400), ("limit=0", 400), ("view=half", 400), ("started_after=1", 400), ("in=nowhere", 404)],
)
async def test_what_the_list_of_messages_refuses(account: httpx.AsyncClient, query: str, status: int) -> None:
    assert (await account.get(f"/messages?{query}")).status_code == status


@pytest.mark.parametrize("named", ["inbox", "INBOX", "Inbox"])
@pytest.mark.parametrize("parameter", ["in", "folder_id", "label_id"])
async def test_a_folder_by_id_role_or_name(
    world: World, account: httpx.AsyncClient, named: str, parameter: str
) -> None:
    await account.get("/messages", params={parameter: named})
    [(_, _, asked, _, _)] = world.offsets.calls
    assert asked.folder_id == "inbox"


async def test_a_message_and_its_raw_mime(world: World, account: httpx.AsyncClient) -> None:
    assert (await account.get("/messages/m1")).json()["subject"] == "Number 1"
    raw = await account.get("/messages/m1", headers={"Accept": "message/rfc822"})
    assert (raw.content, raw.headers["content-type"]) == (world.mailbox.mime, "message/rfc822")
    assert (await account.get("/messages/nope")).json()["type"] == "invalid_request_error"


async def test_sending(world: World, account: httpx.AsyncClient) -> None:
    answer = await account.post(
        "/send",
        content=json.dumps({"to": [{"email": "b@c.d"}], "subject": "s", "body": "b", "reply_to_message_id": "m1"}),
        headers={"Content-Type": "text/plain;charset=UTF-8"},
    )
    assert (answer.status_code, answer.json()["id"]) == (200, "m99")
    [(submission, _)] = world.sender.sent
    assert (submission.to, submission.reply_to_message_id) == ((Party("b@c.d"),), "m1")


async def test_a_sent_message_is_answered_even_when_folders_cannot_be_read(
    world: World, account: httpx.AsyncClient
) -> None:
    world.mailbox.error = TimeoutError("the server went away")
    assert (await account.post("/send", json={"to": [{"email": "b@c.d"}]})).status_code == 200


@pytest.mark.parametrize("extra", [{"file_ids": ["f"]}, {"tracking": {"opens": True}}, {"draft_id": "d"}])
async def test_what_cannot_be_sent_as_asked_is_not_sent(
    world: World, account: httpx.AsyncClient, extra: dict[str, object]
) -> None:
    assert (await account.post("/send", json={"to": [], **extra})).status_code == 400
    assert world.sender.sent == []


@pytest.mark.parametrize(
    ("changes", "own", "managed"),
    [
        ({"status": GrantStatus.INVALID}, "invalid", "invalid-credentials"),
        ({"sync_error": {"stage": "connect"}}, "sync_error", "sync_error"),
        ({"synced_at": None}, "initializing", "initializing"),
        ({}, "running", "running"),
    ],
)
def test_sync_state_in_v2s_words(changes: dict[str, object], own: str, managed: str) -> None:
    grant = replace(V2_GRANT, **changes)
    assert (account_view(grant).sync_state, managed_account_view(grant).sync_state) == (own, managed)
