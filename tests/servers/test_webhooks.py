"""Webhooks end to end: mail arrives in Dovecot, and an endpoint is told; by the official SDKs."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from nylas.models.errors import NylasApiError
from nylas.models.messages import Message
from nylas.models.webhooks import Webhook, WebhookTriggers

from tests.endpoint import Endpoint, endpoint
from tests.lab.dovecot import User
from tests.lab.laboratory import Laboratory
from tests.lab.mails import mails
from tests.running import Running, started
from tests.waiting import until

PORT = 18027
SOURCE = "127.0.1.30"
NODE = Path(__file__).resolve().parents[1] / "node"
TRIGGERS = [
    WebhookTriggers.MESSAGE_CREATED,
    WebhookTriggers.MESSAGE_UPDATED,
    WebhookTriggers.MESSAGE_SEND_SUCCESS,
    WebhookTriggers.GRANT_CREATED,
    WebhookTriggers.GRANT_DELETED,
    WebhookTriggers.FOLDER_CREATED,
]


@pytest.fixture(scope="module")
def mooring(lab: Laboratory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("webhooks")
    with started(folder, PORT, lab.trust, webhook=[SOURCE]) as running:
        lab.postfix.server.mark()  # it is started by being asked for
        yield running


@pytest.fixture
def receiver() -> Iterator[Endpoint]:
    with endpoint() as found:
        yield found


@dataclass
class Hooked:
    """A webhook as the SDK made it."""

    webhook: Webhook
    secret: str


@pytest.fixture
def hooked(mooring: Running, receiver: Endpoint) -> Iterator[Hooked]:
    made = mooring.sdk.webhooks.create(
        {"trigger_types": TRIGGERS, "webhook_url": receiver.url, "description": "ours"}
    ).data
    yield Hooked(mooring.sdk.webhooks.find(made.id).data, made.webhook_secret)
    mooring.sdk.webhooks.destroy(made.id)


def append(lab: Laboratory, user: User, count: int, *, seed: int) -> list[str]:
    """Let so many messages arrive; their subjects, in order."""
    arriving = list(mails(count, seed=seed, to=user.address))
    for mail in arriving:
        lab.dovecot.append(user.address, "INBOX", mail.raw)
    return [mail.subject for mail in arriving]


def test_the_sdk_makes_lists_changes_and_deletes_webhooks(mooring: Running, receiver: Endpoint) -> None:
    webhooks = mooring.sdk.webhooks
    made = webhooks.create({"trigger_types": [WebhookTriggers.MESSAGE_CREATED], "webhook_url": receiver.url}).data
    assert receiver.challenges == 1
    assert made.webhook_secret
    assert made.status == "active"
    assert [w.id for w in webhooks.list().data] == [made.id]
    changed = webhooks.update(
        made.id, {"trigger_types": [WebhookTriggers.GRANT_EXPIRED], "description": "another"}
    ).data
    assert (changed.trigger_types, changed.description) == ([WebhookTriggers.GRANT_EXPIRED], "another")
    assert receiver.challenges == 1
    rotated = webhooks.rotate_secret(made.id).data
    assert rotated.webhook_secret not in {"", made.webhook_secret}
    assert webhooks.ip_addresses().data.ip_addresses == [SOURCE]
    assert webhooks.destroy(made.id).data is not None
    with pytest.raises(NylasApiError) as caught:
        webhooks.find(made.id)
    assert caught.value.status_code == 404


def test_an_endpoint_that_does_not_answer_the_challenge_is_no_webhook(mooring: Running) -> None:
    with pytest.raises(NylasApiError, match="did not pass the challenge") as caught:
        mooring.sdk.webhooks.create(
            {"trigger_types": [WebhookTriggers.MESSAGE_CREATED], "webhook_url": "http://127.0.4.9:9/hook"}
        )
    assert caught.value.status_code == 400
    assert mooring.sdk.webhooks.list().data == []


def test_mail_that_arrives_is_told(mooring: Running, lab: Laboratory, receiver: Endpoint, hooked: Hooked) -> None:
    user = lab.user("told")
    lab.dovecot.append_many(user.address, "INBOX", mails(30, seed=31))
    grant = mooring.connect(user)
    mooring.synced(grant)
    until(lambda: receiver.of_type("grant.created"), what="the account is told")
    subjects = append(lab, user, 5, seed=32)
    until(lambda: len(receiver.of_type("message.created")) >= 5, timeout_s=20, what="five messages are told")
    created = receiver.of_type("message.created")
    # Not one of the thirty that were there before.
    assert [told.object["subject"] for told in created] == subjects
    assert all(told.is_signed_by(hooked.secret) and told.source == SOURCE for told in receiver.told)
    for told in created:
        message = Message.from_dict(told.object)  # pyright: ignore[reportAttributeAccessIssue]
        assert message.grant_id == told.body["data"]["grant_id"] == grant
        assert mooring.sdk.messages.find(grant, message.id or "").data.body == message.body
    assert {told.body["webhook_delivery_attempt"] for told in created} == {1}

    last = lab.dovecot.messages(user.address, "INBOX")[-1]
    lab.dovecot.set_flags(user.address, "INBOX", [last.uid], ["\\Seen"])
    until(lambda: receiver.of_type("message.updated"), timeout_s=20, what="a message that was read is told")
    assert receiver.of_type("message.updated")[0].object["unread"] is False

    sent = mooring.sdk.messages.send(grant, {"to": [{"email": user.address}], "subject": "s", "body": "b"}).data
    until(lambda: receiver.of_type("message.send_success"), what="what was sent is told")
    assert receiver.of_type("message.send_success")[0].object["id"] == sent.id

    mooring.sdk.grants.destroy(grant)
    until(lambda: receiver.of_type("grant.deleted"), what="the deleted account is told")


def test_facts_are_replayed_by_cursor(mooring: Running, lab: Laboratory) -> None:
    user = lab.user("replayed")
    grant = mooring.connect_to_read(user)
    mooring.synced(grant)
    append(lab, user, 3, seed=33)

    def created() -> list[int]:
        facts = mooring.get(f"/v3/grants/{grant}/facts", limit=200)["data"]
        return [fact["sequence"] for fact in facts if fact["type"] == "message.created"]

    until(lambda: len(created()) == 3, timeout_s=20, what="three messages are facts")
    facts = mooring.get(f"/v3/grants/{grant}/facts", limit=200)["data"]
    assert [fact["sequence"] for fact in facts] == list(range(1, len(facts) + 1))


@pytest.mark.parametrize("victim", ["deliverer", "worker", "api", "postgres"])
def test_a_killed_process_loses_nothing(
    mooring: Running, lab: Laboratory, receiver: Endpoint, hooked: Hooked, victim: str
) -> None:
    user = lab.user(f"killed-{victim}")
    grant = mooring.connect_to_read(user)
    mooring.synced(grant)
    subjects = append(lab, user, 10, seed=40)
    killed = mooring.kill_one(victim)
    until(lambda: mooring.pids().get(victim, killed) != killed, timeout_s=30, what=f"{victim} is started again")
    until(mooring.is_ready, timeout_s=30, what="the API answers")
    subjects += append(lab, user, 10, seed=41)

    def all_told() -> bool:
        return set(subjects) <= {told.object["subject"] for told in receiver.of_type("message.created")}

    until(all_told, timeout_s=60, what="every message is told")
    firsts = dict.fromkeys(told.object["subject"] for told in receiver.of_type("message.created"))
    assert list(firsts) == list(dict.fromkeys(subjects))


def test_the_node_sdk_makes_lists_changes_and_deletes_webhooks(mooring: Running, receiver: Endpoint) -> None:
    done = subprocess.run(
        ["node", str(NODE / "webhooks.js"), mooring.url, mooring.api_key, receiver.url],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    made = answers["created"]["data"]
    assert receiver.challenges == 1
    assert made["triggerTypes"] == ["message.created", "grant.imap_sync_completed"]
    assert (made["status"], made["description"]) == ("active", "from Node")
    assert answers["found"]["data"]["id"] == made["id"]
    assert [webhook["id"] for webhook in answers["listed"]["data"]] == [made["id"]]
    assert answers["updated"]["data"]["triggerTypes"] == ["grant.expired"]
    assert answers["rotated"]["data"]["webhookSecret"] not in {"", made["webhookSecret"]}
    assert answers["addresses"]["data"]["ipAddresses"] == [SOURCE]
    assert answers["destroyed"]["data"] == {"status": "success"}
    assert answers["gone"]["status"] == 404
    assert answers["gone"]["requestId"]
