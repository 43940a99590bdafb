"""One held webhook: its lanes are served side by side, each in its order, until the lease is lost.

A lane that is refused rests; the others go on. An endpoint that does not answer at all is asked by one lane at a
time, less and less often, and holds up nobody but itself.
"""

import asyncio
import gzip
import random
from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog

from mooring.clock import Clock
from mooring.errors import EgressError, LostOwnership, MooringError
from mooring.jobs import Lease, fenced, withdraw
from mooring.store import Database, StoreUnavailable
from mooring.webhooks.catalogue import types_behind
from mooring.webhooks.feed import Feed
from mooring.webhooks.lanes import Lanes
from mooring.webhooks.notices import Notice
from mooring.webhooks.posting import Poster
from mooring.webhooks.recorder import Recorder
from mooring.webhooks.repository import endpoints, lanes
from mooring.webhooks.schedule import (
    LAST_RETRY_S,
    LOST_IN_A_ROW,
    MOST_AT_ONCE,
    WINDOW,
    Health,
    Result,
    Verdict,
    at_once,
    is_given_up,
    pause_s,
)
from mooring.webhooks.types import Attempt, Lane, Parked, Tries, Webhook, WebhookStatus

log = structlog.get_logger()

TURN = 50
"""Facts of one lane before the others have their turn."""
SCAN_S = 10.0
"""Seconds between looks at all lanes, for what an announcement that was lost would have told."""
PARKED_AT_ONCE = 100
RETRY_S = 1.0
"""Seconds before a lane is served again whose facts could not be read."""
EXIT_S = 5.0
"""Seconds before a lane is served again for which our own exit failed."""


