"""IMAP as a client: RFC 9051 and RFC 3501, with the extensions that synchronising a mailbox needs.

The core (``connection``, ``framing``, ``responses``, ``commands``) is bytes in, events out, and knows no network;
``ImapClient`` puts it over a stream that is already open. The room never dials, never chooses an exit, never
retries, and knows nothing of grants or of what the mail means. Start at ``client.py``, then ``session.py``.
"""

from mooring.protocols.imap.client import ImapClient
from mooring.protocols.imap.commands import quoted
from mooring.protocols.imap.errors import (
    BadCommand,
    ClientBusy,
    NoLoginMethod,
    NotOffered,
    SaidGoodbye,
    StartTlsMissing,
    WrongState,
)
from mooring.protocols.imap.fetching import FetchStream
from mooring.protocols.imap.mailbox import Mailbox
from mooring.protocols.imap.mailboxes import MailboxName
from mooring.protocols.imap.messages import FlagChange
from mooring.protocols.imap.names import decode_mailbox, encode_mailbox
from mooring.protocols.imap.sequence import ALL, UidSet
from mooring.protocols.imap.states import State
from mooring.protocols.imap.types import (
    Appended,
    Attribute,
    Capabilities,
    CopiedUids,
    Enabled,
    Exists,
    Expunge,
    FetchedMessage,
    Flag,
    ListedMailbox,
    MailboxFlags,
    MailboxStatus,
    Moved,
    Namespace,
    Namespaces,
    News,
    Recent,
    ResponseText,
    SearchResult,
    Selected,
    ServerId,
    Status,
    StatusResponse,
    Stored,
    Unparsed,
    Vanished,
)

__all__ = [
    "ALL",
    "Appended",
    "Attribute",
    "BadCommand",
    "Capabilities",
    "ClientBusy",
    "CopiedUids",
    "Enabled",
    "Exists",
    "Expunge",
    "FetchStream",
    "FetchedMessage",
    "Flag",
    "FlagChange",
    "ImapClient",
    "ListedMailbox",
    "Mailbox",
    "MailboxFlags",
    "MailboxName",
    "MailboxStatus",
    "Moved",
    "Namespace",
    "Namespaces",
    "News",
    "NoLoginMethod",
    "NotOffered",
    "Recent",
    "ResponseText",
    "SaidGoodbye",
    "SearchResult",
    "Selected",
    "ServerId",
    "StartTlsMissing",
    "State",
    "Status",
    "StatusResponse",
    "Stored",
    "UidSet",
    "Unparsed",
    "Vanished",
    "WrongState",
    "decode_mailbox",
    "encode_mailbox",
    "quoted",
]
