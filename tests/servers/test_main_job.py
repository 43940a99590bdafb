"""The main job, end to end, by the official SDK: Dovecot and Postfix behind nftables, and a real ``mooring up``."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from nylas.models.errors import NylasApiError
from nylas.models.messages import Message

from tests.lab import addresses as at
from tests.lab.dovecot import User
from tests.lab.firewall import Firewall
from tests.lab.laboratory import Laboratory
from tests.lab.mailbox import Deposit
from tests.lab.mails import mails
from tests.running import Running, configuration
from tests.waiting import until

PORT = 18025
COUNT = 120


@pytest.fixture(scope="module")
def mooring(lab: Laboratory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("mooring")
    (folder / "mooring.toml").write_text(configuration(PORT))
    running = Running(folder, PORT, lab.trust)
    running.start()
    yield running
    assert running.stop() == 0


@dataclass
class Connected:
    """A mailbox on a server that admits the static addresses only, connected with the feature on."""

    user: User
    friend: User
    grant: str
    originals: set[bytes]
    seen_since: int
    sent_since: int


@pytest.fixture(scope="module")
def connected(mooring: Running, lab: Laboratory) -> Connected:
    user, friend = lab.user("anna"), lab.user("bert")
    originals = list(mails(COUNT, seed=5))
    lab.dovecot.append_many(user.address, "INBOX", [Deposit(mail.raw, date=mail.date) for mail in originals])
    sent = lab.postfix.server.mark()
    lab.firewall.admit_only(at.STATIC)
    mark = lab.dovecot.server.mark()
    mooring.static_ips("on")
    grant = mooring.connect(user)
    mooring.synced(grant)
    return Connected(user, friend, grant, {mail.raw for mail in originals}, mark, sent)


@pytest.fixture
def filtered(firewall: Firewall) -> Firewall:
    """Only the static addresses are admitted."""
    firewall.admit_only(at.STATIC)
    firewall.forget()
    return firewall


def pages(mooring: Running, grant: str) -> list[Message]:
    """Every message of a grant, page by page."""
    found: list[Message] = []
    query: dict[str, object] = {"limit": 50}
    while True:
        page = mooring.sdk.messages.list(grant, query_params=query)  # pyright: ignore[reportArgumentType]
        found += page.data
        if page.next_cursor is None:
            return found
        query["page_token"] = page.next_cursor


def test_the_folders_are_listed(mooring: Running, connected: Connected) -> None:
    folders = mooring.get(f"/v3/grants/{connected.grant}/folders")["data"]
    assert {f.id for f in mooring.sdk.folders.list(connected.grant).data} == {f["id"] for f in folders}
    inbox = next(f for f in folders if "\\Inbox" in f["attributes"])
    assert inbox["total_count"] == COUNT


def test_every_message_is_listed_once_newest_first(mooring: Running, connected: Connected) -> None:
    listed = pages(mooring, connected.grant)
    assert len(listed) == len({m.id for m in listed}) == COUNT
    assert [m.date for m in listed] == sorted((m.date for m in listed if m.date), reverse=True)


def test_a_message_is_found_byte_by_byte(mooring: Running, connected: Connected) -> None:
    for message in pages(mooring, connected.grant)[:20]:
        found = mooring.sdk.messages.find(connected.grant, str(message.id), query_params={"fields": "raw_mime"}).data
        assert base64.urlsafe_b64decode(found.raw_mime or "") in connected.originals


def test_an_attachment_is_downloaded_whole(mooring: Running, connected: Connected) -> None:
    message = next(m for m in pages(mooring, connected.grant) if m.attachments)
    attachment = (message.attachments or [])[0]
    data = mooring.sdk.attachments.download_bytes(
        connected.grant, str(attachment.id), query_params={"message_id": str(message.id)}
    )
    assert len(data) == attachment.size


def test_a_mail_is_sent_arrives_and_is_in_sent_under_the_id_that_was_answered(
    mooring: Running, connected: Connected, lab: Laboratory, filtered: Firewall
) -> None:
    sent = mooring.sdk.messages.send(
        connected.grant,
        request_body={"to": [{"email": connected.friend.address}], "subject": "Grüße", "body": "<p>Hallo</p>"},
    ).data
    until(
        lambda: any(b"Hallo" in mail.raw for mail in lab.dovecot.messages(connected.friend.address, "INBOX")),
        timeout_s=20,
        what="the mail arrives",
    )
    until(
        lambda: len(lab.dovecot.messages(connected.user.address, "Sent")) == 1,
        timeout_s=20,
        what="the copy is in Sent",
    )
    until(
        lambda: sent.id in {m.id for m in pages(mooring, connected.grant)},
        timeout_s=20,
        what="the copy is synchronised",
    )
    assert len(lab.dovecot.messages(connected.user.address, "Sent")) == 1


def test_the_servers_own_logs_show_no_other_address(
    mooring: Running, connected: Connected, lab: Laboratory, filtered: Firewall
) -> None:
    assert lab.dovecot.remote_addresses(since=connected.seen_since) <= set(at.STATIC)
    assert lab.postfix.remote_addresses(since=connected.sent_since) <= set(at.STATIC)
    assert filtered.sources() <= set(at.STATIC)
    connections = mooring.get(f"/v3/grants/{connected.grant}/connections")["data"]
    assert {c["class"] for c in connections} == {"auth", "sync", "send"}
    assert {c["source"] for c in connections} <= set(at.STATIC)
    assert {c["outcome"] for c in connections} == {"opened"}


def test_s18_with_the_feature_off_a_grant_is_made_and_cannot_be_read(
    mooring: Running, lab: Laboratory, filtered: Firewall
) -> None:
    mooring.static_ips("off")
    grant = mooring.connect(lab.user("carla"))
    with pytest.raises(NylasApiError) as failure:
        mooring.sdk.messages.list(grant)
    assert failure.value.status_code == 504
    assert failure.value.type == "api.provider_error"
    told = failure.value.provider_error or {}
    assert (told["stage"], told["reason"], told["class"]) == ("connect", "timeout", "live")
    assert told["environment"] == "dynamic"
    assert told["source"] in at.DYNAMIC


def test_s15_with_no_address_admitted_there_is_no_grant(mooring: Running, lab: Laboratory, firewall: Firewall) -> None:
    user = lab.user("dora")
    firewall.close()
    with pytest.raises(NylasApiError) as failure:
        mooring.connect(user)
    assert failure.value.status_code == 504
    told = failure.value.provider_error or {}
    assert (told["stage"], told["reason"], told["host"], told["port"]) == ("connect", "timeout", "imap.lab.test", 993)
    assert told["source"] in at.STATIC
    assert user.password not in str(failure.value)
    assert user.address not in {g.email for g in mooring.sdk.grants.list().data}
