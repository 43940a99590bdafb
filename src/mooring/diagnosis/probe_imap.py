"""The script of an IMAP probe: greeting, capabilities, TLS, login, folders, inbox, and goodbye."""

from contextlib import suppress

from mooring.diagnosis.types import Stage
from mooring.diagnosis.walk import COMMAND_S, LEAVE_S, Metered, Walk
from mooring.errors import ServerRefused
from mooring.grants import CLIENT_ID, GREETING_S, LOGIN_S, TlsMode
from mooring.protocols.imap import ImapClient


async def probe_imap(walk: Walk) -> None:
    """Walk as far as the probe is meant to; nothing in the mailbox changes, and every end is polite.

    Raises:
        NetworkError, ProtocolError, EgressError, TargetNotAllowed: it came no further than the trail says.
    """
    trail = walk.trail
    stream, mode = await walk.open()
    client = ImapClient(Metered(stream))
    try:
        async with trail.passing(Stage.GREETING, 3 * GREETING_S):
            await walk.hear(stream)
            await client.greeting(timeout_s=COMMAND_S)
        async with trail.passing(Stage.CAPABILITY, COMMAND_S):
            trail.offered(sorted(await client.capabilities(timeout_s=COMMAND_S)))
        if mode is TlsMode.STARTTLS:
            async with trail.passing(Stage.TLS, 2 * COMMAND_S):
                await client.start_tls(timeout_s=COMMAND_S)
                trail.protected(stream)
                trail.offered(sorted(await client.capabilities(timeout_s=COMMAND_S)))
        if await walk.is_allowed_to_login():
            await _look_inside(walk, client)
    finally:
        await client.logout(timeout_s=LEAVE_S)


async def _look_inside(walk: Walk, client: ImapClient) -> None:
    trail = walk.trail
    async with trail.passing(Stage.LOGIN, LOGIN_S + COMMAND_S):
        await client.login(walk.target.username, walk.password, timeout_s=LOGIN_S)
        if "ID" in await client.capabilities(timeout_s=COMMAND_S):
            with suppress(ServerRefused):
                await client.identify(CLIENT_ID, timeout_s=COMMAND_S)
    async with trail.passing(Stage.LIST, 2 * COMMAND_S):
        await client.list("%", timeout_s=COMMAND_S)
        await client.select("INBOX", read_only=True, timeout_s=COMMAND_S)
