"""Messages: bytes to meaning, and meaning to bytes. Pure functions, no I/O.

``parse``, ``headers`` and ``part`` never raise on ugly input (``part`` only when there is no such
part); ``compose`` and ``recipients`` refuse what cannot be sent. Not here: folders, threads, what is
stored where, SMTP. Start at ``message.py`` for reading and at ``compose.py`` for writing.
"""

from mooring.protocols.mime.compose import compose
from mooring.protocols.mime.errors import PartNotFound
from mooring.protocols.mime.header import headers, raw_header_block
from mooring.protocols.mime.message import parse, part
from mooring.protocols.mime.recipients import Mailbox, mailbox, recipients
from mooring.protocols.mime.text import plain
from mooring.protocols.mime.types import (
    Address,
    AttachmentInfo,
    DecodedPart,
    Disposition,
    Outgoing,
    OutgoingAttachment,
    ParsedMessage,
    Recipients,
)

__all__ = [
    "Address",
    "AttachmentInfo",
    "DecodedPart",
    "Disposition",
    "Mailbox",
    "Outgoing",
    "OutgoingAttachment",
    "ParsedMessage",
    "PartNotFound",
    "Recipients",
    "compose",
    "headers",
    "mailbox",
    "parse",
    "part",
    "plain",
    "raw_header_block",
    "recipients",
]
