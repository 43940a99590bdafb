"""Direct moves: the new side is opened and proven while the old one goes on; then the mailbox changes hands (B8).

Whoever serves the environment that a move leads to carries it out, under the move's own lease. Whatever dies, the
move is where its last transaction left it, and the next holder of the lease goes on from there.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar

import structlog

from mooring.config import Kind
from mooring.egress import Traffic
from mooring.errors import (
    EgressError,
    LostOwnership,
    MooringError,
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
                while not await self._carry():
                    pass
        except MooringError as e:
            log.warning("move.interrupted", grant=self._lease.subject, error=str(e))
        finally:
            await self._mover.openings.close(self._lease.subject)

    async def _carry(self) -> bool:
        """Go on from where the move is; False when the account was changed meanwhile, and it has to be proven anew."""
        move = await self._mover.handover.take_up(self._lease)
        if not move.is_handed_over:
            grant = await self._grant()
            proof = _Proof(self._mover, grant, move)
            try:
                verdict = await proof.verdict()
                if not await self._decide(move, grant, proof, verdict):
                    return False
            finally:
                await proof.close()
            move = await self._mover.handover.take_up(self._lease)
        await self._settle(move)
        return True

    async def _decide(self, move: Move, grant: Grant, proof: "_Proof", verdict: Verdict) -> bool:
        """Refuse, or hand over; returns as ``hand_over``."""
        handover, warnings = self._mover.handover, verdict.warnings
        if verdict.stops is not None or move.dry_run:
            step = MoveStep.PROVEN if verdict.stops is None else MoveStep.REFUSED
            await handover.end(self._lease, move, step, error=verdict.stops, warnings=warnings)
            return True
        opened = proof.opened
        is_done = await handover.hand_over(
            self._lease, move, grant,
            holder=self._mover.mailboxes.holder_id if opened else None,
            settles=opened is not None and proof.works_today,
            warnings=warnings,
        )  # fmt: skip
        if is_done and opened is not None:
            self._mover.openings.put(grant.id, opened)
            proof.opened = None
            self._mover.mailboxes.look()
        return is_done

    async def _settle(self, move: Move) -> None:
        """Wait until the new side has looked at every folder; step back when it fails instead."""
        history = await steps(self._mover.db, move.grant_id, move.id)
        handed_over_at = max(recorded.at for recorded in history if recorded.step is MoveStep.HANDED_OVER)
        while True:
            grant = await self._grant()
            if grant.synced_at is not None and grant.synced_at > handed_over_at:
                return await self._mover.handover.end(self._lease, move, MoveStep.IN_STEP)
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
            SourceBusy: says nothing about the account; the move is taken up again.
        """
        if not self._asks:
            return Verdict(None, ("The account does not run, so there was nothing to prove.",))
        grant = self._grant
        credentials = await self._mover.keys.credentials(grant)
        before = await seen(self._mover.db, grant.id)
        # First, so that while a berth is waited for no other is held.
        findings = await self._others(credentials)
        traffic = Traffic.PROBE if self._move.dry_run else Traffic.SYNC
        way = replace(self._way(traffic, self._move.target), remote=before.remote if before else "")
        attempt = attempt_at(way, grant.settings.imap, credentials.imap_password)

        async def open_mailbox() -> ServerSeen:
            client, _ = await self._mover.sessions.open_imap(attempt, grant.settings.imap, credentials.imap_password)
            self.opened = Opened(client, attempt)
            with attempt.reported():
                attempt.stage = "list"
                return await look(client, (await client.status(INBOX)).uid_validity)

        now = await _told(open_mailbox())
        if isinstance(now, MooringError):
            await self.close()
            findings.insert(0, Finding("IMAP", as_stored(now), self.works_today, isinstance(now, EgressError)))
            now = None
        return judge(findings, before=before, now=now, works_today=self.works_today)

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
        failure = await _told(ask(self._way(Traffic.PROBE, self._move.target)))
        if failure is None:
            return Finding(protocol)
        works_today = await _told(ask(self._way(Traffic.PROBE, self._grant.environment))) is None
        return Finding(protocol, as_stored(failure), works_today, isinstance(failure, EgressError))

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
