"""Webhooks of a v2 application: what happens to its accounts comes as deltas, signed with its client secret."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.endpoint import Endpoint, Told, endpoint
from tests.lab import addresses as at
from tests.lab.dovecot import User
from tests.lab.laboratory import Laboratory
from tests.lab.mails import mails
from tests.running import SERVERS, Running, credentials, started
from tests.waiting import until

PORT = 18029
SOURCE = "127.0.1.30"
TRIGGERS = ["account.connected", "message.created", "message.updated"]


class Application:
    """A v2 application, as its developer has it."""

    def __init__(self, mooring: Running) -> None:
        made = mooring.command("app", "create", "--name", "Second", "--generation", "v2", "--region", "us")
        self.id, self.secret = made["client_id"], made["client_secret"]
        self._url = mooring.url

    def call(self, method: str, path: str = "", body: dict[str, Any] | None = None, **query: Any) -> httpx.Response:
        """A call of its webhooks, as the Node SDK makes it: JSON that is called text."""
        return httpx.request(
            method, f"{self._url}/a/{self.id}/webhooks{path}", params=query, auth=(self.secret, ""),
            content=json.dumps(body) if body is not None else None,
            headers={"Content-Type": "text/plain;charset=UTF-8"}, timeout=40,
        )  # fmt: skip

    def connect(self, user: User) -> tuple[str, str]:
        """Native authentication; the account and its access token."""
        body = {
            "client_id": self.id, "name": "Anna", "email_address": user.address, "provider": "imap",
            "settings": {**credentials(user), **SERVERS, "smtp_host": ""}, "scopes": "email.read_only",
        }  # fmt: skip
        code = httpx.post(f"{self._url}/connect/authorize", json=body, timeout=40).json()["code"]
        exchange = {"client_id": self.id, "client_secret": self.secret, "code": code}
        account = httpx.post(f"{self._url}/connect/token", json=exchange, timeout=40).json()
        return account["account_id"], account["access_token"]

    def get(self, token: str, path: str) -> Any:
        """What an account's token may read."""
        return httpx.get(f"{self._url}{path}", headers={"Authorization": f"Bearer {token}"}, timeout=40).json()


@pytest.fixture(scope="module")
def mooring(lab: Laboratory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("v2hooks")
    pools = {"v2_dynamic": at.OTHER[:2], "v2_static": at.OTHER[2:], "webhook": [SOURCE]}
    with started(folder, PORT, lab.trust, static_ips=False, **pools) as running:
        yield running


@pytest.fixture
def receiver() -> Iterator[Endpoint]:
    with endpoint() as found:
        yield found


@pytest.fixture
def app(mooring: Running) -> Application:
    return Application(mooring)


def deltas(receiver: Endpoint, kind: str) -> list[dict[str, Any]]:
    """What came of this type, in order."""
    return [delta for told in list(receiver.told) for delta in told.body["deltas"] if delta["type"] == kind]


def test_webhooks_are_made_listed_switched_and_deleted(app: Application, receiver: Endpoint) -> None:
    made = app.call("POST", body={"callback_url": receiver.url, "triggers": TRIGGERS, "state": "active"}).json()
    assert made == {
        "id": made["id"],
        "application_id": app.id,
        "callback_url": receiver.url,
        "state": "active",
        "triggers": TRIGGERS,
        "version": "2.0",
    }
    assert receiver.challenges == 1
    assert app.call("GET", offset=0, limit=50).json() == [made]
    assert app.call("GET", offset=50, limit=50).json() == []
    path = f"/{made['id']}"
    assert app.call("PUT", path, {"state": "inactive"}).json() == {**made, "state": "inactive"}
    assert receiver.challenges == 1
    assert app.call("PUT", path, {"state": "active"}).json() == made
    assert receiver.challenges == 2
    assert app.call("DELETE", path).json() == {"success": "true"}
    assert app.call("GET", path).status_code == 404


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"callback_url": "http://127.0.4.9:9/hook"}, "did not pass the challenge"),
        ({"callback_url": "http://127.0.5.1:9/hook"}, "127.0.5.1"),
        ({"callback_url": "nonsense"}, "callback_url 'nonsense'"),
        ({"callback_url": None}, "callback_url is missing"),
        ({"triggers": []}, "triggers is missing or empty"),
        ({"triggers": ["grant.created"]}, "triggers: there is no 'grant.created'"),
    ],
)
def test_what_is_no_webhook_is_refused(app: Application, receiver: Endpoint, body: dict[str, Any], said: str) -> None:
    answer = app.call("POST", body={"callback_url": receiver.url, "triggers": TRIGGERS, **body})
    assert answer.status_code == 400
    assert said in answer.json()["message"]
    assert app.call("GET").json() == []


def test_what_happens_comes_as_deltas(app: Application, lab: Laboratory, receiver: Endpoint) -> None:
    made = app.call("POST", body={"callback_url": receiver.url, "triggers": TRIGGERS}).json()
    user = lab.user("deltas")
    account, token = app.connect(user)
    [connected] = until(lambda: deltas(receiver, "account.connected"), what="the account is told")
    assert (connected["object"], connected["object_data"]["id"]) == ("account", account)
    until(lambda: app.get(token, "/account")["sync_state"] == "running", timeout_s=60, what="it is in step")

    append(lab, user, seed=61)
    [told] = until(lambda: deltas(receiver, "message.created"), timeout_s=20, what="a message is told")
    [message] = app.get(token, "/messages")
    assert told["object_data"] == {
        "namespace_id": account,
        "account_id": account,
        "object": "message",
        "attributes": {"thread_id": message["thread_id"], "received_date": message["date"]},
        "id": message["id"],
        "metadata": None,
    }
    assert told["date"] > 0
    lab.dovecot.set_flags(user.address, "INBOX", [1], ["\\Seen"])
    until(lambda: deltas(receiver, "message.updated"), timeout_s=20, what="a message that was read is told")
    assert deltas(receiver, "message.updated")[0]["object_data"]["id"] == message["id"]
    assert all(is_ours(app, delivery) for delivery in receiver.told)

    # Switched off it hears nothing, and on again it hears of what happens from then on.
    app.call("PUT", f"/{made['id']}", {"state": "inactive"})
    append(lab, user, seed=62)
    until(lambda: len(app.get(token, "/messages")) == 2, timeout_s=20, what="what was not told is there")
    assert app.call("PUT", f"/{made['id']}", {"state": "active"}).json()["state"] == "active"
    append(lab, user, seed=63)
    until(lambda: len(deltas(receiver, "message.created")) == 2, timeout_s=20, what="the next one is told")
    identities = [delta["object_data"]["id"] for delta in deltas(receiver, "message.created")]
    assert len(set(identities)) == 2
    assert len(app.get(token, "/messages")) == 3


def append(lab: Laboratory, user: User, *, seed: int) -> None:
    """Let a message arrive that nobody has read."""
    [mail] = mails(1, seed=seed, to=user.address)
    lab.dovecot.append(user.address, "INBOX", mail.raw)


def is_ours(app: Application, delivery: Told) -> bool:
    return delivery.is_signed_by(app.secret) and delivery.source == SOURCE
