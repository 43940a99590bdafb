"""Taking messages into the stored copy, and passing over those that cannot be had: none keeps the others out.

A message can fail for good: the server refuses to give it, leaves it out, or breaks off in its middle; we cannot read
it, or not store it. It is narrowed down, written down, and asked for again alone, less and less often.
"""

from collections import Counter, deque
from collections.abc import Mapping

import structlog

from mooring.errors import RemoteProtocolError, ServerRefused
from mooring.mail import Folder, MailWriter, Obstacle
from mooring.protocols.imap import ImapClient, UidSet
from mooring.steps import gently
from mooring.sync.budget import Means
from mooring.sync.line import BATCH_MESSAGES, Line

log = structlog.get_logger()

GIVE_UP = 12
"""Refusals without a message between them, after which it is not a message that is refused: one in a batch of 200 is
found after 8."""
LEFT_OUT = 10
"""Messages that a server may leave out of its answers; when it gives none and has more, it gives nothing at all."""
CUTS = 2
"""Times that a connection ends at one and the same message before that is taken for the reason."""
_NOT_OF_A_MESSAGE = frozenset({"INUSE", "LIMIT", "THROTTLED"})
"""Codes of refusals that concern the mailbox or us, and no message (RFC 5530 §3; THROTTLED is Yahoo's)."""


class Cuts:
    """At which message of each folder connections have ended; outlives them."""

    def __init__(self) -> None:
        self._places: dict[str, tuple[int, int]] = {}

    def note(self, folder: Folder, uid: int) -> None:
        """Once more while this one, or the first behind it, was to come."""
        before, times = self._places.get(folder.id, (uid, 0))
        self._places[folder.id] = (uid, times + 1 if uid == before else 1)

    def happened(self, folder: Folder) -> bool:
        """Whether one has since all that was wanted of the folder came."""
        return folder.id in self._places

    def suspect(self, folder: Folder) -> int:
        """Where they have ended often enough, or 0."""
        uid, times = self._places.get(folder.id, (0, 0))
        return uid if times >= CUTS else 0

    def judged(self, folder: Folder) -> None:
        """The suspect has been asked for alone."""
        self._places[folder.id] = (0, 0)

    def forget(self, folder: Folder) -> None:
        """All that was wanted came."""
        self._places.pop(folder.id, None)


