"""The script of an SMTP probe: greeting, EHLO, TLS, login, a recipient that is taken back, and goodbye. Never DATA."""

from mooring.diagnosis.probes.walk import Walk
from mooring.diagnosis.types import Stage
from mooring.grants import TlsMode, ehlo_name
from mooring.protocols.smtp import Offers, SmtpClient


async def probe_smtp(walk: Walk) -> None:
    """Walk as far as the probe is meant to; nobody gets a message, and every end is polite.

    Raises:
        NetworkError, ProtocolError, EgressError, TargetNotAllowed: it came no further than the trail says.
    """
    trail, limits = walk.trail, walk.limits
    stream, mode = await walk.open()
    client = SmtpClient(stream)
    try:
        async with trail.passing(Stage.GREETING, 3 * limits.greeting_s):
            await walk.hear(stream)
            await client.greeting(timeout_s=limits.command_s)
        async with trail.passing(Stage.CAPABILITY, 2 * limits.command_s):
            name = ehlo_name(walk.source.address)
            trail.offered(_listed(await client.ehlo(name, timeout_s=limits.command_s)))
        if mode is TlsMode.STARTTLS:
            async with trail.passing(Stage.TLS, 3 * limits.command_s):
                offers = await client.start_tls(timeout_s=limits.command_s, command_timeout_s=limits.command_s)
                trail.protected(stream)
                trail.offered(_listed(offers))
        if await walk.is_allowed_to_login():
            await _try_recipient(walk, client)
    finally:
        await client.quit(timeout_s=limits.leave_s)


async def _try_recipient(walk: Walk, client: SmtpClient) -> None:
    """Most servers apply their access rules at RCPT, when they know all that they ever will (smtpd_delay_reject)."""
    trail, limits = walk.trail, walk.limits
    async with trail.passing(Stage.LOGIN, 2 * limits.login_s):
        await client.login(walk.target.username, walk.password, timeout_s=limits.login_s)
    themselves = walk.email or walk.target.username
    if "@" not in themselves:
        trail.detail = "No e-mail address is known, so no recipient was tried."
        return
    async with trail.passing(Stage.RECIPIENT, 3 * limits.command_s):
        await client.verify_recipient(themselves, themselves, timeout_s=limits.command_s)


def _listed(offers: Offers) -> list[str]:
    extensions = [f"{keyword.upper()} {words}".strip() for keyword, words in sorted(offers.extensions.items())]
    return [*extensions, *(f"AUTH={mechanism}" for mechanism in offers.mechanisms)]
