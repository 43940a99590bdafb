"""A v2 application with the feature off: connected, read and sent from, all by its dynamic addresses (S5, S6)."""

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.lab import addresses as at
from tests.lab.dovecot import User
from tests.lab.firewall import Firewall
from tests.lab.laboratory import Laboratory
from tests.lab.mails import mails
from tests.running import SERVERS, Running, configuration, credentials
from tests.waiting import until

PORT = 18225
V2_DYNAMIC, V2_STATIC = at.OTHER[:2], at.OTHER[2:]


class V2:
    """A v2 application, as its developer has it."""

    def __init__(self, mooring: Running) -> None:
        made = mooring.command("app", "create", "--name", "Second", "--generation", "v2", "--region", "us")
        assert made.keys() == {"client_id", "client_secret"}
        self.id, self.secret = made["client_id"], made["client_secret"]
        self._url = mooring.url

    def authorize(self, user: User, **more: Any) -> httpx.Response:
        """Native authentication, first step."""
        body = {
            "client_id": self.id, "name": "Anna", "email_address": user.address, "provider": "imap",
            "settings": {**credentials(user), **SERVERS}, "scopes": "email.read_only,email.send", **more,
        }  # fmt: skip
        return httpx.post(f"{self._url}/connect/authorize", json=body, timeout=40)

    def exchange(self, code: str, **other: str) -> httpx.Response:
        """Its second step."""
        body = {"client_id": self.id, "client_secret": self.secret, "code": code, **other}
        return httpx.post(f"{self._url}/connect/token", json=body, timeout=40)

    def get(self, path: str, token: str = "", accept: str = "application/json", **parameters: Any) -> httpx.Response:
        """A call with an account's token, or with the application's secret, as Basic authentication."""
        return httpx.get(
            f"{self._url}{path}", params=parameters, auth=(token or self.secret, ""), headers={"Accept": accept},
            timeout=40,
        )  # fmt: skip

    def send(self, token: str, message: dict[str, Any]) -> httpx.Response:
        return httpx.post(f"{self._url}/send", json=message, headers={"Authorization": f"Bearer {token}"}, timeout=40)


