"""From the bytes of a message to what is stored of it: parsed, compressed, encrypted, packed.

All of it is work for the processor, so it runs in a thread, a batch at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from mooring.ids import new_id
from mooring.mail.identity import ThreadHeaders, message_id
from mooring.mail.types import Attachment, Party
from mooring.protocols.mime import Address, AttachmentInfo, ParsedMessage, parse
from mooring.vault import DataKey

FUTURE_S = 2 * 86400
"""Seconds that a Date header may lie ahead of the server's own date before it is taken for a lie."""

_THREAD_WORDS = 50
"""References that are looked at: the oldest and the newest matter, and some mailers repeat thousands."""

MAX_HEADER = 998
"""Bytes of a Message-ID that are told apart: those of the longest line (RFC 5322 §2.1.1)."""

encode = msgspec.json.Encoder().encode
_decode_text = msgspec.json.Decoder(str).decode


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message as it was fetched.

    Attributes:
        received_at: unix seconds; the server's INTERNALDATE, or 0 when it did not tell.
    """

    uid: int
    flags: frozenset[str]
    received_at: int
    raw: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Record:
    """A message, ready to be written.

    Attributes:
        addresses: from, to, cc, bcc, reply_to as JSON.
        content: snippet and body (``content_json``), sealed with the grant's key.
        offset, length: where the sealed raw message lies in its pack.
    """

    id: str
    uid: int
    flags: frozenset[str]
    headers: ThreadHeaders
    date: int
    received_at: int
    subject: str
    addresses: tuple[bytes, bytes, bytes, bytes, bytes]
    attachments: bytes
    has_attachments: bool
    content: bytes = field(repr=False)
    size: int = 0
    offset: int = 0
    length: int = 0

    @property
    def unread(self) -> bool:
        return "\\Seen" not in self.flags

    @property
    def starred(self) -> bool:
        return "\\Flagged" in self.flags


@dataclass(frozen=True, slots=True)
class Batch:
    """Records and the pack that holds their raw messages.

    Attributes:
        failed: what of the messages could not be prepared, by UID.
    """

    pack_id: str
    pack: bytes = field(repr=False)
    records: list[Record] = field(repr=False)
    failed: dict[int, Exception] = field(default_factory=dict[int, Exception], repr=False)


def prepare(grant_id: str, key: DataKey, arrivals: Sequence[Arrival]) -> Batch:
    """Parse and seal these messages; one that we fail with is left out. CPU-bound: call it in a thread."""
    records: list[Record] = []
    sealed: list[bytes] = []
    failed: dict[int, Exception] = {}
    offset = 0
    for arrival in arrivals:
        try:
            identity = message_id(grant_id, arrival.raw)
            raw = key.pack(arrival.raw, raw_context(identity))
            records.append(_record(grant_id, identity, key, arrival, offset, len(raw)))
        except Exception as e:
            failed[arrival.uid] = e
            continue
        sealed.append(raw)
        offset += len(raw)
    return Batch(new_id(), b"".join(sealed), records, failed)


def raw_context(identity: str) -> bytes:
    """What a sealed raw message is bound to."""
    return b"raw:" + identity.encode()


def content_context(identity: str) -> bytes:
    """What sealed content is bound to.

    It was ``body:`` while the body was sealed alone (before revision 0006): one is never opened as the other.
    """
    return b"content:" + identity.encode()


def content_json(snippet: str, body: str) -> bytes:
    """Snippet and body, each as JSON, parted by a newline: they are one value, so that a page unpacks but one.

    JSON escapes the newlines of a string, so the first one is ours.
    """
    return b"\n".join((encode(snippet), encode(body)))


def snippet_and_body(content: bytes) -> tuple[str, bytes]:
    """What ``content_json`` was given: the snippet, and the body as the JSON that it is shown as."""
    snippet, _, body = content.partition(b"\n")
    return _decode_text(snippet), body


def party_list(addresses: Sequence[Address]) -> list[Party]:
    """Addresses in the API's shape; those without an address are left out."""
    return [Party(email=a.email, name=a.name) for a in addresses if a.email]


def attachment_list(grant_id: str, infos: Sequence[AttachmentInfo]) -> list[Attachment]:
    """Attachments in the API's shape (contract 4.1.2)."""
    return [
        Attachment(
            id=attachment_id(i.part_id),
            filename=i.filename,
            content_type=i.content_type,
            size=i.size,
            content_id=i.content_id,
            content_disposition=str(i.disposition),
            is_inline=i.is_inline,
            grant_id=grant_id,
        )
        for i in infos
    ]


def attachment_id(part_id: str) -> str:
    """The part's path in letters that need no quoting in a URL."""
    return "part-" + part_id.replace(".", "-")


def part_id(attachment: str) -> str:
    """The path that ``attachment_id`` was given."""
    return attachment.removeprefix("part-").replace("-", ".")


def message_date(parsed: ParsedMessage, received_at: int) -> int:
    """When the message is from: its Date header, unless that is absent or in the future."""
    if parsed.date is None or parsed.date <= 0 or (received_at and parsed.date > received_at + FUTURE_S):
        return received_at
    return parsed.date


def thread_headers(parsed: ParsedMessage) -> ThreadHeaders:
    """What ties the message to others."""
    references = parsed.references
    if len(references) > _THREAD_WORDS:
        references = references[: _THREAD_WORDS // 2] + references[-_THREAD_WORDS // 2 :]
    if parsed.in_reply_to and parsed.in_reply_to not in references:
        references = [*references, parsed.in_reply_to]
    return ThreadHeaders(_shortened(parsed.message_id), tuple(map(_shortened, references)))


def _shortened(header: str) -> str:
    """As much of a Message-ID as an index of the database takes."""
    return header.encode()[:MAX_HEADER].decode(errors="ignore")


def _record(grant_id: str, identity: str, key: DataKey, arrival: Arrival, offset: int, length: int) -> Record:
    parsed = parse(arrival.raw)
    return Record(
        id=identity,
        uid=arrival.uid,
        flags=arrival.flags,
        headers=thread_headers(parsed),
        date=message_date(parsed, arrival.received_at),
        received_at=arrival.received_at,
        subject=parsed.subject,
        addresses=(
            encode(party_list(parsed.from_)),
            encode(party_list(parsed.to)),
            encode(party_list(parsed.cc)),
            encode(party_list(parsed.bcc)),
            encode(party_list(parsed.reply_to)),
        ),
        attachments=encode(attachment_list(grant_id, parsed.attachments)),
        has_attachments=any(not a.is_inline for a in parsed.attachments),
        content=key.pack(content_json(parsed.snippet, parsed.body), content_context(identity)),
        size=len(arrival.raw),
        offset=offset,
        length=length,
    )
