"""The main job, end to end, by the official SDK: Dovecot and Postfix behind nftables, real ``mooring up``."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from nylas.models.errors import NylasApiError

from tests.lab import addresses as at
from tests.lab.firewall import Firewall
from tests.lab.laboratory import Laboratory
from tests.lab.mails import mails
from tests.running import Running, configuration
from tests.waiting import until

PORT = 18025


@pytest.fixture(scope="module")
def mooring(lab: Laboratory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("mooring")
    (folder / "mooring.toml").write_text(configuration(PORT))
    running = Running(folder, PORT, lab.trust)
    running.start()
    yield running
    assert running.stop() == 0


def test_with_the_feature_on_everything_works_and_only_static_addresses_are_seen(
    mooring: Running, lab: Laboratory, firewall: Firewall
) -> None:
    user, friend = lab.user("anna"), lab.user("bert")
    originals = list(mails(120, seed=5))
    lab.dovecot.append_many(user.address, "INBOX", originals)
    _ = lab.postfix
    firewall.admit_only(at.STATIC)
    firewall.forget()
    mark = lab.dovecot.server.mark()
    mooring.static_ips("on")

    grant = mooring.connect(user)
    mooring.synced(grant)

    sdk = mooring.sdk
    folders = sdk.folders.list(grant).data
    assert {"\\Inbox", "\\Sent"} <= {a for f in folders for a in (f.attributes or "").strip("[]").replace("'", "").replace("\\\\", "\\").split(", ")}
    listed = []
    cursor = None
    while True:
        page = sdk.messages.list(grant, query_params={"limit": 50, **({"page_token": cursor} if cursor else {})})
        listed += page.data
        cursor = page.next_cursor
        if cursor is None:
            break
    assert len(listed) == len({m.id for m in listed}) == 120
    assert [m.date for m in listed] == sorted((m.date for m in listed), reverse=True)

    raws = set()
    for message in listed[:20]:
        found = sdk.messages.find(grant, message.id, query_params={"fields": "raw_mime"}).data
        raws.add(base64.urlsafe_b64decode(found.raw_mime))
    assert raws <= {mail.raw for mail in originals}

    carrying = next(m for m in listed if m.attachments)
    attachment = carrying.attachments[0]
    data = sdk.attachments.download_bytes(grant, attachment.id, query_params={"message_id": carrying.id})
    assert len(data) == attachment.size

    sent = sdk.messages.send(
        grant, request_body={"to": [{"email": friend.address}], "subject": "Grüße", "body": "<p>Hallo</p>"}
    ).data
    until(lambda: any(b"Hallo" in mail.raw for mail in lab.dovecot.messages(friend.address, "INBOX")), timeout_s=20, what="the mail arrives")
    until(lambda: len(lab.dovecot.messages(user.address, "Sent")) == 1, timeout_s=20, what="the copy is in Sent")
    until(
        lambda: sent.id in {m.id for m in sdk.messages.list(grant, query_params={"limit": 5}).data},
        timeout_s=40,
        what="the copy is synchronised under the id that send answered",
    )

    assert firewall.sources() <= set(at.STATIC)
    assert lab.dovecot.remote_addresses(since=mark) <= set(at.STATIC)
    connections = mooring.get(f"/v3/grants/{grant}/connections")["data"]
    assert {c["class"] for c in connections} == {"auth", "sync", "send"}
    assert {c["source"] for c in connections} <= set(at.STATIC)


def test_with_the_feature_off_a_filtering_server_shows_s18(
    mooring: Running, lab: Laboratory, firewall: Firewall
) -> None:
    user = lab.user("carla")
    _ = lab.postfix
    firewall.admit_only(at.STATIC)
    mooring.static_ips("off")

    grant = mooring.connect(user)
    with pytest.raises(NylasApiError) as failure:
        mooring.sdk.messages.list(grant)
    assert failure.value.status_code == 504
    assert failure.value.type == "api.provider_error"
    told = failure.value.provider_error
    assert told["stage"] == "connect"
    assert told["reason"] == "timeout"
    assert told["source"] in at.DYNAMIC
    assert told["environment"] == "dynamic"
    assert told["class"] == "live"


def test_with_no_address_admitted_there_is_no_grant_and_an_error_within_30_s(
    mooring: Running, lab: Laboratory, firewall: Firewall
) -> None:
    user = lab.user("dora")
    _ = lab.postfix
    firewall.close()
    with pytest.raises(NylasApiError) as failure:
        mooring.connect(user)
    assert failure.value.status_code == 504
    told = failure.value.provider_error
    assert (told["stage"], told["reason"], told["host"], told["port"]) == ("connect", "timeout", "imap.lab.test", 993)
    assert told["source"] in at.STATIC
    assert user.password not in str(failure.value)
    assert user.address not in {g.email for g in mooring.sdk.grants.list().data}
