"""The script of an IMAP probe: greeting, capabilities, TLS, login, folders, inbox, and goodbye."""

from contextlib import suppress

from mooring.diagnosis.probes.walk import Metered, Walk
from mooring.diagnosis.types import Stage
from mooring.errors import ServerRefused
from mooring.grants import CLIENT_ID, TlsMode
from mooring.protocols.imap import ImapClient


async def probe_imap(walk: Walk) -> None:
    """Walk as far as the probe is meant to; nothing in the mailbox changes, and every end is polite.

    Raises:
        NetworkError, ProtocolError, EgressError, TargetNotAllowed: it came no further than the trail says.
    """
    trail, limits = walk.trail, walk.limits
    stream, mode = await walk.open()
    client = ImapClient(Metered(stream))
    try:
        async with trail.passing(Stage.GREETING, 3 * limits.greeting_s):
            await walk.hear(stream)
            await client.greeting(timeout_s=limits.command_s)
        async with trail.passing(Stage.CAPABILITY, limits.command_s):
            trail.offered(sorted(await client.capabilities(timeout_s=limits.command_s)))
        if mode is TlsMode.STARTTLS:
            async with trail.passing(Stage.TLS, 2 * limits.command_s):
                await client.start_tls(timeout_s=limits.command_s)
                trail.protected(stream)
                trail.offered(sorted(await client.capabilities(timeout_s=limits.command_s)))
        if await walk.is_allowed_to_login():
            await _look_inside(walk, client)
    finally:
        await client.logout(timeout_s=limits.leave_s)


async def _look_inside(walk: Walk, client: ImapClient) -> None:
    trail, limits = walk.trail, walk.limits
    async with trail.passing(Stage.LOGIN, limits.login_s + limits.command_s):
        await client.login(walk.target.username, walk.password, timeout_s=limits.login_s)
        if "ID" in await client.capabilities(timeout_s=limits.command_s):
            with suppress(ServerRefused):
                await client.identify(CLIENT_ID, timeout_s=limits.command_s)
    async with trail.passing(Stage.LIST, 2 * limits.command_s):
        await client.list("%", timeout_s=limits.command_s)
        await client.select("INBOX", read_only=True, timeout_s=limits.command_s)
