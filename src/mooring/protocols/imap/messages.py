"""Commands that find and change messages: SEARCH, STORE, COPY, MOVE, APPEND, EXPUNGE."""

import re
from collections.abc import Iterable
from datetime import date, datetime
from enum import StrEnum

from mooring.errors import RemoteProtocolError, ServerRefused
from mooring.protocols.imap.commands import Command, Literal, Verb, criteria, date_text, date_time, flag_list
from mooring.protocols.imap.framing import MAX_SEARCH_LINE
from mooring.protocols.imap.mailbox import counter
from mooring.protocols.imap.mailboxes import Mailboxes, MailboxName
from mooring.protocols.imap.responses import parse_text
from mooring.protocols.imap.sequence import UidSet
from mooring.protocols.imap.session import COMMAND_S, Reply
from mooring.protocols.imap.spelling import MAX_UID, in_order
from mooring.protocols.imap.types import (
    Appended,
    CopiedUids,
    FetchedMessage,
    Flag,
    Moved,
    ResponseText,
    SearchResult,
    StatusResponse,
    Stored,
    Unparsed,
)
from mooring.steps import gently

_SEARCHED = re.compile(rb"\* +E?SEARCH\b", re.IGNORECASE)

_MAX_COPIED = 100_000
"""Pairs of one COPYUID that are read; far more messages than one command of ours names."""


class FlagChange(StrEnum):
    """What STORE does with the flags it names (RFC 9051 §6.4.6)."""

    ADD = "+FLAGS"
    REMOVE = "-FLAGS"
    REPLACE = "FLAGS"


