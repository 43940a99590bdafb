"""From what somebody wants to send to the bytes that leave, and to how the API shows them. Pure, and CPU-bound."""

import hashlib
from dataclasses import dataclass, field, replace
from datetime import datetime

import msgspec

from mooring.grants import Grant
from mooring.ids import new_id
from mooring.large import windows
from mooring.mail import Message, Party, attachment_list, message_date, message_id, party_list, thread_headers
from mooring.protocols.mime import (
    Address,
    Outgoing,
    OutgoingAttachment,
    ParsedMessage,
    compose,
    mailbox,
    parse,
    recipients,
)
from mooring.send.types import SentAttachment, Submission


@dataclass(frozen=True, slots=True)
class Letter:
    """A submission written down: whatever is stored, sent or shown of it follows from these bytes.

    Attributes:
        id: of the content; the copy in Sent has the same.
        message_id_header: without angle brackets.
        sender, recipients: the envelope.
        raw: RFC 5322, with CRLF at every line's end, so that SMTP and IMAP carry the very same.
        bcc: not in ``raw``.
        written_at: unix seconds.
    """

    id: str
    message_id_header: str
    sender: str
    recipients: list[str]
    parsed: ParsedMessage = field(repr=False)
    raw: bytes = field(repr=False)
    bcc: list[Party]
    written_at: int


def request_hash(submission: Submission) -> bytes:
    """The same 32 bytes for the same submission, and for no other."""
    digests = tuple(replace(one, content=hashlib.sha256(one.content).digest()) for one in submission.attachments)
    hashed = hashlib.sha256(msgspec.msgpack.encode(replace(submission, body="", attachments=digests)))
    for start, end in windows(len(submission.body)):
        hashed.update(submission.body[start:end].encode())
    return hashed.digest()


def weight(submission: Submission) -> int:
    """About how many bytes the submission is."""
    return len(submission.body) + sum(len(one.content) for one in submission.attachments)


def write_letter(grant: Grant, submission: Submission, parent: bytes | None, now: datetime) -> Letter:
    """The letter that this submission makes, with a Message-ID of its own.

    Args:
        parent: the raw message that this one answers.
    Raises:
        InvalidRequest: nobody to send to, or a value that cannot stand in a message; names the field.
    """
    account = mailbox(grant.email, "from")
    own_id = f"{new_id()}@{account.domain}"
    outgoing = _outgoing(grant, submission, own_id, now)
    if parent is not None:
        outgoing = _answering(outgoing, parent)
    envelope = recipients(outgoing)
    raw = compose(outgoing)
    raw = raw if raw.endswith(b"\r\n") else raw + b"\r\n"
    return Letter(
        id=message_id(grant.id, raw),
        message_id_header=own_id,
        sender=account.text,
        recipients=envelope.addresses,
        parsed=parse(raw),
        raw=raw,
        bcc=list(submission.bcc),
        written_at=int(now.timestamp()),
    )


def message_of(grant: Grant, letter: Letter, *, thread_id: str, folders: list[str]) -> Message:
    """The letter as the API shows it: as its copy in Sent will be, and with whom it was sent to in secret."""
    encode, parsed = msgspec.json.encode, letter.parsed
    return Message(
        id=letter.id,
        grant_id=grant.id,
        thread_id=thread_id,
        subject=parsed.subject,
        from_=msgspec.Raw(encode(party_list(parsed.from_))),
        to=msgspec.Raw(encode(party_list(parsed.to))),
        cc=msgspec.Raw(encode(party_list(parsed.cc))),
        bcc=msgspec.Raw(encode(letter.bcc)),
        reply_to=msgspec.Raw(encode(party_list(parsed.reply_to))),
        date=message_date(parsed, letter.written_at),
        unread=False,
        starred=False,
        snippet=parsed.snippet,
        body=msgspec.Raw(_json(parsed.body)),
        folders=folders,
        attachments=msgspec.Raw(encode(attachment_list(grant.id, parsed.attachments))),
        created_at=letter.written_at,
    )


def _json(text: str) -> bytes:
    """The text as JSON, encoded by windows."""
    pieces = [msgspec.json.encode(text[start:end])[1:-1] for start, end in windows(len(text))]
    return b"".join((b'"', *pieces, b'"'))


def _outgoing(grant: Grant, submission: Submission, own_id: str, now: datetime) -> Outgoing:
    sender = submission.from_ or Party(email=grant.email, name=grant.name)
    return Outgoing(
        from_=_addresses((sender,)),
        message_id=own_id,
        date=now,
        to=_addresses(submission.to),
        cc=_addresses(submission.cc),
        bcc=_addresses(submission.bcc),
        reply_to=_addresses(submission.reply_to),
        subject=submission.subject,
        body=submission.body,
        is_plaintext=submission.is_plaintext,
        attachments=[_attachment(one) for one in submission.attachments],
        custom_headers=list(submission.custom_headers),
    )


def _answering(outgoing: Outgoing, parent: bytes) -> Outgoing:
    """The same, as an answer (RFC 5322 §3.6.4); a parent without a Message-ID cannot be referred to."""
    headers = thread_headers(parse(parent))
    if not headers.own:
        return outgoing
    ancestors = [reference for reference in headers.references if reference != headers.own]
    return replace(outgoing, in_reply_to=headers.own, references=[*ancestors, headers.own])


def _addresses(parties: tuple[Party, ...]) -> list[Address]:
    return [Address(name=party.name, email=party.email) for party in parties]


def _attachment(one: SentAttachment) -> OutgoingAttachment:
    return OutgoingAttachment(
        filename=one.filename,
        content_type=one.content_type,
        content=one.content,
        content_id=one.content_id,
        is_inline=one.is_inline,
    )
