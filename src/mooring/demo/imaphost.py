"""The IMAP half of the mail host: pymap with one mailbox in memory, over TLS from the first byte."""

import asyncio
from argparse import Namespace
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime

from proxyprotocol.sock import SocketInfo
from pymap.backend.dict import DictBackend
from pymap.backend.dict.mailbox import MailboxData, MailboxSet
from pymap.imap import IMAPServer
from pymap.parsing.message import AppendMessage
from pymap.parsing.specials.fetchattr import FetchRequirement
from pymap.parsing.specials.flag import Flag

from mooring.demo.letters import SENT
from mooring.net.listener import AdmittingListener
from mooring.net.tls import SSLContext

FOLDERS = (SENT, "Drafts", "Trash")
"""Beside the inbox. pymap does not mark special uses, so their names have to speak."""


class Mailbox:
    """The one account's folders, as the server holds them."""

    def __init__(self, folders: MailboxSet) -> None:
        self._folders = folders

    async def deliver(self, folder: str, raw: bytes, at: datetime, *flags: str) -> None:
        """Put a message into a folder; whoever idles there is told."""
        letter = AppendMessage(raw, at, frozenset(Flag(flag.encode()) for flag in flags))
        await (await self._folder(folder)).append(letter)

    async def letters(self, folder: str) -> list[bytes]:
        """Every message of a folder, oldest first."""
        held = (await self._folder(folder)).messages()
        content = [await message.load_content(FetchRequirement.CONTENT) async for message in held]
        return [bytes(loaded.get_body()) for loaded in content]

    async def _folder(self, name: str) -> MailboxData:
        return await self._folders.get_mailbox(name)


class ImapHost:
    """A pymap server for one account."""

    def __init__(self, server: IMAPServer, mailbox: Mailbox) -> None:
        self._server = server
        self._sessions: set[asyncio.Task[None]] = set()
        self.mailbox = mailbox

    @classmethod
    async def open(cls, username: str, password: str) -> "ImapHost":
        """A server with an empty mailbox, not listening yet."""
        arguments = Namespace(
            debug=False, host=None, port=0, cert=None, key=None, tls=False, proxy_protocol=None, passlib_cfg=None,
            demo_data=False, demo_user=username, demo_password=password,
        )  # fmt: skip
        backend, config = await DictBackend.init(arguments, reject_dnsbl=False)
        return cls(IMAPServer(backend.login, config), Mailbox(await _folders(backend)))

    @asynccontextmanager
    async def serving(self, listener: AdmittingListener, tls: SSLContext) -> AsyncGenerator[None]:
        """Serve on this listener for as long as the block lasts, and end every session with it."""
        server = await asyncio.start_server(self._session, sock=listener, ssl=tls)
        try:
            yield
        finally:
            server.close()
            for session in self._sessions:
                session.cancel()
            await asyncio.gather(*self._sessions, return_exceptions=True)

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._sessions.add(task)
        try:
            await self._server(reader, writer, SocketInfo.get(writer, None))
        finally:
            self._sessions.discard(task)
            writer.close()


async def _folders(backend: DictBackend) -> MailboxSet:
    async with backend.login.demo_user_identity.new_session() as session:
        for name in FOLDERS:
            await session.mailbox_set.add_mailbox(name)
        return session.mailbox_set
