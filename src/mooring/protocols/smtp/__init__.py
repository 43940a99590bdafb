"""Submission by SMTP over a stream that is already open (RFC 5321, RFC 6409).

It greets, protects, authenticates, tries a recipient and hands over a message, and it says of every
failure whether the message may be sent again. It does not dial, choose an exit, compose or parse
messages, retry, or know what a grant is. aiosmtplib does the reading of replies; nothing of it shows
outside. Start at ``client.py``; what may be repeated is in ``errors.py``.
"""

from mooring.protocols.smtp.client import SmtpClient
from mooring.protocols.smtp.errors import (
    DeliveryUnknown,
    NotEncrypted,
    NotOffered,
    RecipientsRefused,
    SmtpRefused,
    StartTlsMissing,
)
from mooring.protocols.smtp.types import COMMAND_S, GREETING_S, Offers, Reply, SendResult, SendTimeouts, Step

__all__ = [
    "COMMAND_S",
    "GREETING_S",
    "DeliveryUnknown",
    "NotEncrypted",
    "NotOffered",
    "Offers",
    "RecipientsRefused",
    "Reply",
    "SendResult",
    "SendTimeouts",
    "SmtpClient",
    "SmtpRefused",
    "StartTlsMissing",
    "Step",
]
