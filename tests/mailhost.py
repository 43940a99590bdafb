"""An IMAP server in memory, spoken to byte for byte over a stream without a socket, with the quirks a test asks for."""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from mooring.egress import Berth
from mooring.errors import ReadTimeout
from mooring.net import Endpoint
from mooring.net.stream import CHUNK
from mooring.protocols.imap import ImapClient, UidSet

LONG_AGO = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
_WORD = re.compile(r'"([^"]*)"|(\([^()]*(?:\([^()]*\)[^()]*)*\))|(\S+)')


@dataclass
class Letter:
    """One message in a folder."""

    raw: bytes
    flags: set[str]
    received: datetime
    modseq: int


@dataclass
class Box:
    """One folder.

    Attributes:
        gone: UIDs that were expunged, with the counter of that moment.
    """

    attributes: str = ""
    uid_validity: int = 1
    uid_next: int = 1
    modseq: int = 1
    letters: dict[int, Letter] = field(default_factory=dict[int, Letter])
    gone: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])

    def deliver(self, raw: bytes, *flags: str, received: datetime = LONG_AGO) -> int:
        """Put a message in; returns its UID."""
        self.modseq += 1
        uid, self.uid_next = self.uid_next, self.uid_next + 1
        self.letters[uid] = Letter(raw, set(flags), received, self.modseq)
        return uid

    def flag(self, uid: int, *flags: str) -> None:
        """Make these its flags."""
        self.modseq += 1
        self.letters[uid].flags, self.letters[uid].modseq = set(flags), self.modseq

    def expunge(self, uid: int) -> Letter:
        """Take a message out."""
        self.modseq += 1
        self.gone.append((uid, self.modseq))
        return self.letters.pop(uid)

    def restore(self) -> None:
        """The same messages, under another UIDVALIDITY and other UIDs."""
        letters, self.letters, self.gone = list(self.letters.values()), {}, []
        self.uid_validity += 1
        self.uid_next += 100
        for letter in letters:
            self.deliver(letter.raw, *letter.flags, received=letter.received)


@dataclass
class Account:
    """What the server holds, and how it behaves.

    Attributes:
        hides_uid_next: UIDNEXT is never told.
        repeats_last: ``n:*`` is answered with the last message, whatever n is (RFC 9051 §6.4.8 allows it).
        leaves_out, holds_back: UIDs that answers to FETCH FLAGS leave out, and such whose body never comes.
        denies: UIDs whose body nobody gets: a FETCH that names one is answered NO.
        gives_others: the other bodies of such a FETCH come nevertheless.
        breaks_at: UIDs at whose body a session is cut.
        refuses: commands that are answered NO: ``STATUS Odd``, ``EXAMINE Odd``, ``UID FETCH``.
        claims: what every search is said to have found, as ESEARCH spells it.
        drops_after: bodies after which a session is cut.
        commands, given: what was heard and how many bytes were read, over all sessions.
    """

    boxes: dict[str, Box] = field(default_factory=lambda: {"INBOX": Box()})
    capabilities: frozenset[str] = frozenset()
    hides_uid_next: bool = False
    repeats_last: bool = False
    leaves_out: set[int] = field(default_factory=set[int])
    holds_back: set[int] = field(default_factory=set[int])
    denies: set[int] = field(default_factory=set[int])
    gives_others: bool = False
    breaks_at: set[int] = field(default_factory=set[int])
    refuses: set[str] = field(default_factory=set[str])
    claims: str = ""
    drops_after: int | None = None
    commands: list[str] = field(default_factory=list[str])
    given: int = 0
    sessions: "list[MemoryStream]" = field(default_factory=list["MemoryStream"])

    @property
    def inbox(self) -> Box:
        return self.boxes["INBOX"]

    def heard(self, verb: str) -> list[str]:
        """The commands that began so, and none of them is remembered after this."""
        found = [command for command in self.commands if command.startswith(verb)]
        self.commands.clear()
        return found

    async def client(self) -> ImapClient:
        """A session that is logged in."""
        stream = MemoryStream(self)
        self.sessions.append(stream)
        client = ImapClient(stream)
        await client.greeting(allow_preauth=True)
        if {"QRESYNC", "ENABLE"} <= self.capabilities:
            await client.enable("QRESYNC")
        return client

    def ring(self) -> None:
        """Tell every session that idles that something happened."""
        for session in self.sessions:
            session.ring()


