"""Sending: what leaves, what is answered, and that nothing leaves twice."""

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes, policy

import msgspec
import pytest

from mooring.errors import Conflict, InvalidRequest, NotFound, ProviderFailure
from mooring.ids import new_id
from mooring.mail import Message, Party, message_id
from mooring.send import OutcomeUnknown, SentAttachment, Submission, recover, repository
from mooring.store import Database
from tests.protocol.smtp.fake import DROP, EHLO, SILENCE
from tests.store.send.world import ADDRESS, HELLO, PASSWORD, SOURCE, World
from tests.waiting import until_async

PARENT = (
    b"Message-ID: <parent@far.test>\r\nReferences: <root@far.test>\r\nFrom: bob@example.test\r\n"
    b"Subject: Question\r\nDate: Tue, 14 Nov 2023 22:13:20 +0000\r\n\r\nWell?\r\n"
)


async def heard(world: World, verb: str) -> None:
    """Wait until the server was told this."""

    async def told() -> bool:
        return any(line.upper().startswith(verb) for line in world.smtp.lines)

    await until_async(told, what=f"{verb} was heard")


async def failure(sending: Awaitable[Message]) -> ProviderFailure:
    with pytest.raises(ProviderFailure) as caught:
        await sending
    assert PASSWORD not in f"{caught.value} {caught.value.hint} {caught.value.server_said}"
    return caught.value


async def test_what_leaves_and_what_is_answered(world: World):
    submission = replace(
        HELLO,
        cc=(Party(email="bob@EXAMPLE.test"), Party(email="cy@example.test")),
        bcc=(Party(email="dee@example.test"),),
        attachments=(SentAttachment("a.txt", "text/plain", b"attached"),),
    )
    message = await world.sender().send(world.grant, submission, idempotency_key=None)

    (raw,) = world.smtp.messages
    sent = message_from_bytes(raw, policy=policy.default)
    assert sent["from"].addresses[0].addr_spec == ADDRESS
    assert sent["message-id"].endswith("@example.test>")
    assert b"dee@" not in raw
    assert [line for line in world.smtp.lines if line.startswith(("MAIL", "RCPT"))] == [
        f"MAIL FROM:<{ADDRESS}> SIZE={len(raw)}",
        "RCPT TO:<bob@example.test>",
        "RCPT TO:<cy@example.test>",
        "RCPT TO:<dee@example.test>",
    ]
    assert message.id == message_id(world.grant.id, raw)
    assert (message.grant_id, message.unread, message.subject, message.folders) == (world.grant.id, False, "Hello", [])
    assert msgspec.json.decode(message.from_) == [{"email": ADDRESS, "name": "Ann"}]
    assert msgspec.json.decode(message.bcc) == [{"email": "dee@example.test"}]
    assert [a["filename"] for a in msgspec.json.decode(message.attachments)] == ["a.txt"]
    assert await world.states() == ["sent"]
    assert await world.facts() == [("message.send_success", {"id": message.id, "thread_id": message.thread_id})]
    (entry,) = await world.ledger.entries()
    assert (entry.traffic, entry.source_address) == ("send", SOURCE)


async def test_nothing_readable_is_stored(world: World):
    secret = "a word that is nowhere to be found"
    await world.sender().send(world.grant, replace(HELLO, body=secret), idempotency_key="k")
    (row,) = await world.rows()
    assert secret.encode() not in row["raw"] + row["response"]
    assert secret not in str(dict(row))


async def test_a_reply_joins_its_thread(world: World):
    (parent,) = await world.store(PARENT)
    message = await world.sender().send(
        world.grant, replace(HELLO, reply_to_message_id=parent, subject="Re: Question"), idempotency_key=None
    )
    sent = message_from_bytes(world.smtp.messages[0], policy=policy.default)
    assert sent["in-reply-to"] == "<parent@far.test>"
    assert sent["references"].split() == ["<root@far.test>", "<parent@far.test>"]
    assert message.thread_id == await world.db.fetchval("SELECT thread_id FROM messages WHERE id = $1", parent)
    assert message.folders == [await world.db.fetchval("SELECT id FROM folders WHERE path = 'Sent'")]


@pytest.mark.parametrize(
    ("submission", "named"),
    [
        (Submission(subject="to nobody"), "nobody to send to"),
        (replace(HELLO, to=(Party(email="no address"),)), "to:"),
        (replace(HELLO, reply_to_message_id="unknown"), "reply_to_message_id"),
        (replace(HELLO, custom_headers=(("From", "mallory@example.test"),)), "custom_headers"),
    ],
)
async def test_what_cannot_be_sent_is_the_callers_matter(world: World, submission: Submission, named: str):
    with pytest.raises(InvalidRequest, match=named):
        await world.sender().send(world.grant, submission, idempotency_key=None)
    assert (world.smtp.lines, await world.rows()) == ([], [])


