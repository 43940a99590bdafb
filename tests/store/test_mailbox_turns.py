"""Mailboxes take turns where a source may have fewer connections with a server than it has mailboxes there."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from mooring.egress import Berth, Berths
from mooring.grants import Attempt, Server, TlsMode
from mooring.protocols.imap import ImapClient
from mooring.store import Database
from tests.mailhost import Account
from tests.store.held import Held, held_by, held_mailbox
from tests.store.mailboxes import HostSessions, mail
from tests.waiting import until_async

SOURCE = "static-1"


class Berthed(HostSessions):
    """Sessions of which there is one at a time."""

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        self.berths = Berths(1)

    async def open_imap(self, attempt: Attempt, server: Server, password: str) -> tuple[ImapClient, TlsMode]:
        attempt.berth = await self.berths.take(SOURCE, server.host, patience_s=None)
        opened = await super().open_imap(attempt, server, password)
        self.account.sessions[-1].berth = attempt.berth
        return opened

    @asynccontextmanager
    async def waited_for(self, server: str) -> AsyncGenerator[asyncio.Task[Berth]]:
        """Another mailbox wants the session, and has it until the block ends once it was given up."""
        other = asyncio.create_task(self.berths.take(SOURCE, server, patience_s=None))
        yield other
        (await other).give_back()


@pytest.fixture
async def held(database: Database, tmp_path: Path) -> Held:
    held = await held_by(database, tmp_path)
    held.sessions = Berthed(held.account)
    held.sync = held_mailbox(held.stored, held.sessions)
    return held


async def test_a_session_that_is_wanted_is_given_up_and_comes_again_without_a_word(held: Held) -> None:
    sessions, server = held.sessions, held.stored.grant.settings.imap.host
    assert isinstance(sessions, Berthed)
    async with held.running():
        await held.stored.facts()
        await held.stored.health()
        for number in (40, 41):
            async with sessions.waited_for(server) as other:
                await asyncio.wait_for(asyncio.shield(other), 5)
                assert sessions.berths.counts() == {SOURCE: (1, 0)}
                held.account.boxes["INBOX"].deliver(mail(number))
                held.account.boxes["INBOX"].deliver(mail(number + 10))

            async def is_stored(number: int = number) -> bool:
                held.sync.look()
                return await held.message(number + 10) is not None

            await until_async(is_stored, what="the next visit has found the mail")
        assert sessions.opened == 3
        created = [identity for kind, identity in await held.stored.facts() if kind == "message.created"]
        assert created == [held.stored.id_of(mail(number)) for number in (40, 50, 41, 51)]
        assert await held.stored.health() == []
        assert await held.failed() is None


async def test_the_first_pass_is_not_cut_short(held: Held) -> None:
    sessions, server = held.sessions, held.stored.grant.settings.imap.host
    assert isinstance(sessions, Berthed)
    sessions.gate.clear()
    running = asyncio.create_task(held.sync.run())

    async def has_begun() -> bool:
        return sessions.opened == 1

    await until_async(has_begun, what="the mailbox has its berth")
    async with sessions.waited_for(server) as other:
        sessions.gate.set()
        await asyncio.wait_for(asyncio.shield(other), 10)
        assert await held.is_synced()
        assert await held.stored.count("messages") == 9
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_with_nobody_waiting_the_session_stays(held: Held) -> None:
    async with held.running():
        await held.look_again()
        held.account.boxes["INBOX"].deliver(mail(40))
        for stream in held.account.sessions:
            stream.ring()

        async def is_stored() -> bool:
            return await held.message(40) is not None

        await until_async(is_stored, what="IDLE has told the mail")
        assert held.sessions.opened == 1