class Intake:
    """Takes messages of the folder that is selected.

    Attributes:
        highest: the highest UID that came, or 0.
    """

    def __init__(self, client: ImapClient, writer: MailWriter, folder: Folder, means: Means, cuts: Cuts) -> None:
        self._client = client
        self._writer = writer
        self._folder = folder
        self._means = means
        self._cuts = cuts
        self._count = 0
        self.highest = 0

    async def take(self, uids: UidSet, *, announce: bool) -> None:
        """Fetch and store these.

        Args:
            announce: they are news, not history.
        Raises:
            ServerRefused: the server gives none of them.
        """
        if self._cuts.happened(self._folder):
            uids = await self._carefully(uids, announce)
        while uids:
            line = await self._run(uids, announce)
            match line.failure:
                case None:
                    await self._look_for_missing(uids, line, announce)
                    break
                case ServerRefused(code=code) as refusal if code not in _NOT_OF_A_MESSAGE:
                    named = await self._named(uids) if uids.is_open else uids
                    left = await gently(named.leaving_out(sorted(line.came)))
                    refused = left if uids.is_open else UidSet.of(uid for uid in line.refused if uid in left)
                    uids = left.without(refused)
                    await self._narrow(refused, refusal, announce)
                case failure:
                    self._note_cut(line)
                    raise failure

    async def again(self, due: Mapping[int, bool]) -> None:
        """Ask for messages that have failed before, each alone; one that fails again is passed over.

        Args:
            due: whether each is news.
        """
        for uid, is_news in due.items():
            only = UidSet.of([uid])
            line = await self._run(only, is_news)
            match line.failure:
                case None if line.failed:
                    continue
                case None if line.came or not await self._client.search(f"UID {uid}"):
                    await self._writer.settle(self._folder, [uid])
                case None:
                    await self._pass_over({uid: Obstacle.LEFT_OUT}, is_news)
                case ServerRefused():
                    await self._pass_over({uid: Obstacle.REFUSED}, is_news)
                case failure:
                    await self._pass_over({uid: Obstacle.CUT}, is_news)
                    raise failure

    async def _run(self, uids: UidSet, announce: bool) -> Line:
        line = Line(self._client, self._writer, self._folder)
        await line.run(uids, self._means, announce=announce)
        self._count += len(line.came)
        self.highest = max(self.highest, line.highest)
        await self._pass_over(line.failed, announce)
        return line

    def _note_cut(self, line: Line) -> None:
        """Remember which message was to come when the connection ended: servers answer in the order of the UIDs."""
        if isinstance(line.failure, ServerRefused) or not line.cut:
            return
        if line.cut.is_open:
            self._cuts.note(self._folder, max(line.cut.bottom, line.highest + 1))
        elif left := line.cut.without(line.came[-2 * BATCH_MESSAGES :]):
            self._cuts.note(self._folder, left.bottom)

    async def _narrow(self, refused: UidSet, refusal: ServerRefused, announce: bool) -> None:
        """Take all of a refused batch but the messages that are refused alone.

        When none comes at all, and there are several, it is the folder that is refused.
        """
        pieces, alone, misses = deque(_halves(refused)), list[int](), 0
        while pieces:
            piece = pieces.popleft()
            line = await self._run(piece, announce)
            if line.failure is None:
                await self._look_for_missing(piece, line, announce)
                continue
            misses = 0 if self._count else misses + 1
            if not isinstance(line.failure, ServerRefused) or misses == GIVE_UP:
                self._note_cut(line)
                raise line.failure
            left = piece.without(line.came)
            if len(left) > 1:
                pieces.extend(_halves(left))
            elif left:
                alone.append(left.top)
        if len(alone) > 1 and not self._count:
            raise refusal
        await self._pass_over(dict.fromkeys(alone, Obstacle.REFUSED), announce)

    async def _look_for_missing(self, uids: UidSet, line: Line, announce: bool) -> None:
        """What did not come is gone; unless the server still finds it, and then has left it out of its answer."""
        if uids.is_open:
            return
        missing = await gently(uids.leaving_out(sorted(line.came)))
        found = [uid for batch in missing.batches() for uid in await self._named(batch)]
        if len(found) > LEFT_OUT and not self._count:
            raise RemoteProtocolError(f"the server finds {len(found)} messages in a folder, and gives none of them")
        await self._pass_over(dict.fromkeys(found, Obstacle.LEFT_OUT), announce)

    async def _carefully(self, uids: UidSet, announce: bool) -> UidSet:
        """The same set after connections have ended, without the message at which they do again and again."""
        suspect = self._cuts.suspect(self._folder)
        if uids.is_open:
            uids = (await self._named(uids)).without(await self._writer.passed_over(self._folder))
            suspect = uids.first_from(suspect) if suspect else 0
        if suspect not in uids:
            return uids
        self._cuts.judged(self._folder)
        await self.again({suspect: announce})
        return uids.without([suspect])

    async def _named(self, uids: UidSet) -> UidSet:
        """Those of these UIDs that the server finds."""
        found = await self._client.search(f"UID {uids}")
        return UidSet.of(uid for uid in found if uid in uids)

    async def _pass_over(self, obstacles: Mapping[int, Obstacle], announce: bool) -> None:
        if obstacles:
            self.highest = max(self.highest, *obstacles)
            await self._writer.pass_over(self._folder, obstacles, is_news=announce)
            count = Counter(obstacle.name.lower() for obstacle in obstacles.values())
            log.warning("sync.messages_passed_over", grant=self._folder.grant_id, folder=self._folder.id, **count)


def _halves(uids: UidSet) -> list[UidSet]:
    """The set in two, the upper half first; one that cannot be parted is one."""
    low, high = uids.split((len(uids) + 1) // 2)
    return [high, low] if low else [high]
