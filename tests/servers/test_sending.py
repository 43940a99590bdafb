"""Sending through a real Postfix, and the copy in a real Dovecot."""

from collections.abc import AsyncGenerator
from datetime import timedelta
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from mooring.clock import SystemClock
from mooring.egress import Ledger
from mooring.grants import Keys, Server, Sessions, Settings
from mooring.mail import Party, message_id
from mooring.net.tls import client_context
from mooring.send import SentAttachment, Submission
from mooring.store import Database, ObjectStore
from mooring.vault import Vault
from tests.lab import DYNAMIC, Laboratory, User
from tests.postgres import database, database_url, migrated_template, postgres_server
from tests.store.send.world import World, connected_grant, dialer_of, working
from tests.waiting import until

__all__ = ["database", "database_url", "migrated_template", "postgres_server"]


@pytest.fixture(scope="session")
def sender_and_recipient(lab: Laboratory) -> tuple[User, User]:
    users = lab.user("sending"), lab.user("receiving")
    assert lab.postfix
    return users


@pytest.fixture
async def world(
    lab: Laboratory,
    sender_and_recipient: tuple[User, User],
    database: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncGenerator[World]:
    user, _ = sender_and_recipient
    monkeypatch.setenv("SSL_CERT_FILE", str(lab.trust))
    client_context.cache_clear()
    clock, vault = SystemClock(), Vault.load(tmp_path / "keys", create=True)
    keys, ledger = Keys(database, vault), Ledger(database, clock, timedelta(days=1))
    settings = Settings(
        imap=Server("imap.lab.test", 993, user.address), smtp=Server("smtp.lab.test", 587, user.address)
    )
    yield World(
        db=database,
        objects=ObjectStore.open((tmp_path / "objects").as_uri()),
        keys=keys,
        sessions=Sessions(dialer_of(database, ledger, clock, source=DYNAMIC[0], allow="10.99.0.0/16")),
        ledger=ledger,
        grant=await connected_grant(database, keys, vault, settings, email=user.address, password=user.password),
    )
    await ledger.aclose()
    client_context.cache_clear()


async def test_the_message_arrives_and_its_copy_has_the_same_bytes(
    lab: Laboratory, sender_and_recipient: tuple[User, User], world: World
):
    ann, bob = sender_and_recipient
    submission = Submission(
        to=(Party(email=bob.address, name="Bob Ünal"),),
        subject="Grüße",
        body="<p>Hällo</p>\n.\n..dots",
        attachments=(SentAttachment("ä.bin", "application/octet-stream", bytes(range(256)) * 4000),),
    )
    message = await world.sender().send(world.grant, submission, idempotency_key=None)
    arrived = until(lambda: lab.dovecot.messages(bob.address, "INBOX"), what="the message arrived")
    received = message_from_bytes(arrived[0].raw, policy=policy.default)
    assert (received["subject"], received["to"]) == ("Grüße", f"Bob Ünal <{bob.address}>")
    (attachment,) = received.iter_attachments()
    assert attachment.get_payload(decode=True) == bytes(range(256)) * 4000

    async with working(world):
        await world.copied(1)
    (copy,) = lab.dovecot.messages(ann.address, "Sent")
    assert message_id(world.grant.id, copy.raw) == message.id
    assert copy.flags == {"\\Seen"}
    assert arrived[0].raw.endswith(copy.raw.split(b"\r\nSubject:", 1)[1])
    assert DYNAMIC[0] in lab.postfix.remote_addresses() & lab.dovecot.remote_addresses()
