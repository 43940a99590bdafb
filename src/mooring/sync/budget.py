"""What the mailboxes of one worker share: memory for messages, and places for first copies, in the order of asking."""

import asyncio
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

HISTORY_BYTES = 256 * 1024 * 1024
"""Bytes of raw messages that are held of all folders that are copied for the first time: two batches of 8 MiB for
each of ``FILLS``, and more than the largest message that is taken (``sync.line.LARGEST_MESSAGE``). While a batch is
parsed and sealed it takes up to one and a half times as much on top, a single large message up to five (measured)."""
NEWS_BYTES = 64 * 1024 * 1024
"""The same of what arrives, which so never waits for history."""
FILLS = 16
"""Folders that are copied beyond their newest page at once: enough to be busy while some servers are far away, and few
enough for each to have memory for a batch that comes and one that is written."""


class Budget:
    """So many of something, for whoever has waited longest.

    To wait for ever, somebody must hold what only he could give back: so nobody who holds anything may wait for
    more, unless what he holds is given back by somebody else.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self._free = total
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @property
    def taken(self) -> int:
        """How much is held by all together."""
        return self.total - self._free

    @contextmanager
    def share(self) -> Generator["Share"]:
        """A share, which is given back when the block ends, however it ends."""
        share = Share(self)
        try:
            yield share
        finally:
            share.give(share.held)

    async def take(self, amount: int) -> None:
        """Wait for one's turn, and for so much to be free. Of more than there is at all nobody may take."""
        if not 0 <= amount <= self.total:
            raise ValueError(f"{amount} of {self.total}")
        if not self._waiting and amount <= self._free:
            self._free -= amount
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((amount, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give(amount)
            else:
                turn.cancel()
                self._hand_out()
            raise

    def give(self, amount: int) -> None:
        """Give so much back."""
        self._free += amount
        self._hand_out()

    def _hand_out(self) -> None:
        """The first in line first; whoever is behind him waits, however little he wants."""
        while self._waiting:
            amount, turn = self._waiting[0]
            if not turn.cancelled():
                if amount > self._free:
                    return
                self._free -= amount
                turn.set_result(None)
            self._waiting.popleft()


class Share:
    """What one piece of work holds of a budget."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.held = 0

    def most(self, amount: int) -> int:
        """The amount, or all that there is if that is less: what is larger than the budget passes alone."""
        return min(amount, self._budget.total)

    async def take(self, amount: int) -> None:
        """Wait for so much. Whatever is held meanwhile must be given back by somebody else."""
        await self._budget.take(amount)
        self.held += amount

    def give(self, amount: int) -> None:
        """Give so much of it back."""
        self.held -= amount
        self._budget.give(amount)


@dataclass(frozen=True, slots=True)
class Means:
    """All that is shared.

    Attributes:
        history, news: bytes.
        fills: folders that are copied.
    """

    history: Budget = field(default_factory=lambda: Budget(HISTORY_BYTES))
    news: Budget = field(default_factory=lambda: Budget(NEWS_BYTES))
    fills: Budget = field(default_factory=lambda: Budget(FILLS))
