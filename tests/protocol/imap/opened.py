"""Clients in the state that a test begins with."""

from mooring.protocols.imap import ImapClient
from tests.protocol.scripted import ScriptedStream, Step, scripted

CAPABILITIES = (
    "IMAP4rev1 ID ENABLE IDLE LITERAL+ UIDPLUS MOVE CONDSTORE QRESYNC NAMESPACE UNSELECT "
    "LIST-EXTENDED SPECIAL-USE LIST-STATUS COMPRESS=DEFLATE AUTH=PLAIN SASL-IR"
)
"""What the scripted server offers after the login, unless a test says otherwise."""


async def logged_in(
    *lines: str | Step, offers: str = CAPABILITIES, chunk: int = 64 * 1024
) -> tuple[ImapClient, ScriptedStream]:
    """A client that is logged in; the script goes on with ``M2``."""
    stream = scripted(
        "S: * OK [CAPABILITY IMAP4rev1] hello",
        'C: M1 LOGIN "ann" "secret"',
        f"S: M1 OK [CAPABILITY {offers}] welcome",
        *lines,
        chunk=chunk,
    )
    client = ImapClient(stream)
    await client.greeting()
    await client.login("ann", "secret")
    return client, stream


async def selected(
    *lines: str | Step, offers: str = CAPABILITIES, chunk: int = 64 * 1024
) -> tuple[ImapClient, ScriptedStream]:
    """A client with INBOX selected: 3 messages, UIDVALIDITY 7; the script goes on with ``M3``."""
    condstore = " (CONDSTORE)" if "CONDSTORE" in offers else ""
    client, stream = await logged_in(
        f'C: M2 SELECT "INBOX"{condstore}',
        "S: * FLAGS (\\Seen \\Deleted $Work)",
        "S: * OK [PERMANENTFLAGS (\\Seen \\*)] limited",
        "S: * 3 EXISTS",
        "S: * 0 RECENT",
        "S: * OK [UIDVALIDITY 7] valid",
        "S: * OK [UIDNEXT 100] next",
        *(["S: * OK [HIGHESTMODSEQ 50] highest"] if condstore else []),
        "S: M2 OK [READ-WRITE] selected",
        *lines,
        offers=offers,
        chunk=chunk,
    )
    await client.select("INBOX")
    return client, stream
