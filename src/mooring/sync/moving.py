"""Direct moves: the new side is opened and proven while the old one goes on; then the mailbox changes hands (B8).

Whoever serves the environment that a move leads to carries it out, under the move's own lease. Whatever dies, the
move is where its last transaction left it, and the next holder of the lease goes on from there.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

import structlog

from mooring.config import Kind, SourceConfig
from mooring.egress import Traffic
from mooring.errors import (
    EgressError,
    LostOwnership,
    MooringError,
    NoSource,
    NotFound,
    ProviderFailure,
    SourceBusy,
    TargetNotAllowed,
)
from mooring.grants import (
    Attempt,
    Credentials,
    Grant,
    GrantStatus,
    Handover,
    Keys,
    ServerSeen,
    Sessions,
    Way,
    attempt_at,
    by_ids,
    calendar_attempt,
    look,
    seen,
    source_of,
    verify_caldav,
    verify_smtp,
    way_of,
)
from mooring.jobs import Held, Holder, Keeper, Lease, LeaseKind
from mooring.moves import Move, MoveStep, offer_turns, steps
from mooring.store import Database
from mooring.sync.failures import as_stored
from mooring.sync.openings import Opened, Openings
from mooring.sync.proof import Finding, Verdict, judge

log = structlog.get_logger()

AT_ONCE = 5
"""Moves that are under way at a time with one mail server: each is a login or three, which some servers count."""
TURNS_S = 0.5
"""Seconds between looks at whose turn it is."""
SETTLE_S = 0.5
"""Seconds between looks at whether the new side has come in step."""
TRIES = 10
"""Times that a move is begun: again after a worker died, after a failure of ours, and for an account that changed."""
BUSY_TRIES = 60
"""Times that an exit is found to be busy before the move ends; with what each waits, ten minutes."""
AGAIN_S = 5.0
"""Seconds after a failure of ours before the move is begun again."""
INBOX = "INBOX"

T = TypeVar("T")


class Mover:
    """Carries out direct moves into the environments of this process.

    Args:
        holder: of the moves' leases.
        mailboxes: who holds the mailboxes of this process; it is given those that have moved.
        environments: those that this process leaves by; None for all.
    """

    def __init__(
        self,
        db: Database,
        keys: Keys,
        sessions: Sessions,
        handover: Handover,
        openings: Openings,
        *,
        holder: Holder,
        mailboxes: Keeper,
        environments: Sequence[str] | None,
    ) -> None:
        self.db = db
        self.keys = keys
        self.sessions = sessions
        self.handover = handover
        self.openings = openings
        self.mailboxes = mailboxes
        self._keeper = Keeper(holder, LeaseKind.MOVE, scopes=environments, take_up=self._take_up)

    async def run(self) -> None:
        """Work until cancelled; then give everything back."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keeper.run())
            group.create_task(self._hand_out_turns())

    async def _hand_out_turns(self) -> None:
        while True:
            try:
                if await offer_turns(self.db, AT_ONCE):
                    self._keeper.look()
            except MooringError as e:
                log.warning("move.no_turns", error=str(e))
            await asyncio.sleep(TURNS_S)

    async def _take_up(self, leases: Sequence[Lease]) -> Mapping[Lease, Held]:
        return {lease: _Carrying(self, lease) for lease in leases}


