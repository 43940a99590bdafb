"""A small IMAP server in memory: enough of it to file a copy, and ways to fail at that."""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_LITERAL = re.compile(rb"\{(\d+)\}\r\n$")
_WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)')


@dataclass
class FakeMailbox:
    """One account.

    Attributes:
        folders: the messages of each, by name.
        attributes: what LIST says of a folder.
        prefix: of the account's own folders; a folder without it cannot be made.
        lose_answers: so many APPENDs are carried out, and their answers lost.
        refuse: every APPEND of a message that has these bytes in it is refused.
        commands: the verbs that were heard, in order.
        flags: of everything that was appended.
        sessions: how many there were.
    """

    folders: dict[str, list[bytes]] = field(default_factory=lambda: {"INBOX": [], "Sent": []})
    attributes: dict[str, str] = field(default_factory=dict[str, str])
    prefix: str = ""
    lose_answers: int = 0
    refuse: bytes = b""
    commands: list[str] = field(default_factory=list[str])
    flags: list[str] = field(default_factory=list[str])
    sessions: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until its end."""
        self.sessions += 1
        try:
            await _Session(self, reader, writer).run()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


class _Session:
    def __init__(self, account: FakeMailbox, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._account = account
        self._reader = reader
        self._writer = writer
        self._selected = ""

    async def run(self) -> None:
        await self._say("* OK [CAPABILITY IMAP4rev1 NAMESPACE] ready")
        while line := await self._reader.readline():
            literal = b""
            if found := _LITERAL.search(line):
                await self._say("+ go on")
                literal = await self._reader.readexactly(int(found[1]))
                await self._reader.readline()
            tag, *words = [m[1] if m[1] is not None else m[2] for m in _WORD.finditer(line.decode())]
            verb = " ".join(words[:2]) if words[0] == "UID" else words[0]
            self._account.commands.append(verb)
            if not await self._answer(tag, verb, words, literal):
                return

    async def _say(self, *lines: str) -> None:
        self._writer.write("".join(f"{line}\r\n" for line in lines).encode())
        await self._writer.drain()

    async def _answer(self, tag: str, verb: str, words: list[str], literal: bytes) -> bool:
        """Carry out one command; False ends the connection."""
        account, untagged, said = self._account, list[str](), f"{tag} OK done"
        match verb:
            case "LIST":
                untagged = list(self._listed())
            case "CAPABILITY":
                untagged = ["* CAPABILITY IMAP4rev1 NAMESPACE"]
            case "NAMESPACE":
                untagged = [f'* NAMESPACE (("{account.prefix}" ".")) NIL NIL']
            case "EXAMINE":
                self._selected = words[1]
                count = len(account.folders[self._selected])
                untagged = [f"* {count} EXISTS", "* OK [UIDVALIDITY 1] valid"]
            case "CREATE" if words[1].startswith(account.prefix):
                account.folders[words[1]] = []
            case "CREATE":
                said = f"{tag} NO not there"
            case "UID SEARCH":
                wanted = words[-1].encode()
                found = [n for n, raw in enumerate(account.folders[self._selected], start=1) if wanted in raw]
                untagged = [f"* SEARCH {' '.join(map(str, found))}".rstrip()]
            case "APPEND" if account.refuse and account.refuse in literal:
                said = f"{tag} NO [LIMIT] too big"
            case "APPEND":
                account.folders[words[1]].append(literal)
                account.flags.append(words[2])
                if account.lose_answers:
                    account.lose_answers -= 1
                    return False
            case _:
                pass
        await self._say(*untagged, said)
        return verb != "LOGOUT"

    def _listed(self) -> Iterator[str]:
        for name in self._account.folders:
            yield f'* LIST ({self._account.attributes.get(name, "")}) "." "{name}"'
