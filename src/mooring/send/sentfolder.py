"""The folder for copies of what was sent, on the server."""

from contextlib import suppress

from mooring.errors import ServerRefused
from mooring.mail import SpecialUse, find_special, folders_of
from mooring.protocols.imap import Flag, ImapClient, quoted
from mooring.send.repository import DueCopy

FALLBACK = "Sent"
"""What it is called where we have to make it; clients without SPECIAL-USE look for this name."""
APPEND_S = 120.0
"""Seconds for an upload: 35 MB at 300 kB/s."""


async def sent_folder(client: ImapClient, grant_id: str) -> bytes | str:
    """The name of the folder, which is made where there is none.

    Raises:
        ServerRefused, and whatever ends an IMAP session.
    """
    folders = folders_of(grant_id, await client.list())
    found = find_special((folder for folder in folders if folder.selectable), SpecialUse.SENT)
    if found is not None:
        return found.wire_name
    name = await _own_prefix(client) + FALLBACK
    await client.create(name)
    with suppress(ServerRefused):
        await client.subscribe(name)
    return name


async def is_there(client: ImapClient, copy: DueCopy) -> bool:
    """Whether the selected folder has the letter already: we put it there, or the server did by itself."""
    return bool(await client.search(f"HEADER Message-ID {quoted(f'<{copy.message_id_header}>')}"))


async def put(client: ImapClient, folder: bytes | str, copy: DueCopy, raw: bytes) -> None:
    """Put the letter into the folder, as read."""
    await client.append(folder, raw, flags=[Flag.SEEN], received_at=copy.created_at, timeout_s=APPEND_S)


async def _own_prefix(client: ImapClient) -> str:
    """What the account's own folders begin with, such as ``INBOX.``."""
    if "NAMESPACE" not in await client.capabilities():
        return ""
    own = (await client.namespaces()).personal
    return own[0].prefix if own else ""
