"""A developer of v2, his application, his users, and the mail administrator who watches them."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from tests.agents import Agent
from tests.endpoint import Endpoint
from tests.lab import addresses as at
from tests.lab.dovecot import User
from tests.lab.laboratory import Laboratory
from tests.lab.mails import mails
from tests.running import SERVERS, Running, credentials
from tests.waiting import until

STATIC, DYNAMIC = at.OTHER[2:], at.OTHER[:2]
CALLBACK = "https://app.example/callback"
TRIGGERS = ["account.connected", "account.stopped", "account.running", "message.created"]
HISTORY = 12
DONE = {"success": "true"}
DELAY_S = 5.0
"""Seconds of the real clock between the first authentication and the second."""


@dataclass
class Customer:
    """One application, as its developer has it."""

    mooring: Running
    lab: Laboratory
    receiver: Endpoint
    id: str
    secret: str

    @property
    def hosted(self) -> str:
        """The Python SDK's words for where its users are sent."""
        return f"client().authentication_url({CALLBACK!r}, state='s-1', scopes=['email.modify', 'email.send'])"

    def switch_on(self) -> None:
        """The operator grants static addresses (S8)."""
        self.mooring.command("app", "set-static-ips", self.id, "on")

    def user(self, name: str) -> User:
        """A mailbox with a history."""
        user = self.lab.user(name)
        self.lab.dovecot.append_many(user.address, "INBOX", mails(HISTORY, seed=96, to=user.address))
        return user

    def consent(self, url: str, user: User) -> httpx.Response:
        """What the user does with a browser on the hosted page; the answer to the form."""
        with httpx.Client(verify=self.mooring.verify, timeout=40) as browser:
            word = re.search(r'name="csrf" value="([^"]+)"', browser.get(url).text)
            assert word is not None
            typed = {name: str(value) for name, value in SERVERS.items()}
            return browser.post(url, data={**typed, "csrf": word[1], "email": user.address, "password": user.password})

    def authorize(self, user: User) -> httpx.Response:
        """Native authentication, without an SDK: the Python one has no call for it."""
        body = {
            "client_id": self.id, "name": "Ann", "email_address": user.address, "provider": "imap",
            "settings": {**credentials(user), **SERVERS}, "scopes": "email.modify,email.send",
        }  # fmt: skip
        return httpx.post(f"{self.mooring.url}/connect/authorize", json=body, timeout=40, verify=self.mooring.verify)

    def administrate(self, method: str, path: str) -> httpx.Response:
        """A call with the client secret."""
        url = f"{self.mooring.url}/a/{self.id}{path}"
        return httpx.request(method, url, auth=(self.secret, ""), timeout=40, verify=self.mooring.verify)

    def deltas(self, kind: str, account: str) -> list[tuple[float, dict[str, Any]]]:
        """What the application was told of an account, by this name: when, and what; every word is signed."""
        told = list(self.receiver.told)
        assert all(delivery.is_signed_by(self.secret) for delivery in told)
        return [
            (delivery.at, delta)
            for delivery in told
            for delta in delivery.body["deltas"]
            if delta["type"] == kind and delta["object_data"]["account_id"] == account
        ]

    def state(self, account: str) -> str:
        """The account's ``sync_state``."""
        return self.administrate("GET", f"/accounts/{account}").json()["sync_state"]

    def placed(self, account: str) -> dict[str, Any]:
        """All that a refused authentication could have changed."""
        [row] = self.mooring.rows(
            """SELECT g.environment, g.stopped_at, g.updated_at, g.credentials, m.id, m.state, m.due_at,
                      (SELECT count(*) FROM move_steps s WHERE s.grant_id = g.id) AS steps
               FROM grants g JOIN moves m ON m.grant_id = g.id WHERE g.id = $1""",
            account,
        )
        return row

    def announced(self, account: str) -> list[str]:
        """The messages that are facts of this account, as ``message.created``."""
        rows = self.mooring.rows(
            "SELECT data ->> 'id' AS id FROM outbox WHERE grant_id = $1 AND type = 'message.created'", account
        )
        return [row["id"] for row in rows]

    def dials(self, account: str) -> list[tuple[str, str]]:
        """Every dial that was made for an account: its class, and the address that it left from."""
        entries = self.mooring.command("grant", "connections", account)
        return [(entry["traffic"], entry["source_address"]) for entry in entries]

    def stopped_at_once(self, account: str, authenticated: float) -> None:
        """S10: it stops by rule, and the application hears of it, within 2 s of the authentication."""
        [(at_, delta)] = until(lambda: self.deltas("account.stopped", account), what="account.stopped comes")
        assert at_ - authenticated < 2.0
        assert delta["object_data"]["id"] == account
        assert self.state(account) == "stopped"

    def arrive(self, user: User, *, seed: int) -> str:
        """One more message arrives; its subject."""
        [mail] = mails(1, seed=seed, to=user.address)
        self.lab.dovecot.append(user.address, "INBOX", mail.raw)
        return mail.subject

    def running(self, account: str) -> None:
        """Return once it is in step."""
        until(lambda: self.state(account) == "running", timeout_s=60, what=f"{account} is running")

    def goes_on(self, begin: Callable[[], httpx.Response], account: str, delay_s: float) -> httpx.Response:
        """The answer of what starts the account, once it is not too early any more: the delay after the stop."""
        stopped_at = self.placed(account)["stopped_at"].timestamp()

        def begun() -> httpx.Response | None:
            answer = begin()
            if answer.status_code == 409:
                assert int(answer.headers["Retry-After"]) <= delay_s
                return None
            assert time.time() - stopped_at >= delay_s
            return answer

        return until(begun, timeout_s=delay_s + 30, what="it is not too early any more")


def code_of(answer: httpx.Response) -> str:
    """The code that the user's browser brings back to the application."""
    assert answer.status_code == 302, answer.text
    assert answer.headers["location"].startswith(CALLBACK)
    said = parse_qs(urlsplit(answer.headers["location"]).query)
    assert said["state"] == ["s-1"]
    return said["code"][0]


def subscribe(sdk: Agent, receiver: Endpoint) -> None:
    """A webhook, made by the Python SDK."""
    made = sdk(
        "hook = client().webhooks.create(); hook.callback_url = {url}; hook.triggers = {triggers};"
        "hook.state = 'active'; hook.save(); hook.state",
        url=receiver.url, triggers=TRIGGERS,
    )  # fmt: skip
    assert made == "active"
