"""The copy in Sent: the very same bytes, once, however often it takes."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from mooring.mail import message_id
from mooring.send import OutcomeUnknown, forget_submissions
from mooring.send.copies import LAST_RETRY, delay_after
from tests.protocol.smtp.fake import DROP
from tests.store.send.world import HELLO, World, working
from tests.waiting import until_async


async def send(world: World, subject: str = "Hello") -> str:
    return (await world.sender().send(world.grant, replace(HELLO, subject=subject), idempotency_key=None)).id


async def attempts(world: World, count: int) -> None:
    """Wait until the copy was tried so often, and is waiting for its next turn."""

    async def tried() -> bool:
        return bool(
            await world.db.fetchval(
                """SELECT true FROM submissions WHERE copy_attempts = $1 AND copy_state = 'pending'
                   AND copy_due_at < now() + interval '4 minutes'""",
                count,
            )
        )

    await until_async(tried, what=f"{count} tries")


@pytest.mark.usefixtures("filing")
async def test_the_copy_is_what_was_sent(world: World):
    identity = await send(world)
    await world.copied(1)
    assert world.imap.folders["Sent"] == world.smtp.messages
    assert message_id(world.grant.id, world.imap.folders["Sent"][0]) == identity
    assert world.imap.flags == ["(\\Seen)"]
    (row,) = await world.rows()
    assert (row["raw"], row["copy_attempts"]) == (None, 1)
    assert {entry.traffic for entry in await world.ledger.entries()} == {"send"}


async def test_a_server_that_files_it_by_itself_gets_no_second_one(world: World):
    await send(world)
    world.imap.folders["Sent"] = [b"Received: here\r\n" + world.smtp.messages[0]]
    async with working(world):
        await world.copied(1)
    assert len(world.imap.folders["Sent"]) == 1
    assert "APPEND" not in world.imap.commands


@pytest.mark.usefixtures("filing")
async def test_an_append_whose_answer_was_lost_is_not_repeated(world: World):
    world.imap.lose_answers = 1
    await send(world)
    await attempts(world, 1)
    assert len(world.imap.folders["Sent"]) == 1
    await world.time_passes("1 minute")
    await world.copied(1)
    assert len(world.imap.folders["Sent"]) == 1
    assert world.imap.commands.count("APPEND") == 1


@pytest.mark.usefixtures("filing")
async def test_one_that_is_refused_does_not_hold_up_the_next(world: World):
    world.imap.refuse = b"Subject: Refused"
    await send(world, "Refused")
    await send(world, "Good")
    await world.copied(1)
    await attempts(world, 1)
    world.imap.refuse = b""
    await world.time_passes("1 minute")
    await world.copied(2)
    assert sorted(b"Subject: Good" in raw for raw in world.imap.folders["Sent"]) == [False, True]


@pytest.mark.usefixtures("filing")
async def test_the_folder_is_the_one_that_the_server_marks(world: World):
    world.imap.folders["Gesendet"] = []
    world.imap.attributes["Gesendet"] = "\\Sent"
    await send(world)
    await world.copied(1)
    assert (len(world.imap.folders["Gesendet"]), len(world.imap.folders["Sent"])) == (1, 0)


@pytest.mark.usefixtures("filing")
async def test_a_folder_is_made_where_there_is_none(world: World):
    world.imap.folders = {"INBOX": []}
    world.imap.prefix = "INBOX."
    await send(world)
    await world.copied(1)
    assert len(world.imap.folders["INBOX.Sent"]) == 1


@pytest.mark.usefixtures("filing")
async def test_what_was_not_sent_has_no_copy(world: World):
    world.smtp.script = {"CONTENT": [DROP, b"250 2.0.0 queued\r\n"]}
    with pytest.raises(Exception, match="may, or may not"):
        await send(world, "Unknown")
    await send(world, "Good")
    await world.copied(1)
    assert [b"Subject: Good" in raw for raw in world.imap.folders["Sent"]] == [True]


async def test_several_processes_file_it_once(world: World):
    for number in range(5):
        await send(world, f"Letter {number}")
    async with working(world, "v3-us-dynamic"), working(world, "v3-us-dynamic"), working(world):
        await world.copied(5)
    assert len(world.imap.folders["Sent"]) == 5
    assert len(set(world.imap.folders["Sent"])) == 5


async def test_a_process_of_another_environment_leaves_it_alone(world: World):
    await send(world, "Mine")
    async with working(world, "v3-us-static"), working(world, "v3-us-dynamic"):
        await world.copied(1)
    assert world.imap.sessions == 1


@pytest.mark.usefixtures("filing")
async def test_what_is_done_is_forgotten_after_its_time(world: World):
    for number in range(3):
        await send(world, f"Letter {number}")
    await world.copied(3)
    await world.time_passes("59 minutes")
    await forget_submissions(world.db)
    assert len(await world.rows()) == 3
    await world.time_passes("2 minutes")
    await asyncio.gather(*(forget_submissions(world.db) for _ in range(4)))
    assert await world.rows() == []


async def test_a_letter_is_kept_until_it_is_filed_and_its_answer_only_for_as_long_as_its_key(world: World):
    await world.sender().send(world.grant, HELLO, idempotency_key="k")
    await world.time_passes("59 minutes")
    await forget_submissions(world.db)
    assert [row["response"] is None for row in await world.rows()] == [False]
    await world.time_passes("90 days")
    await forget_submissions(world.db)
    (row,) = await world.rows()
    assert row["response"] is None
    async with working(world):
        await world.copied(1)
    assert world.imap.folders["Sent"] == world.smtp.messages
    await forget_submissions(world.db)
    assert await world.rows() == []


async def test_a_letter_that_may_have_been_delivered_is_not_kept_for_as_long_as_its_key(world: World):
    world.smtp.script = {"CONTENT": [DROP]}
    with pytest.raises(OutcomeUnknown):
        await world.sender().send(world.grant, HELLO, idempotency_key="k")
    await world.time_passes("59 minutes")
    await forget_submissions(world.db)
    assert [row["raw"] is None for row in await world.rows()] == [False]
    await world.time_passes("6 days")
    await forget_submissions(world.db)
    assert [row["raw"] is None for row in await world.rows()] == [True]
    with pytest.raises(OutcomeUnknown):
        await world.sender().send(world.grant, HELLO, idempotency_key="k")
    await world.time_passes("1 day")
    await forget_submissions(world.db)
    assert await world.rows() == []


def test_the_delays_double_up_to_an_hour():
    assert [delay_after(n) for n in (1, 2, 3)] == [timedelta(seconds=s) for s in (15, 30, 60)]
    assert delay_after(1000) == LAST_RETRY