class _Carrying:
    """One move, from where it is to its end."""

    def __init__(self, mover: Mover, lease: Lease) -> None:
        self._mover = mover
        self._lease = lease

    def look(self) -> None:
        """Nothing that anybody changes is waited for."""

    async def run(self) -> None:
        """Return when the move has ended, or is no longer ours."""
        try:
            with suppress(LostOwnership, NotFound):
                while True:
                    move = await self._mover.handover.take_up(self._lease)
                    if move.is_handed_over:
                        return await self._settle(move)
                    if not await self._is_worth_trying(move):
                        return None
                    await self._carry(move)
        except MooringError as e:
            log.warning("move.interrupted", grant=self._lease.subject, error=str(e))
            await asyncio.sleep(AGAIN_S)

    async def _is_worth_trying(self, move: Move) -> bool:
        """Whether it has not been begun in vain too often; else it is ended."""
        history = await steps(self._mover.db, move.grant_id, move.id)
        if sum(recorded.step is MoveStep.TAKEN_UP for recorded in history) <= TRIES:
            return True
        said = f"It was begun {TRIES} times and never came to an end; the worker's log says why."
        error = {"stage": "", "reason": "interrupted", "message": said}
        await self._mover.handover.end(self._lease, move, MoveStep.REFUSED, error=error)
        return False

    async def _carry(self, move: Move) -> None:
        """Prove the new side; then refuse, or hand over. Nothing is done when the account was changed meanwhile."""
        grant = await self._grant()
        proof = _Proof(self._mover, grant, move)
        try:
            verdict = await self._verdict(proof)
            if verdict.stops is not None or move.dry_run:
                step = MoveStep.PROVEN if verdict.stops is None else MoveStep.REFUSED
                await self._mover.handover.end(self._lease, move, step, error=verdict.stops, warnings=verdict.warnings)
            elif proof.opened is None:
                await self._hand_over(move, grant, verdict, holder=None, settles=False)
            else:
                await self._hand_over_with(proof, proof.opened, move, grant, verdict)
        finally:
            await proof.close()

    async def _verdict(self, proof: "_Proof") -> Verdict:
        """What the servers say; our own exit being busy says nothing of them."""
        tries = 0
        while True:
            try:
                return await proof.verdict()
            except SourceBusy as e:
                await proof.close()
                tries += 1
                if tries == BUSY_TRIES:
                    return Verdict(as_stored(e), ())
                await asyncio.sleep(AGAIN_S)

    async def _hand_over_with(
        self, proof: "_Proof", opened: Opened, move: Move, grant: Grant, verdict: Verdict
    ) -> None:
        """Hand the mailbox over to this process, with the session that was proven."""
        mailboxes = self._mover.mailboxes
        with self._mover.openings.opening(grant.id, opened) as opening:
            try:
                version = await self._hand_over(
                    move,
                    grant,
                    verdict,
                    holder=mailboxes.holder_id,
                    settles=proof.works_today,
                    source=source_of(opened.client),
                )
                if version is not None:
                    mailboxes.look()
                    await opening.offer(version)
            finally:
                if opening.is_taken:
                    proof.opened = None

    async def _hand_over(
        self,
        move: Move,
        grant: Grant,
        verdict: Verdict,
        *,
        holder: str | None,
        settles: bool,
        source: SourceConfig | None = None,
    ) -> datetime | None:
        return await self._mover.handover.hand_over(
            self._lease, move, grant, holder=holder, settles=settles, warnings=verdict.warnings, source=source
        )

    async def _settle(self, move: Move) -> None:
        """Wait until the new side has looked at every folder; step back when it fails instead."""
        history = await steps(self._mover.db, move.grant_id, move.id)
        handed_over_at = max(recorded.at for recorded in history if recorded.step is MoveStep.HANDED_OVER)
        while True:
            grant = await self._grant()
            if grant.synced_at is not None and grant.synced_at > handed_over_at:
                return await self._mover.handover.end(self._lease, move, MoveStep.IN_STEP)
            if grant.stopped_at is not None:
                return await self._mover.handover.end(self._lease, move, MoveStep.MOVED)
            if grant.sync_error is not None:
                return await self._mover.handover.step_back(self._lease, move, grant)
            await asyncio.sleep(SETTLE_S)

    async def _grant(self) -> Grant:
        found = await by_ids(self._mover.db, [self._lease.subject])
        if not found:
            raise NotFound(f"There is no account {self._lease.subject!r} any more.")
        return found[0]