class MemoryStream:
    """The server's end of one connection, as a Stream.

    Attributes:
        berth: given back when the connection ends.
    """

    host = "imap.test"
    local = Endpoint("192.0.2.1", 40000)
    peer = Endpoint("192.0.2.2", 993)

    def __init__(self, account: Account) -> None:
        self._account = account
        self._out = bytearray(b"* PREAUTH ready\r\n")
        self._heard = b""
        self._idling = ""
        self._selected = Box()
        self._bodies = 0
        self._is_over = False
        self._news = asyncio.Event()
        self.berth = Berth()

    async def receive(self, *, timeout_s: float | None = None) -> bytes:
        if not self._out and not self._is_over:
            self._news.clear()
            try:
                async with asyncio.timeout(timeout_s):
                    await self._news.wait()
            except TimeoutError as e:
                raise ReadTimeout("nothing came") from e
        data = bytes(self._out[:CHUNK])
        del self._out[:CHUNK]
        self._account.given += len(data)
        return data

    async def send(self, data: bytes, *, timeout_s: float | None = None) -> None:
        *lines, self._heard = (self._heard + data).split(b"\r\n")
        for line in lines:
            if not self._is_over:
                self._hear(line.decode())

    async def start_tls(self, *, timeout_s: float | None = None) -> None:
        raise AssertionError("nobody asked for TLS")

    async def aclose(self) -> None:
        self._is_over = True
        self.berth.give_back()
        self._news.set()

    def ring(self) -> None:
        """News for a session that idles."""
        if self._idling:
            self._say(f"* {len(self._selected.letters)} EXISTS")

    def _say(self, text: str) -> None:
        self._out += text.encode() + b"\r\n"
        self._news.set()

    def _hear(self, line: str) -> None:
        if line == "DONE":
            self._say(f"{self._idling} OK done")
            self._idling = ""
            return
        tag, _, command = line.partition(" ")
        self._account.commands.append(command)
        if any(command.replace('"', "").startswith(refused) for refused in self._account.refuses):
            self._say(f"{tag} NO [NOPERM] not for you")
            return
        words = [m[1] if m[1] is not None else m[2] or m[3] for m in _WORD.finditer(command)]
        verb = " ".join(words[:2]) if words[0] == "UID" else words[0]
        if verb in {"STATUS", "EXAMINE"} and words[1] not in self._account.boxes:
            self._say(f"{tag} NO [NONEXISTENT] there is no such mailbox")
            return
        match verb:
            case "CAPABILITY":
                self._say(" ".join(["* CAPABILITY IMAP4rev1", *sorted(self._account.capabilities)]))
            case "ENABLE":
                self._say("* ENABLED QRESYNC")
            case "LIST":
                self._list()
            case "STATUS":
                self._status(words[1], words[2])
            case "EXAMINE":
                self._examine(words)
            case "UID SEARCH" if self._account.claims:
                self._say(f"* ESEARCH UID ALL {self._account.claims}")
            case "UID SEARCH":
                self._say(" ".join(["* SEARCH", *map(str, self._found(words[2:]))]))
            case "UID FETCH":
                uids = UidSet.parse(words[2])
                is_denied = "BODY" in words[3] and any(
                    uid in uids for uid in self._selected.letters if self._denies(uid)
                )
                if not is_denied or self._account.gives_others:
                    self._fetch(uids, words[3])
                if is_denied and not self._is_over:
                    self._say(f"{tag} NO [SERVERBUG] internal error")
                    return
            case "IDLE":
                self._idling = tag
                self._say("+ idling")
                return
            case _:
                pass
        if not self._is_over:
            self._say(f"{tag} OK done")

    def _list(self) -> None:
        for name, box in self._account.boxes.items():
            self._say(f'* LIST ({box.attributes}) "/" "{name}"')

    def _status(self, name: str, items: str) -> None:
        box = self._account.boxes[name]
        told = {
            "MESSAGES": len(box.letters),
            "UNSEEN": sum("\\Seen" not in letter.flags for letter in box.letters.values()),
            "UIDNEXT": box.uid_next,
            "UIDVALIDITY": box.uid_validity,
            "HIGHESTMODSEQ": self._highest(box),
        }
        if self._account.hides_uid_next:
            del told["UIDNEXT"]
        wanted = items.strip("()").split()
        self._say(f'* STATUS "{name}" ({" ".join(f"{k} {v}" for k, v in told.items() if k in wanted)})')

    def _highest(self, box: Box) -> int:
        """With QRESYNC it counts expunges, too; without, it is that of the messages that are there."""
        if "QRESYNC" in self._account.capabilities:
            return box.modseq
        return max((letter.modseq for letter in box.letters.values()), default=1)

    def _examine(self, words: list[str]) -> None:
        box = self._selected = self._account.boxes[words[1]]
        self._say(f"* {len(box.letters)} EXISTS")
        self._say(f"* OK [UIDVALIDITY {box.uid_validity}] valid")
        if not self._account.hides_uid_next:
            self._say(f"* OK [UIDNEXT {box.uid_next}] next")
        if self._account.capabilities & {"CONDSTORE", "QRESYNC"}:
            self._say(f"* OK [HIGHESTMODSEQ {self._highest(box)}] counted")
        since = re.search(r"QRESYNC \((\d+) (\d+)", " ".join(words))
        if since is None or int(since[1]) != box.uid_validity:
            return
        gone = [uid for uid, modseq in box.gone if modseq > int(since[2])]
        if gone:
            self._say(f"* VANISHED (EARLIER) {','.join(map(str, gone))}")
        for number, (uid, letter) in enumerate(sorted(box.letters.items()), start=1):
            if letter.modseq > int(since[2]):
                self._say(f"* {number} FETCH (UID {uid} FLAGS ({' '.join(letter.flags)}) MODSEQ ({letter.modseq}))")

    def _found(self, keys: list[str]) -> Iterator[int]:
        letters = sorted(self._selected.letters.items())
        match keys:
            case ["UID", spelt]:
                yield from (uid for uid, _ in letters if uid in UidSet.parse(spelt))
            case ["ALL", "SINCE", day]:
                since = datetime.strptime(day, "%d-%b-%Y").date()  # noqa: DTZ007 - a day, as SEARCH means it
                yield from (uid for uid, letter in letters if _day(letter) >= since)
            case _:
                yield from (uid for uid, _ in letters)

    def _denies(self, uid: int) -> bool:
        return uid in self._account.denies

    def _fetch(self, uids: UidSet, items: str) -> None:
        wants_body = "BODY" in items
        last = max(self._selected.letters, default=0)
        for number, (uid, letter) in enumerate(sorted(self._selected.letters.items()), start=1):
            is_repeated = self._account.repeats_last and uids.is_open and uid == last
            if not (uid in uids or is_repeated) or (not wants_body and uid in self._account.leaves_out):
                continue
            told = f"UID {uid} FLAGS ({' '.join(sorted(letter.flags))})"
            if "MODSEQ" in items:
                told += f" MODSEQ ({letter.modseq})"
            if not wants_body:
                self._say(f"* {number} FETCH ({told})")
                continue
            if self._denies(uid) or uid in self._account.holds_back:
                continue
            if uid in self._account.breaks_at or self._bodies == self._account.drops_after:
                self._is_over = True
                return
            self._bodies += 1
            told += f' INTERNALDATE "{letter.received:%d-%b-%Y %H:%M:%S} +0000"'
            self._out += f"* {number} FETCH ({told} BODY[] {{{len(letter.raw)}}}\r\n".encode() + letter.raw
            self._say(")")


def _day(letter: Letter) -> date:
    return letter.received.date()
