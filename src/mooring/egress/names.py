"""Names to addresses, over few threads that no application can have all of.

The C library's look-up cannot be cancelled: one that no name server answers holds its thread for many seconds after
everybody has given it up. So an application whose users name dead name servers fills its own share, and nobody else's.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from mooring.config import IPAddress
from mooring.errors import NetworkError, Phase, ResolverBusy
from mooring.net.connect import look_up
from mooring.net.errors import timed_out

THREADS = 64
"""Look-ups under way at once in one process. A thread that waits for a name server costs a few kilobytes."""

SHARE = 16
"""Look-ups under way at once for one application; a healthy name server answers in milliseconds."""


@dataclass(eq=False, slots=True)
class _LookUp:
    """A look-up that somebody waits for.

    Attributes:
        waiting: how many wait.
        began_at: by the event loop's clock; None until it has a thread.
    """

    key: tuple[str, str, int]
    answer: asyncio.Future[list[IPAddress]]
    waiting: int = 0
    began_at: float | None = None

    @property
    def application_id(self) -> str:
        return self.key[0]


class SharedResolver:
    """The host's own resolver, shared by all applications of one process.

    Those of one application who ask for the same name while it is being looked up share the answer. Nothing is kept
    beyond that: whoever asks after it has come has the name looked up again.

    Args:
        find: blocks, and is called in a thread.
    """

    def __init__(
        self,
        find: Callable[[str, int], list[IPAddress]] = look_up,
        *,
        threads: int = THREADS,
        share: int = SHARE,
    ) -> None:
        self._find = find
        self._share = share
        self._free = threads
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="resolve")
        self._wanted: dict[tuple[str, str, int], _LookUp] = {}
        self._queues: dict[str, deque[_LookUp]] = {}
        self._under_way = Counter[str]()

    async def __call__(self, host: str, port: int, *, timeout_s: float, application_id: str = "") -> list[IPAddress]:
        """The addresses of a name, in the order the host's own resolver gives them, each once.

        Args:
            application_id: whose share it is taken from; "" for the operator's own names.
        Raises:
            NameNotFound, ResolverTimeout: theirs.
            ResolverBusy: ours; it had no thread for most of the time.
        """
        wanted = self._want((application_id, host, port))
        wanted.waiting += 1
        try:
            async with asyncio.timeout(timeout_s):
                return await asyncio.shield(wanted.answer)
        except TimeoutError as e:
            raise self._too_late(wanted, timeout_s) from e
        finally:
            wanted.waiting -= 1
            self._forget_unwanted(wanted)

    def _want(self, key: tuple[str, str, int]) -> _LookUp:
        """The look-up of this name that is under way or queued; a new one where there is none."""
        known = self._wanted.get(key)
        if known is None:
            known = self._wanted[key] = _LookUp(key, asyncio.get_running_loop().create_future())
            self._queues.setdefault(known.application_id, deque()).append(known)
            self._begin()
        return known

    def _begin(self) -> None:
        """Give the free threads to those who have the fewest."""
        loop = asyncio.get_running_loop()
        while self._free and (queue := self._next_queue()):
            begun = queue.popleft()
            if not queue:
                del self._queues[begun.application_id]
            self._free -= 1
            self._under_way[begun.application_id] += 1
            begun.began_at = loop.time()
            _, host, port = begun.key
            work = loop.run_in_executor(self._threads, self._find, host, port)
            work.add_done_callback(lambda done, begun=begun: self._ended(begun, done))

    def _next_queue(self) -> deque[_LookUp] | None:
        """The queue of the application that has the fewest look-ups under way, and may have another."""
        able = [name for name in self._queues if self._under_way[name] < self._share]
        return self._queues[min(able, key=self._under_way.__getitem__)] if able else None

    def _ended(self, ended: _LookUp, work: asyncio.Future[list[IPAddress]]) -> None:
        self._free += 1
        self._under_way[ended.application_id] -= 1
        if not self._under_way[ended.application_id]:
            del self._under_way[ended.application_id]
        del self._wanted[ended.key]
        if work.cancelled():
            ended.answer.cancel()
        elif error := work.exception():
            ended.answer.set_exception(error)
            ended.answer.exception()  # looked at: everybody may have given it up by now
        else:
            ended.answer.set_result(work.result())
        self._begin()

    def _forget_unwanted(self, given_up: _LookUp) -> None:
        """Take out of its queue what nobody waits for any more. What has a thread keeps it until the answer comes."""
        if given_up.waiting or given_up.began_at is not None:
            return
        queue = self._queues[given_up.application_id]
        queue.remove(given_up)
        if not queue:
            del self._queues[given_up.application_id]
        del self._wanted[given_up.key]

    def _too_late(self, late: _LookUp, timeout_s: float) -> NetworkError | ResolverBusy:
        """Whose fault the time-out is: a name server that had less than half of the time is not to blame."""
        _, host, _ = late.key
        if late.began_at is not None and asyncio.get_running_loop().time() - late.began_at >= timeout_s / 2:
            return timed_out(Phase.RESOLVE, host)
        return ResolverBusy(
            f"{host} was not looked up: too many names whose name servers do not answer are waiting already",
            reason="resolver_busy",
            hint="The ledger shows them, with the cause timeout at resolve. Try again in a moment.",
        )