class _Proof:
    """What an account's servers say to the new side.

    Attributes:
        opened: the session with its mailbox, until it is handed over.
        works_today: whether the account is synchronised where it is.
    """

    def __init__(self, mover: Mover, grant: Grant, move: Move) -> None:
        self._mover = mover
        self._grant = grant
        self._move = move
        self.opened: Opened | None = None
        runs = grant.status is GrantStatus.VALID and grant.stopped_at is None
        self._asks = runs
        self.works_today = runs and grant.synced_at is not None and grant.sync_error is None

    async def close(self) -> None:
        """Close the session that nobody has taken."""
        if self.opened is not None:
            await self.opened.client.aclose()
            self.opened = None

    async def verdict(self) -> Verdict:
        """Ask every server. An account that is stopped, or whose password is known to be wrong, has nothing to ask.

        Raises:
            SourceBusy: says nothing about the account.
        """
        if not self._asks:
            return Verdict(None, ("The account does not run, so there was nothing to prove.",))
        grant = self._grant
        credentials = await self._mover.keys.credentials(grant)
        before = await seen(self._mover.db, grant.id)
        # First, so that while a berth is waited for no other is held.
        findings = await self._others(credentials)
        traffic = Traffic.PROBE if self._move.dry_run else Traffic.SYNC
        way = replace(self._new_way(traffic), remote=before.remote if before else "")
        attempt = attempt_at(way, grant.settings.imap, credentials.imap_password)

        async def open_mailbox() -> ServerSeen:
            client, _ = await self._mover.sessions.open_imap(attempt, grant.settings.imap, credentials.imap_password)
            self.opened = Opened(client, attempt)
            source = source_of(client)
            if self._move.leaves and source is not None and source.name == self._move.leaves:
                raise NoSource(
                    f"{source.name} is the only source by which {attempt.host} can be reached",
                    reason="no_other_source",
                    hint="Add another source of this family to the pool first.",
                )
            with attempt.reported():
                attempt.stage = "list"
                return await look(client, (await client.status(INBOX)).uid_validity)

        now = await _told(open_mailbox())
        if isinstance(now, MooringError):
            await self.close()
            findings.insert(0, Finding("IMAP", as_stored(now), self.works_today, isinstance(now, EgressError)))
            now = None
        is_owed = self._move.target is Kind.DYNAMIC and not grant.feature_on
        return judge(findings, before=before, now=now, works_today=self.works_today, is_owed=is_owed)

    async def _others(self, credentials: Credentials) -> list[Finding]:
        """The servers for sending and for calendars."""
        sessions, settings = self._mover.sessions, self._grant.settings
        smtp, caldav = settings.smtp, settings.caldav
        findings: list[Finding] = []
        if smtp is not None:

            async def send_in(way: Way) -> None:
                await verify_smtp(
                    sessions, attempt_at(way, smtp, credentials.smtp_password), smtp, credentials.smtp_password
                )

            findings.append(await self._compared("SMTP", send_in))
        if caldav is not None:

            async def look_in(way: Way) -> None:
                attempt: Attempt = calendar_attempt(way, caldav, credentials.caldav_password)
                await verify_caldav(sessions, attempt, caldav, credentials.caldav_password)

            findings.append(await self._compared("CalDAV", look_in))
        return findings

    async def _compared(self, protocol: str, ask: Callable[[Way], Awaitable[None]]) -> Finding:
        """What a server says to the new side, and where that is no, what it says to the old one."""
        failure = await _told(ask(self._new_way(Traffic.PROBE)))
        if failure is None:
            return Finding(protocol)
        today = await _told(ask(self._way(Traffic.PROBE, self._grant.environment)))
        # Where this process does not leave by the old environment it is not known, and nothing is put at risk.
        works_today = today is None or isinstance(today, EgressError)
        return Finding(protocol, as_stored(failure), works_today, isinstance(failure, EgressError))

    def _new_way(self, traffic: Traffic) -> Way:
        return replace(self._way(traffic, self._move.target), leaves=self._move.leaves)

    def _way(self, traffic: Traffic, kind: Kind) -> Way:
        return way_of(replace(self._grant, environment=kind), traffic)


async def _told(asking: Awaitable[T]) -> T | MooringError:
    """What was asked for, or what a server or an exit has against it.

    Raises:
        SourceBusy: nobody was asked.
    """
    try:
        return await asking
    except SourceBusy:
        raise
    except (EgressError, ProviderFailure, TargetNotAllowed) as e:
        return e