async def test_a_grant_without_smtp_cannot_send(world: World):
    grant = replace(world.grant, settings=msgspec.structs.replace(world.grant.settings, smtp=None))
    with pytest.raises(InvalidRequest, match="lacks SMTP connection details"):
        await world.sender().send(grant, HELLO, idempotency_key=None)


@pytest.mark.parametrize(
    ("script", "stage", "reason"),
    [
        ({"GREETING": DROP}, "greeting", "closed"),
        ({"AUTH": b"535 5.7.8 wrong\r\n"}, "login", "authentication"),
        ({"RCPT": b"550 5.7.1 not from this address\r\n"}, "send", "refused"),
        ({"MAIL": DROP}, "send", "closed"),
        ({"DATA": DROP}, "send", "closed"),
        ({"CONTENT": b"552 5.3.4 too big after all\r\n"}, "send", "refused"),
        ({"EHLO": EHLO.replace(b"SIZE 100000", b"SIZE 10")}, "send", "refused"),
    ],
)
async def test_a_failure_before_the_server_took_it(
    world: World, script: dict[str, bytes | list[bytes]], stage: str, reason: str
):
    world.smtp.script = script
    error = await failure(world.sender().send(world.grant, HELLO, idempotency_key="k"))
    assert (error.stage, error.reason, error.source, error.traffic) == (stage, reason, SOURCE, "send")
    assert not isinstance(error, OutcomeUnknown)
    (row,) = await world.rows()
    assert (row["state"], row["raw"], row["copy_state"], row["error"]["stage"]) == ("refused", None, "none", stage)
    ((kind, data),) = await world.facts()
    assert (kind, data["id"], data["stage"]) == ("message.send_failed", row["message_id"], stage)

    world.smtp.script, before = {}, len(world.smtp.messages)
    await world.sender().send(world.grant, HELLO, idempotency_key="k")
    assert len(world.smtp.messages) == before + 1
    assert await world.states() == ["refused", "sent"]


async def test_an_unanswered_message_is_unknown_and_never_repeated(world: World):
    world.smtp.script = {"CONTENT": DROP}
    sender = world.sender()
    first = await failure(sender.send(world.grant, HELLO, idempotency_key="k"))
    world.smtp.script = {}
    second = await failure(sender.send(world.grant, HELLO, idempotency_key="k"))
    await world.time_passes("6 days")
    third = await failure(world.sender().send(world.grant, HELLO, idempotency_key="k"))
    for error in (first, second, third):
        assert isinstance(error, OutcomeUnknown)
        assert (error.stage, error.reason, error.source) == ("send", "unknown", SOURCE)
        assert error.message == first.message
        assert "may, or may not, have been delivered" in error.message
        assert "before sending it again" in error.hint
    assert (len(world.smtp.messages), await world.states()) == (1, ["unknown"])
    assert [kind for kind, _ in await world.facts()] == ["message.send_failed"]


async def test_a_message_that_was_cut_off_is_unknown_too(world: World):
    world.smtp.script = {"EHLO": EHLO.replace(b"SIZE 100000", b"SIZE 0")}
    world.smtp.drop_in_content = 20_000
    error = await failure(world.sender().send(world.grant, replace(HELLO, body="x" * 90_000), idempotency_key=None))
    assert isinstance(error, OutcomeUnknown)
    assert await world.states() == ["unknown"]


async def test_the_same_key_is_answered_again(world: World):
    first = await world.sender().send(world.grant, HELLO, idempotency_key="k")
    again = await world.sender().send(world.grant, HELLO, idempotency_key="k")
    assert msgspec.json.encode(first) == msgspec.json.encode(again)
    assert len(world.smtp.messages) == 1
    with pytest.raises(Conflict, match="another message"):
        await world.sender().send(world.grant, replace(HELLO, subject="Other"), idempotency_key="k")
    await world.sender().send(world.grant, HELLO, idempotency_key="other")
    assert len(world.smtp.messages) == 2


async def test_a_key_holds_for_an_hour(world: World):
    await world.sender().send(world.grant, HELLO, idempotency_key="k")
    await world.time_passes("59 minutes")
    await world.sender().send(world.grant, HELLO, idempotency_key="k")
    assert len(world.smtp.messages) == 1
    await world.time_passes("2 minutes")
    await world.sender().send(world.grant, replace(HELLO, subject="Other"), idempotency_key="k")
    assert len(world.smtp.messages) == 2


