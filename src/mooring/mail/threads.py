"""Threads: what is to be said of messages that belong together. Pure: reading them is the reader's part."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from mooring.mail.types import Attachment, Message, MessageFilter, Party

_parties = msgspec.json.Decoder(list[Party])
_attachments = msgspec.json.Decoder(list[Attachment])


@dataclass(frozen=True, slots=True)
class ThreadFilter:
    """Which threads to list; None asks for any. Times are unix seconds.

    Attributes:
        messages: one message of the thread is like this.
        unread, starred: whether any message of the thread is.
        has_attachment: whether any has one.
        started_before, started_after: of the first message; last_before, last_after: of the last one.
    """

    messages: MessageFilter = field(default_factory=MessageFilter)
    unread: bool | None = None
    starred: bool | None = None
    has_attachment: bool | None = None
    started_before: int | None = None
    started_after: int | None = None
    last_before: int | None = None
    last_after: int | None = None


@dataclass(frozen=True, slots=True)
class ThreadMessage:
    """What a thread shows of one of its messages; addresses are everybody's, senders first."""

    id: str
    thread_id: str
    date: int
    subject: str
    addresses: tuple[msgspec.Raw, ...]
    unread: bool
    starred: bool
    has_attachments: bool
    folders: Sequence[str]


@dataclass(frozen=True, slots=True)
class Special:
    """Ids of the folders whose messages say something of a thread."""

    sent: frozenset[str] = frozenset()
    drafts: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Thread:
    """Messages that belong together. Times are unix seconds.

    Attributes:
        subject: of the first message.
        snippet: of the last one.
        last_received_at, last_sent_at: None where it has no such message.
        message_ids, draft_ids: the oldest first; a draft is no message.
        folders: ids of all folders that its messages lie in.
    """

    id: str
    grant_id: str
    subject: str
    snippet: str
    participants: tuple[Party, ...]
    first_at: int
    last_at: int
    last_received_at: int | None
    last_sent_at: int | None
    message_ids: tuple[str, ...]
    draft_ids: tuple[str, ...]
    unread: bool
    starred: bool
    has_attachments: bool
    folders: tuple[str, ...]


def summary_of(message: Message) -> ThreadMessage:
    """What a thread shows of this message."""
    attachments = _attachments.decode(message.attachments)
    return ThreadMessage(
        id=message.id,
        thread_id=message.thread_id,
        date=message.date,
        subject=message.subject,
        addresses=(message.from_, message.to, message.cc, message.bcc),
        unread=message.unread,
        starred=message.starred,
        has_attachments=any(not a.is_inline for a in attachments),
        folders=message.folders,
    )


def by_thread(messages: Iterable[ThreadMessage]) -> dict[str, list[ThreadMessage]]:
    """The messages of each thread, the oldest first."""
    found: dict[str, list[ThreadMessage]] = defaultdict(list)
    for message in sorted(messages, key=lambda m: (m.date, m.id)):
        found[message.thread_id].append(message)
    return dict(found)


def thread_of(
    grant_id: str, messages: Sequence[ThreadMessage], special: Special, snippets: Mapping[str, str]
) -> Thread:
    """The thread of these messages.

    Args:
        messages: of one thread, the oldest first; at least one.
        snippets: by message, as far as they are known.
    """
    first, last = messages[0], messages[-1]
    drafts = [m for m in messages if special.drafts.intersection(m.folders)]
    sent = [m.date for m in messages if special.sent.intersection(m.folders)]
    received = [m.date for m in messages if not (special.sent | special.drafts).intersection(m.folders)]
    return Thread(
        id=last.thread_id,
        grant_id=grant_id,
        subject=first.subject,
        snippet=snippets.get(last.id, ""),
        participants=_participants(messages),
        first_at=first.date,
        last_at=last.date,
        last_received_at=max(received, default=None),
        last_sent_at=max(sent, default=None),
        message_ids=tuple(m.id for m in messages if m not in drafts),
        draft_ids=tuple(m.id for m in drafts),
        unread=any(m.unread for m in messages),
        starred=any(m.starred for m in messages),
        has_attachments=any(m.has_attachments for m in messages),
        folders=tuple(dict.fromkeys(folder for m in messages for folder in m.folders)),
    )


def fits(thread: Thread, wanted: ThreadFilter) -> bool:
    """Whether the thread as a whole is one of those asked for; whether a message of it is, the messages say."""
    return (
        (wanted.unread is None or thread.unread == wanted.unread)
        and (wanted.starred is None or thread.starred == wanted.starred)
        and (wanted.has_attachment is None or thread.has_attachments == wanted.has_attachment)
        and (wanted.started_before is None or thread.first_at < wanted.started_before)
        and (wanted.started_after is None or thread.first_at > wanted.started_after)
        and (wanted.last_before is None or thread.last_at < wanted.last_before)
        and (wanted.last_after is None or thread.last_at > wanted.last_after)
    )


def _participants(messages: Iterable[ThreadMessage]) -> tuple[Party, ...]:
    """Everybody once, by the first name that he is given."""
    found: dict[str, Party] = {}
    for message in messages:
        for raw in message.addresses:
            for party in _parties.decode(raw):
                known = found.setdefault(party.email.lower(), party)
                if party.name and not known.name:
                    found[party.email.lower()] = party
    return tuple(found.values())