class Delivery:
    """Delivers to one webhook for as long as the lease holds.

    Args:
        chance: what spreads the retries.
    """

    def __init__(
        self,
        db: Database,
        feed: Feed,
        poster: Poster,
        clock: Clock,
        webhook: Webhook,
        lease: Lease,
        *,
        chance: random.Random | None = None,
    ) -> None:
        self.webhook = webhook
        self._db = db
        self._feed = feed
        self._poster = poster
        self._clock = clock
        self._lease = lease
        self._chance = chance or random.Random()  # noqa: S311 - spreads retries, guards nothing
        self._recorder = Recorder(db, webhook.id, lease)
        self._lanes = Lanes()
        self._state: dict[str, Lane] = {}
        self._parked: dict[tuple[str, int], Parked] = {}
        self._status, self._status_since = webhook.status, webhook.status_updated_at
        failing = webhook.status is WebhookStatus.FAILING
        self._health = Health(bad_since=webhook.status_updated_at if failing else None)
        self._at_once = MOST_AT_ONCE
        self._lost_in_a_row = 0
        self._slots = asyncio.Semaphore(MOST_AT_ONCE)
        self._open_at = 0.0
        self._asked_until = 0.0
        self._serving: set[asyncio.Task[None]] = set()
        self._stir = asyncio.Event()
        self._rescan = True

    def wake(self, grant_id: str) -> None:
        """The grant has new facts."""
        self._lanes.wake(grant_id)
        self._stir.set()

    def look(self) -> None:
        """Look at everything again: something was parked, or an announcement may have been lost."""
        self._rescan = True
        self._stir.set()

    async def run(self) -> None:
        """Return when the lease is lost."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._recorder.run())
                group.create_task(self._serve())
        except* LostOwnership:
            log.info("webhook.let_go", webhook=self.webhook.id)
        finally:
            for task in self._serving:
                task.cancel()
            await asyncio.gather(*self._serving, return_exceptions=True)

    async def _serve(self) -> None:
        await self._remember()
        loop = asyncio.get_running_loop()
        scanned_at = -SCAN_S
        while True:
            self._stir.clear()
            if self._rescan or loop.time() - scanned_at >= SCAN_S:
                scanned_at = loop.time()
                await self._scan()
            self._start(loop.time())
            await self._settle_status()
            until = [scanned_at + SCAN_S]
            open_at = max(self._open_at, self._asked_until)
            if (due := self._lanes.next_due()) is not None:
                until.append(max(due, open_at))
            if open_at > loop.time():
                until.append(open_at)
            try:
                async with asyncio.timeout(max(0.0, min(until) - loop.time())):
                    await self._stir.wait()
            except TimeoutError:
                continue

    async def _remember(self) -> None:
        """How the endpoint did before this process held it."""
        while True:
            try:
                for minute, taken, failed in await lanes.counts_by_minute(self._db, self.webhook.id, WINDOW):
                    self._health.record(minute, taken=taken, failed=failed)
            except StoreUnavailable:
                await asyncio.sleep(RETRY_S)
            else:
                return

    async def _scan(self) -> None:
        """Wake every lane that is behind, and take up what is parked."""
        try:
            self._rescan = False
            for lane in await lanes.behind(self._db, self.webhook.id, self.webhook.application_id):
                if lane.grant_id not in self._state:
                    self._state[lane.grant_id] = lane
                    if lane.tries.due_at is not None:
                        self._lanes.postpone(lane.grant_id, self._at(lane.tries.due_at))
                self._lanes.wake(lane.grant_id)
            # What was known or not written yet before the look is not news, whatever the database says of it.
            known = self._recorder.apart.union(self._parked)
            for parked in await lanes.parked(self._db, self.webhook.id, PARKED_AT_ONCE):
                key = (parked.grant_id, parked.sequence)
                if key not in known:
                    self._parked[key] = parked
                    self._lanes.postpone(_apart(parked), self._at(parked.tries.due_at))
        except StoreUnavailable as e:
            log.warning("webhook.cannot_look", webhook=self.webhook.id, error=str(e))

    def _start(self, now: float) -> None:
        """Serve lanes that are ready, as many as may be served now."""
        if now < max(self._open_at, self._asked_until):
            return
        while len(self._serving) < self._at_once and (lane := self._lanes.take(now)) is not None:
            task = asyncio.create_task(self._turn(lane))
            self._serving.add(task)
            task.add_done_callback(self._turned)

    def _turned(self, task: asyncio.Task[None]) -> None:
        self._serving.discard(task)
        self._stir.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("webhook.defect", webhook=self.webhook.id, exc_info=error)

    async def _turn(self, lane: str) -> None:
        """Serve one lane for one turn."""
        try:
            rest_s = await (self._serve_parked(lane) if _is_apart(lane) else self._serve_lane(lane))
        except EgressError as e:
            log.warning("webhook.own_exit_failed", webhook=self.webhook.id, error=str(e))
            rest_s = EXIT_S
        except MooringError as e:
            log.warning("webhook.cannot_read", webhook=self.webhook.id, error=str(e))
            rest_s = RETRY_S
        except BaseException:
            self._lanes.rest(lane, asyncio.get_running_loop().time() + RETRY_S)
            raise
        if rest_s > 0:
            self._lanes.rest(lane, asyncio.get_running_loop().time() + rest_s)
        else:
            self._lanes.done(lane, more=rest_s < 0)

    async def _serve_lane(self, grant_id: str) -> float:
        """Deliver what is next; returns seconds to rest: 0 when nothing is left, less when there may be more."""
        lane = self._state.get(grant_id) or await lanes.lane(self._db, self.webhook.id, grant_id)
        notices = (await self._feed.after(grant_id, lane.position))[:TURN]
        if not notices:
            if grant_id not in self._recorder:
                self._state.pop(grant_id, None)
            return 0
        serve = self._in_order if self.webhook.ordered else self._side_by_side
        return await serve(lane, notices)

    async def _in_order(self, lane: Lane, notices: Sequence[Notice]) -> float:
        for notice in notices:
            tries = Tries()
            if notice.name in self.webhook.trigger_types:
                tries, taken = await self._try(lane.grant_id, notice, lane.tries)
                if not taken and not is_given_up(tries.refusals):
                    self._advance(Lane(lane.grant_id, lane.position, tries))
                    return self._rest_s(tries)
                if not taken:
                    self._recorder.park(Parked(lane.grant_id, notice.sequence, _dead(tries)))
            lane = Lane(lane.grant_id, notice.sequence)
            self._advance(lane)
            if self._lost_in_a_row >= LOST_IN_A_ROW:
                break
        return -1

    async def _side_by_side(self, lane: Lane, notices: Sequence[Notice]) -> float:
        """Without an order: what is not taken steps aside."""
        part = notices[: max(1, self._at_once // max(1, len(self._serving)))]
        wanted = [notice for notice in part if notice.name in self.webhook.trigger_types]
        ended = await asyncio.gather(*(self._try_once(lane.grant_id, notice) for notice in wanted))
        for notice, (tries, taken) in zip(wanted, ended, strict=True):
            if not taken:
                self._park(Parked(lane.grant_id, notice.sequence, tries))
        self._advance(Lane(lane.grant_id, part[-1].sequence))
        return -1

    async def _try_once(self, grant_id: str, notice: Notice) -> tuple[Tries, bool]:
        """As ``_try``, for the first time; where our own exit fails, the fact has its turn a little later."""
        try:
            return await self._try(grant_id, notice, Tries())
        except EgressError as e:
            return Tries(0, 0, self._clock.now() + timedelta(seconds=EXIT_S), e.message), False

    async def _serve_parked(self, name: str) -> float:
        grant_id, sequence = _place(name)
        parked = self._parked.get((grant_id, sequence))
        if parked is None:
            return 0
        notice = await self._feed.one(grant_id, sequence)
        tries, taken = (Tries(), True) if notice is None else await self._try(grant_id, notice, parked.tries)
        if taken or is_given_up(tries.refusals):
            del self._parked[(grant_id, sequence)]
            self._rescan = self._rescan or not self._parked
        if taken:
            self._recorder.taken_apart(parked)
            return 0
        if is_given_up(tries.refusals):
            self._recorder.park(Parked(grant_id, sequence, _dead(tries)))
            return 0
        self._parked[(grant_id, sequence)] = Parked(grant_id, sequence, tries)
        self._recorder.park(self._parked[(grant_id, sequence)])
        return self._rest_s(tries)

    async def _try(self, grant_id: str, notice: Notice, before: Tries) -> tuple[Tries, bool]:
        """Deliver once; returns what has been tried with this fact by now, and whether it was taken.

        Raises:
            EgressError: our own exit failed; it was not tried.
        """
        await self._recorder.room()
        number = before.attempts + 1
        body = notice.body(number)
        if self.webhook.compressed:
            body = await asyncio.to_thread(gzip.compress, body)
        async with self._slots:
            at, started = self._clock.now(), self._clock.monotonic()
            result = await self._poster.post(body)
            took_ms = (self._clock.monotonic() - started) * 1000
        self._recorder.attempt(Attempt(grant_id, notice.sequence, number, at, took_ms, result.status, result.reason))
        self._count(result)
        if result.verdict is Verdict.TAKEN:
            return Tries(), True
        refusals = before.refusals + (result.verdict is Verdict.ANSWERED)
        pause = timedelta(seconds=pause_s(number, self._chance.uniform(-1, 1), result.retry_after_s))
        return Tries(number, refusals, self._clock.now() + pause, result.reason), False

    def _count(self, result: Result) -> None:
        """What this result says of the endpoint."""
        is_taken = result.verdict is Verdict.TAKEN
        self._health.record(self._clock.now(), taken=int(is_taken), failed=int(not is_taken))
        self._at_once = at_once(self._at_once, result.verdict)
        if result.verdict is not Verdict.LOST:
            self._lost_in_a_row, self._open_at = 0, 0.0
            return
        if result.retry_after_s is not None:
            asked_s = min(result.retry_after_s, LAST_RETRY_S)
            self._asked_until = max(self._asked_until, asyncio.get_running_loop().time() + asked_s)
        self._lost_in_a_row += 1
        if self._lost_in_a_row >= LOST_IN_A_ROW:
            wait_s = pause_s(self._lost_in_a_row - LOST_IN_A_ROW + 1, self._chance.uniform(-1, 1))
            self._open_at = asyncio.get_running_loop().time() + wait_s

    async def _settle_status(self) -> None:
        """Write how the endpoint is doing, when that has changed."""
        now = self._clock.now()
        status = self._health.status(self._status, self._status_since, now)
        if status is self._status:
            return
        try:
            await self._recorder.flush()
            async with fenced(self._db, self._lease) as tx:
                await endpoints.update(tx, self.webhook.id, {"status": str(status)})
                if status is WebhookStatus.FAILED:
                    await lanes.bury(
                        tx, self.webhook.id, self.webhook.application_id,
                        "the endpoint was given up",
                        types_behind(self.webhook.trigger_types, self.webhook.generation),
                    )  # fmt: skip
                    await withdraw(tx, self._lease.kind, self._lease.subject)
        except StoreUnavailable:
            return
        log.warning("webhook.status", webhook=self.webhook.id, status=str(status))
        self._status, self._status_since = status, now
        if status is WebhookStatus.FAILED:
            raise LostOwnership("the endpoint was given up")

    def _advance(self, lane: Lane) -> None:
        self._state[lane.grant_id] = lane
        self._recorder.advance(lane)

    def _park(self, parked: Parked) -> None:
        self._parked[(parked.grant_id, parked.sequence)] = parked
        self._recorder.park(parked)
        self._lanes.rest(_apart(parked), self._at(parked.tries.due_at))

    def _rest_s(self, tries: Tries) -> float:
        due = tries.due_at or self._clock.now()
        return max(0.001, (due - self._clock.now()).total_seconds())

    def _at(self, due: datetime | None) -> float:
        """A time of the wall clock on the loop's."""
        now = asyncio.get_running_loop().time()
        return now if due is None else now + (due - self._clock.now()).total_seconds()


def _dead(tries: Tries) -> Tries:
    return Tries(tries.attempts, tries.refusals, None, tries.reason)


def _apart(parked: Parked) -> str:
    """The lane of a parked fact, which is its own; no grant's id has a slash."""
    return f"{parked.grant_id}/{parked.sequence}"


def _is_apart(lane: str) -> bool:
    return "/" in lane


def _place(lane: str) -> tuple[str, int]:
    grant_id, _, sequence = lane.partition("/")
    return grant_id, int(sequence)
