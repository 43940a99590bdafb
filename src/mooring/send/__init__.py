"""Sending: what somebody wants to send, at most once, and its copy in Sent, exactly once.

It composes, submits by SMTP and appends by IMAP, through sessions that ``grants`` opens; it synchronises
nothing, and a send that cannot be told to have failed is never repeated. Start at ``service.py``; the copy
in Sent is in ``copies.py``, what a killed process leaves in ``outcomes.py``.
"""

from mooring.send.copies import CopyKeeper
from mooring.send.errors import KeyInUse, KeyReused, OutcomeUnknown
from mooring.send.outcomes import forget_submissions, recover
from mooring.send.repository import failures
from mooring.send.service import Sender
from mooring.send.types import SentAttachment, Submission, SubmissionState

__all__ = [
    "CopyKeeper",
    "KeyInUse",
    "KeyReused",
    "OutcomeUnknown",
    "Sender",
    "SentAttachment",
    "Submission",
    "SubmissionState",
    "failures",
    "forget_submissions",
    "recover",
]