class Messages(Mailboxes):
    """Everything that names messages and does not read them."""

    __slots__ = ()

    async def search(self, keys: str = "ALL", *, since: date | None = None, timeout_s: float = COMMAND_S) -> UidSet:
        """The UIDs of the messages that match.

        Args:
            keys: search keys as the standard writes them; words of any script stand in quotes (see ``quoted``).
            since: only messages that the server received on this day or later.
        Raises:
            InvalidRequest: the keys cannot be read.
            ServerRefused: the server does not know them.
            RemoteProtocolError: the answer cannot be read, which is not to say that nothing was found.
        Source: RFC 9051 §6.4.4.
        """
        arguments = criteria(keys)
        if not keys.isascii() and not self._wire.is_utf8:
            arguments = ["CHARSET UTF-8", *arguments]
        if since is not None:
            arguments += ["SINCE", date_text(since)]
        command = Command(Verb.UID_SEARCH, *arguments)
        reply = await self._run(
            command, timeout_s=timeout_s, collect=(SearchResult, Unparsed), max_line=MAX_SEARCH_LINE
        )
        for odd in reply.of(Unparsed):
            if _SEARCHED.match(odd.raw):
                raise RemoteProtocolError(f"the answer to a search cannot be read: {odd.reason}")
            self._keep(odd)
        return await gently(UidSet.joining(result.uids for result in reply.of(SearchResult)))

    async def store(
        self,
        uids: UidSet | Iterable[int],
        change: FlagChange,
        flags: Iterable[str],
        *,
        silent: bool = True,
        unchanged_since: int | None = None,
        timeout_s: float = COMMAND_S,
    ) -> Stored:
        """Change flags.

        Args:
            silent: the server need not tell the flags afterwards (it may).
            unchanged_since: leave a message alone that changed after this MODSEQ; needs CONDSTORE.
            timeout_s: seconds for each command; a set that is very scattered takes several.
        Source: RFC 9051 §6.4.6, RFC 7162 §3.1.3.
        """
        verb = f"{change}.SILENT" if silent else str(change)
        words = flag_list(flags)
        condition = "" if unchanged_since is None else f"(UNCHANGEDSINCE {unchanged_since}) "
        changed: list[FetchedMessage] = []
        refused = UidSet()
        for batch in UidSet.of(uids).batches():
            command = Command(Verb.UID_STORE, f"{batch} {condition}{verb} {words}")
            try:
                reply = await self._run(command, timeout_s=timeout_s, collect=(FetchedMessage,))
            except ServerRefused as e:
                if e.code != "MODIFIED":
                    raise
                refused |= UidSet.parse(parse_text(e.reply.encode()).arguments)
                continue
            changed += reply.of(FetchedMessage)
            if reply.text.code == "MODIFIED":
                refused |= UidSet.parse(reply.text.arguments)
        return Stored(changed, refused)

    async def copy(
        self, uids: UidSet | Iterable[int], target: MailboxName, *, timeout_s: float = COMMAND_S
    ) -> CopiedUids | None:
        """Copy messages, and learn their new UIDs where the server tells (UIDPLUS).

        Raises:
            ServerRefused: with ``code`` ``TRYCREATE`` when the target does not exist; nothing was copied then.
        Source: RFC 9051 §6.4.7, RFC 4315 §3.
        """
        copied: CopiedUids | None = None
        for batch in UidSet.of(uids).batches():
            reply = await self._run(Command(Verb.UID_COPY, str(batch), self._name(target)), timeout_s=timeout_s)
            copied = _merged(copied, reply.text)
        return copied

    async def move(self, uids: UidSet | Iterable[int], target: MailboxName, *, timeout_s: float = COMMAND_S) -> Moved:
        """Move messages; by copying, marking and expunging them where the server has no MOVE.

        Without MOVE and UIDPLUS the originals stay, marked \\Deleted: a plain EXPUNGE would also take what somebody
        else has marked.

        Source: RFC 6851.
        """
        offered = await self.capabilities(timeout_s=timeout_s)
        chosen = UidSet.of(uids)
        if offered.isdisjoint({"MOVE", "IMAP4REV2"}):
            copied = await self.copy(chosen, target, timeout_s=timeout_s)
            await self.store(chosen, FlagChange.ADD, [Flag.DELETED], timeout_s=timeout_s)
            can_expunge = "UIDPLUS" in offered
            if can_expunge:
                await self.expunge(chosen, timeout_s=timeout_s)
            return Moved(copied, expunged=can_expunge)
        copied = None
        for batch in chosen.batches():
            command = Command(Verb.UID_MOVE, str(batch), self._name(target))
            reply = await self._run(command, timeout_s=timeout_s, collect=(StatusResponse,))
            copied = self._moved(copied, reply)
        return Moved(copied, expunged=True)

    async def append(
        self,
        mailbox: MailboxName,
        message: bytes,
        *,
        flags: Iterable[str] = (),
        received_at: datetime | None = None,
        timeout_s: float = COMMAND_S,
    ) -> Appended | None:
        """Put a message into a mailbox; None when the server does not tell its UID (UIDPLUS).

        Args:
            received_at: aware; its INTERNALDATE, or else the server takes the present moment.
            timeout_s: seconds for all of it, the upload included.
        Source: RFC 9051 §6.3.12, RFC 4315 §3.
        """
        arguments: list[str | bytes | Literal] = [self._name(mailbox)]
        words = flag_list(flags)
        if words != "()":
            arguments.append(words)
        if received_at is not None:
            arguments.append(date_time(received_at))
        command = Command(Verb.APPEND, *arguments, Literal(message))
        text = (await self._run(command, timeout_s=timeout_s)).text
        numbers = [counter(word, MAX_UID) for word in text.arguments.split()] if text.code == "APPENDUID" else []
        match numbers:
            case [int(uid_validity), int(uid)]:
                return Appended(uid_validity, uid)
            case _:
                return None

    async def expunge(self, uids: UidSet | Iterable[int] | None = None, *, timeout_s: float = COMMAND_S) -> None:
        """Remove for good what is marked \\Deleted; which messages went is in ``take_events``.

        Args:
            uids: only these (the server must offer UIDPLUS); None takes all that anybody has marked.
        Raises:
            NotOffered.
        Source: RFC 9051 §6.4.3, RFC 4315 §2.1.
        """
        if uids is None:
            await self._run(Command(Verb.EXPUNGE), timeout_s=timeout_s)
            return
        await self._demand("UIDPLUS", timeout_s=timeout_s)
        for batch in UidSet.of(uids).batches():
            await self._run(Command(Verb.UID_EXPUNGE, str(batch)), timeout_s=timeout_s)

    def _moved(self, copied: CopiedUids | None, reply: Reply) -> CopiedUids | None:
        """COPYUID comes before the expunges, in an untagged OK; what else came is news (RFC 6851 §4.3)."""
        for said in reply.of(StatusResponse):
            if said.text.code == "COPYUID":
                copied = _merged(copied, said.text)
            else:
                self._keep(said)
        return _merged(copied, reply.text)


def _merged(copied: CopiedUids | None, text: ResponseText) -> CopiedUids | None:
    """What was known of the copies, and what this text adds; a COPYUID that makes no sense adds nothing."""
    words = text.arguments.split()
    if text.code != "COPYUID" or len(words) != 3:
        return copied
    try:
        old, new = in_order(words[1], _MAX_COPIED), in_order(words[2], _MAX_COPIED)
    except RemoteProtocolError:
        return copied
    uid_validity = counter(words[0], MAX_UID)
    if not uid_validity or old is None or new is None or len(old) != len(new):
        return copied
    before = copied.uids if copied and copied.uid_validity == uid_validity else {}
    return CopiedUids(uid_validity, before | dict(zip(old, new, strict=True)))
