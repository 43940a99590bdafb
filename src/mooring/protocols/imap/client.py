"""The IMAP client: all groups of commands over one stream."""

from mooring.protocols.imap.authentication import Authentication
from mooring.protocols.imap.fetching import Fetching
from mooring.protocols.imap.idling import Idling
from mooring.protocols.imap.messages import Messages


class ImapClient(Authentication, Messages, Fetching, Idling):
    """An IMAP client over a stream that is already open; it never dials, and never retries.

        client = ImapClient(stream)
        await client.greeting()
        await client.start_tls()                  # on port 143
        await client.login(username, password)
        await client.select("INBOX")
        async for message in client.fetch(await client.search(since=day)):
            ...

    One task at a time may use it. Time-outs are parameters of every method.
    """

    __slots__ = ()