@pytest.fixture(scope="module")
def mooring(lab: Laboratory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("v2")
    (folder / "mooring.toml").write_text(configuration(PORT, v2_static=V2_STATIC, v2_dynamic=V2_DYNAMIC))
    running = Running(folder, PORT, lab.trust)
    running.start()
    _ = lab.postfix
    yield running
    assert running.stop() == 0


@pytest.fixture(scope="module")
def app(mooring: Running) -> V2:
    return V2(mooring)


@pytest.fixture(scope="module")
def user(lab: Laboratory) -> User:
    user = lab.user("annav2")
    lab.dovecot.append_many(user.address, "INBOX", mails(12, seed=95))
    return user


@pytest.fixture(scope="module")
def token(app: V2, user: User) -> str:
    code = app.authorize(user).json()["code"]
    return app.exchange(code).json()["access_token"]


def test_s5_s6_the_lists_are_those_of_the_v2_application(app: V2) -> None:
    answer = app.get(f"/a/{app.id}/ip_addresses")
    assert answer.status_code == 200, answer.text
    lists = answer.json()
    assert lists["ip_addresses"] == lists["dynamic_ip_addresses"] == list(V2_DYNAMIC)
    assert lists["static_ip_addresses"] == list(V2_STATIC)
    assert abs(time.time() - lists["updated_at"]) < 600


def test_native_authentication_reading_and_sending_leave_from_the_dynamic_addresses(
    mooring: Running, app: V2, lab: Laboratory, user: User, firewall: Firewall
) -> None:
    friend = lab.user("bertv2")
    firewall.admit_only(V2_DYNAMIC)
    firewall.forget()
    mark = lab.dovecot.server.mark()

    authorized = app.authorize(user)
    assert authorized.status_code == 200, authorized.text
    code = authorized.json()["code"]
    connected = app.exchange(code)
    assert connected.status_code == 200, connected.text
    token = connected.json()["access_token"]
    assert connected.json()["email_address"] == user.address
    assert app.exchange(code).status_code == 401

    account = app.get("/account", token).json()
    assert (account["id"], account["object"]) == (connected.json()["id"], "account")
    until(lambda: app.get("/account", token).json()["sync_state"] == "running", timeout_s=30, what="it runs")

    listed = app.get("/messages", token, limit=100).json()
    on_server = [message.raw for message in lab.dovecot.messages(user.address, "INBOX")]
    assert len(listed) == len(on_server) == 12
    assert [m["date"] for m in listed] == sorted((m["date"] for m in listed), reverse=True)
    assert {m["folder"]["name"] for m in listed} == {"inbox"}
    raws = {app.get(f"/messages/{m['id']}", token, accept="message/rfc822").content for m in listed}
    assert raws == set(on_server)
    assert app.get(f"/messages/{listed[0]['id']}", token).json()["subject"] == listed[0]["subject"]

    sent = app.send(token, {"to": [{"email": friend.address}], "subject": "Grüße", "body": "<p>Hallo v2</p>"})
    assert sent.status_code == 200, sent.text
    assert (sent.json()["account_id"], sent.json()["object"]) == (account["id"], "message")
    until(
        lambda: any(b"Hallo v2" in mail.raw for mail in lab.dovecot.messages(friend.address, "INBOX")),
        timeout_s=20,
        what="the mail arrives",
    )
    until(lambda: len(lab.dovecot.messages(user.address, "Sent")) == 1, timeout_s=20, what="the copy is in Sent")

    assert firewall.sources() <= set(V2_DYNAMIC)
    assert lab.dovecot.remote_addresses(since=mark) <= set(V2_DYNAMIC)
    ledger = mooring.command("grant", "connections", account["id"])
    assert {entry["traffic"] for entry in ledger} >= {"auth", "sync", "send"}
    assert {entry["source_address"] for entry in ledger} <= set(V2_DYNAMIC)


def test_what_cannot_be_meant_is_answered_barely(app: V2, user: User, token: str) -> None:
    wrong = app.authorize(user, settings={**credentials(user), **SERVERS, "imap_password": "Wrong-4711"})
    assert wrong.status_code == 400
    assert wrong.json()["type"] == "api.provider_error"
    assert wrong.json()["provider_error"]["stage"] == "login"
    assert "Wrong-4711" not in wrong.text
    for answer, status in (
        (app.authorize(user, client_id="nobody"), 401),
        (app.authorize(user, provider="carrier pigeon"), 400),
        (app.exchange("no-such-code"), 401),
        (app.exchange("no-such-code", client_secret="wrong"), 401),
        (app.get("/account", "no-such-token"), 401),
        (app.get("/messages/nothing", token), 404),
        (app.get("/messages", token, limit="many"), 400),
        (app.send(token, {"subject": "to nobody"}), 400),
        (app.get("/v3/grants", token), 401),
        (app.get("/a/other/ip_addresses"), 401),
    ):
        assert answer.status_code == status, answer.text
        said = answer.json()
        assert {"message", "type"} <= said.keys() or {"error", "error_description"} <= said.keys() or "error" in said


def test_a_server_that_admits_only_static_addresses_makes_no_account_with_the_feature_off(
    app: V2, lab: Laboratory, firewall: Firewall
) -> None:
    firewall.admit_only(V2_STATIC)
    refused = app.authorize(lab.user("carlav2"))
    assert refused.status_code == 504
    told = refused.json()["provider_error"]
    assert (told["stage"], told["reason"], told["environment"]) == ("connect", "timeout", "dynamic")
    assert told["source"] in V2_DYNAMIC
    assert "carlav2@lab.test" not in {a["email"] for a in app.get(f"/a/{app.id}/accounts").json()}
