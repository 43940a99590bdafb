"""Commands about mailboxes: list, select, status, make, rename, delete."""

from collections.abc import Sequence

from mooring.errors import InvalidRequest, RemoteProtocolError
from mooring.protocols.imap.commands import Command, Literal, Verb, string
from mooring.protocols.imap.errors import NotOffered
from mooring.protocols.imap.mailbox import DESCRIBING_CODES, Mailbox
from mooring.protocols.imap.names import decode_mailbox, encode_mailbox
from mooring.protocols.imap.sequence import MAX_SET_CHARS, UidSet
from mooring.protocols.imap.session import COMMAND_S, Session
from mooring.protocols.imap.types import (
    Exists,
    FetchedMessage,
    ListedMailbox,
    MailboxFlags,
    MailboxStatus,
    Namespaces,
    Recent,
    Selected,
    StatusResponse,
    Vanished,
)
from mooring.steps import gently

STATUS_ITEMS = ("MESSAGES", "UNSEEN", "UIDNEXT", "UIDVALIDITY")
"""What every server can tell; HIGHESTMODSEQ joins them where CONDSTORE is offered."""

MailboxName = str | bytes
"""A mailbox as text, or as ``ListedMailbox.wire``, which also serves names that are no text."""


class Mailboxes(Session):
    """LIST, NAMESPACE, SELECT and its like, STATUS, and changes of the tree."""

    __slots__ = ()

    async def list(
        self,
        pattern: str = "*",
        *,
        reference: MailboxName = "",
        with_status: bool = False,
        timeout_s: float = COMMAND_S,
    ) -> list[ListedMailbox]:
        """The mailboxes that match.

        Args:
            pattern: ``*`` for all, ``%`` for one level.
            with_status: also their counters, if the server can tell them along (LIST-STATUS).
        Source: RFC 9051 §6.3.9, RFC 6154, RFC 5819.
        """
        offered = await self.capabilities(timeout_s=timeout_s)
        arguments = [self._name(reference), self._name(pattern)]
        wanted: list[str] = []
        if not offered.isdisjoint({"LIST-EXTENDED", "IMAP4REV2"}):
            wanted.append("CHILDREN")
            if not offered.isdisjoint({"SPECIAL-USE", "IMAP4REV2"}):
                wanted.append("SPECIAL-USE")
            if with_status and not offered.isdisjoint({"LIST-STATUS", "IMAP4REV2"}):
                wanted.append(f"STATUS ({' '.join(self._status_items(offered))})")
        if wanted:
            arguments.append(f"RETURN ({' '.join(wanted)})".encode())
        reply = await self._run(
            Command(Verb.LIST, *arguments), timeout_s=timeout_s, collect=(ListedMailbox, MailboxStatus)
        )
        told = {status.wire: status for status in reply.of(MailboxStatus)}
        return [_with_status(mailbox, told.get(mailbox.wire)) for mailbox in reply.of(ListedMailbox)]

    async def namespaces(self, *, timeout_s: float = COMMAND_S) -> Namespaces:
        """Where the account's own mailboxes begin, and others'.

        Raises:
            NotOffered.
        Source: RFC 2342.
        """
        await self._demand("NAMESPACE", timeout_s=timeout_s)
        reply = await self._run(Command(Verb.NAMESPACE), timeout_s=timeout_s, collect=(Namespaces,))
        return reply.last(Namespaces) or Namespaces((), (), ())

    async def select(
        self,
        mailbox: MailboxName,
        *,
        read_only: bool = False,
        since: tuple[int, int] | None = None,
        known: UidSet | None = None,
        timeout_s: float = COMMAND_S,
    ) -> Selected:
        """Make a mailbox the one that messages are read from and changed in; with CONDSTORE where it is offered.

        Args:
            read_only: EXAMINE instead of SELECT.
            since: the UIDVALIDITY and MODSEQ of an earlier visit; QRESYNC must be enabled. If the UIDVALIDITY still
                holds, ``vanished`` and ``changed`` of the result tell what happened since.
            known: the UIDs that the caller has; keeps ``vanished`` short. A set too scattered for one line is left
                out, and ``vanished`` may then name UIDs that the caller never had.
        Raises:
            ServerRefused: no such mailbox, or none of ours; nothing is selected then.
            RemoteProtocolError: the server did not tell the UIDVALIDITY.
        Source: RFC 9051 §6.3.2, RFC 7162 §3.1.8 and §3.2.5.
        """
        name = self._name(mailbox)
        arguments = [name]
        parameter = await self._select_parameter(since, known, timeout_s)
        if parameter:
            arguments.append(parameter)
        wire = name.data if isinstance(name, Literal) else encode_mailbox(mailbox, utf8=self._wire.is_utf8)
        state = Mailbox(decode_mailbox(wire, utf8=self._wire.is_utf8), wire, read_only=read_only)
        reply = await self._run(
            Command(Verb.EXAMINE if read_only else Verb.SELECT, *arguments),
            timeout_s=timeout_s,
            collect=(MailboxFlags, Exists, Recent, StatusResponse, Vanished, FetchedMessage),
            select=state,
        )
        if not state.uid_validity:
            raise RemoteProtocolError(f"{self._stream.host} did not tell the UIDVALIDITY of {state.name!r}")
        for said in reply.of(StatusResponse):
            if said.text.code not in DESCRIBING_CODES:
                self._keep(said)
        vanished = await gently(UidSet.joining(gone.uids for gone in reply.of(Vanished)))
        return state.selected(vanished, reply.of(FetchedMessage))

    async def unselect(self, *, timeout_s: float = COMMAND_S) -> None:
        """Leave the mailbox without expunging anything (RFC 3691).

        Raises:
            NotOffered: the server can only CLOSE.
        """
        if not await self._offers("UNSELECT", "IMAP4REV2", timeout_s=timeout_s):
            raise NotOffered(f"{self._stream.host} does not offer UNSELECT", capability="UNSELECT")
        await self._run(Command(Verb.UNSELECT), timeout_s=timeout_s)

    async def close(self, *, timeout_s: float = COMMAND_S) -> None:
        """Leave the mailbox, expunging what is marked \\Deleted unless it was selected read-only."""
        await self._run(Command(Verb.CLOSE), timeout_s=timeout_s)

    async def status(
        self, mailbox: MailboxName, items: Sequence[str] = (), *, timeout_s: float = COMMAND_S
    ) -> MailboxStatus:
        """Counters of a mailbox that is not selected.

        Args:
            items: STATUS items; none means those of STATUS_ITEMS.
        """
        wanted = " ".join(items or self._status_items(await self.capabilities(timeout_s=timeout_s)))
        command = Command(Verb.STATUS, self._name(mailbox), f"({wanted})")
        reply = await self._run(command, timeout_s=timeout_s, collect=(MailboxStatus,))
        status = reply.last(MailboxStatus)
        if status is None:
            raise RemoteProtocolError(f"{self._stream.host} answered STATUS without a status")
        return status

    async def create(self, mailbox: MailboxName, *, timeout_s: float = COMMAND_S) -> None:
        await self._run(Command(Verb.CREATE, self._name(mailbox)), timeout_s=timeout_s)

    async def delete(self, mailbox: MailboxName, *, timeout_s: float = COMMAND_S) -> None:
        """Delete a mailbox with all its messages."""
        await self._run(Command(Verb.DELETE, self._name(mailbox)), timeout_s=timeout_s)

    async def rename(self, mailbox: MailboxName, new: MailboxName, *, timeout_s: float = COMMAND_S) -> None:
        await self._run(Command(Verb.RENAME, self._name(mailbox), self._name(new)), timeout_s=timeout_s)

    async def subscribe(self, mailbox: MailboxName, *, timeout_s: float = COMMAND_S) -> None:
        await self._run(Command(Verb.SUBSCRIBE, self._name(mailbox)), timeout_s=timeout_s)

    async def unsubscribe(self, mailbox: MailboxName, *, timeout_s: float = COMMAND_S) -> None:
        await self._run(Command(Verb.UNSUBSCRIBE, self._name(mailbox)), timeout_s=timeout_s)

    async def _select_parameter(self, since: tuple[int, int] | None, known: UidSet | None, timeout_s: float) -> bytes:
        offered = await self.capabilities(timeout_s=timeout_s)
        if since is None:
            return b"(CONDSTORE)" if not offered.isdisjoint({"CONDSTORE", "QRESYNC"}) else b""
        if "QRESYNC" not in self.enabled:
            raise InvalidRequest("QRESYNC must be enabled before it can be used")
        uid_validity, modseq = since
        spelt = str(known) if known else ""
        uids = f" {spelt}" if 0 < len(spelt) <= MAX_SET_CHARS else ""
        return f"(QRESYNC ({uid_validity} {modseq}{uids}))".encode()

    def _name(self, mailbox: MailboxName) -> bytes | Literal:
        wire = encode_mailbox(mailbox, utf8=self._wire.is_utf8)
        if self._wire.is_utf8 and not wire.isascii() and isinstance(mailbox, str):
            return b'"' + wire.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
        return string(wire)

    def _status_items(self, offered: frozenset[str]) -> tuple[str, ...]:
        return (*STATUS_ITEMS, "HIGHESTMODSEQ") if "CONDSTORE" in offered else STATUS_ITEMS


def _with_status(mailbox: ListedMailbox, status: MailboxStatus | None) -> ListedMailbox:
    if status is None:
        return mailbox
    return ListedMailbox(mailbox.name, mailbox.wire, mailbox.delimiter, mailbox.attributes, status)