async def test_requests_with_one_key_at_the_same_time_deliver_once(world: World):
    senders = [world.sender() for _ in range(6)]
    outcomes = await asyncio.gather(
        *(sender.send(world.grant, HELLO, idempotency_key="k") for sender in senders), return_exceptions=True
    )
    messages = [outcome for outcome in outcomes if isinstance(outcome, Message)]
    assert messages
    assert len({message.id for message in messages}) == 1
    assert all(isinstance(outcome, Message | Conflict) for outcome in outcomes)
    assert len(world.smtp.messages) == 1


async def test_the_intent_is_there_before_the_login_and_the_handover_before_the_data(world: World):
    world.smtp.script = {"AUTH": SILENCE}
    sending = asyncio.create_task(world.sender().send(world.grant, HELLO, idempotency_key="k"))
    await heard(world, "AUTH")
    assert await world.states() == ["intended"]
    with pytest.raises(Conflict, match="under way"):
        await world.sender().send(world.grant, HELLO, idempotency_key="k")
    sending.cancel()

    world.smtp.script = {"MAIL": SILENCE}
    other = asyncio.create_task(world.sender().send(world.grant, HELLO, idempotency_key="l"))
    await heard(world, "MAIL")
    assert await world.states() == ["intended", "sending"]
    other.cancel()


async def test_what_was_begun_is_finished_when_the_caller_goes_away(world: World):
    world.smtp.gate.clear()
    sender = world.sender()
    calling = asyncio.create_task(sender.send(world.grant, HELLO, idempotency_key="k"))
    await heard(world, "DATA")
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling
    assert await world.states() == ["sending"]
    world.smtp.gate.set()
    await sender.finish(within_s=10)
    assert await world.states() == ["sent"]


async def test_a_database_that_is_lost_in_the_handover_does_not_make_it_unsent(world: World, database_url: str):
    world.smtp.gate.clear()
    sending = asyncio.create_task(world.sender().send(world.grant, HELLO, idempotency_key="k"))
    await heard(world, "DATA")
    await world.db.close()
    world.smtp.gate.set()
    message = await sending
    assert message.id == message_id(world.grant.id, world.smtp.messages[0])

    world.db = await Database.open(database_url)
    try:
        await world.time_passes("5 minutes")
        assert await recover(world.db) == 1
        assert await world.states() == ["unknown"]
    finally:
        await world.db.close()


@pytest.mark.parametrize(("begun", "left"), [(False, "refused"), (True, "unknown")])
async def test_what_a_killed_process_left(world: World, begun: bool, left: str):
    submission_id = new_id()
    await repository.intend(
        world.db, world.grant.id, submission_id, idempotency_key="k", request_hash=b"h", message_id="m",
        message_id_header="m@example.test", raw=b"raw", life=timedelta(minutes=1),
    )  # fmt: skip
    if begun:
        assert await repository.begin(world.db, world.grant.id, submission_id, timedelta(minutes=1))
    assert await recover(world.db) == 0
    await world.time_passes("2 minutes")
    assert not await repository.begin(world.db, world.grant.id, submission_id, timedelta(minutes=1))
    assert await recover(world.db) == 1
    assert await recover(world.db) == 0
    assert await world.states() == [left]
    ((kind, data),) = await world.facts()
    assert (kind, data["id"]) == ("message.send_failed", "m")


async def test_a_key_whose_process_was_killed_in_the_handover(world: World):
    await world.sender().send(world.grant, HELLO, idempotency_key="k")
    await world.db.execute("UPDATE submissions SET state = 'sending', response = NULL")
    with pytest.raises(Conflict, match="under way"):
        await world.sender().send(world.grant, HELLO, idempotency_key="k")
    await world.time_passes("5 minutes")
    error = await failure(world.sender().send(world.grant, HELLO, idempotency_key="k"))
    assert isinstance(error, OutcomeUnknown)
    assert len(world.smtp.messages) == 1


async def test_a_key_whose_process_was_killed_before_the_handover_is_free_again(world: World):
    await world.sender().send(world.grant, HELLO, idempotency_key="k")
    await world.db.execute("UPDATE submissions SET state = 'intended', response = NULL")
    await world.time_passes("5 minutes")
    await world.sender().send(world.grant, HELLO, idempotency_key="k")
    assert await world.states() == ["refused", "sent"]


async def test_a_deleted_grant_takes_its_submissions_along(world: World):
    sender = world.sender()
    await sender.send(world.grant, HELLO, idempotency_key="k")
    await world.db.execute("DELETE FROM grants")
    assert await world.rows() == []
    with pytest.raises(NotFound):
        await sender.send(world.grant, HELLO, idempotency_key="k")
