"""Sending: at most once without a doubt.

An intent is committed before anything is dialled, ``sending`` before the letter leaves, and its outcome as
soon as the server has spoken. So whatever dies in between, what is left behind tells whether anybody may have
got the letter; and where that cannot be told, nothing of ours sends it again.
"""

import asyncio
from contextlib import AsyncExitStack

import msgspec
import structlog

from mooring.clock import Clock
from mooring.errors import Conflict, InvalidRequest, MooringError
from mooring.grants import Grant, Keys, Sessions, require_running
from mooring.ids import new_id
from mooring.large import beside
from mooring.mail import MailReader, Message, SpecialUse, find_special
from mooring.send import repository
from mooring.send.errors import KeyInUse, KeyReused
from mooring.send.failures import from_stored, outcome_unknown
from mooring.send.handover import (
    INTENDED_LIFE,
    SENDING_LIFE,
    TOTAL_S,
    hand_over,
    submission_session,
    without_smtp,
)
from mooring.send.letters import Letter, request_hash, weight, write_letter
from mooring.send.outcomes import (
    SETTLED_KEPT,
    raw_context,
    record_failure,
    record_sent,
    recover,
    response_context,
    unrecorded,
)
from mooring.send.repository import Row
from mooring.send.types import Submission, SubmissionState
from mooring.store import Database, StoreUnavailable
from mooring.vault import DataKey

log = structlog.get_logger()

RECORD_TRIES = 5
RECORD_PAUSE_S = 1.0
"""Seconds between tries to write down that a server took a letter; a database restarts in a few."""


class Sender:
    """Sends for any grant."""

    def __init__(self, db: Database, keys: Keys, sessions: Sessions, reader: MailReader, clock: Clock) -> None:
        self._db = db
        self._keys = keys
        self._sessions = sessions
        self._reader = reader
        self._clock = clock
        self._under_way: set[asyncio.Task[Message]] = set()

    async def send(self, grant: Grant, submission: Submission, *, idempotency_key: str | None) -> Message:
        """Send the message now. What was begun is finished even if the caller goes away.

        Args:
            idempotency_key: for an hour, the same submission with the same key is answered again instead of
                sent again. One that nobody got may be tried again under its key.
        Returns: the message, with the id that its copy in Sent is going to have.
        Raises:
            InvalidRequest: nobody to send to, an address or a header that cannot be, no SMTP server.
            Conflict: the key was used for something else, or is being used right now.
            OutcomeUnknown: the server had the message and did not answer. It is not repeated, under this key never.
            ProviderFailure, EgressError, TargetNotAllowed: nobody got it.
        """
        if grant.settings.smtp is None:
            raise without_smtp()
        require_running(grant)
        size = weight(submission)
        request = await beside(size, request_hash, submission)
        if idempotency_key is not None and (known := await self._known(grant, idempotency_key, request)):
            return known
        key = await self._keys.data_key(grant)
        parent = await self._parent(grant, key, submission.reply_to_message_id)
        size += len(parent or b"")
        letter = await beside(size, write_letter, grant, submission, parent, self._clock.now())
        task = asyncio.create_task(self._carry(grant, letter, key, idempotency_key, request))
        self._under_way.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    async def finish(self, *, within_s: float) -> None:
        """Wait for what is under way, for so many seconds at most; for a process that is to end."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=within_s)

    async def _parent(self, grant: Grant, key: DataKey, message_id: str) -> bytes | None:
        """The raw message that is answered."""
        if not message_id:
            return None
        stored = await self._reader.raw(grant, key, [message_id])
        if message_id not in stored:
            raise InvalidRequest(f"reply_to_message_id: this grant has no message {message_id[:100]!r}.")
        return stored[message_id]

    async def _known(self, grant: Grant, idempotency_key: str, request: bytes) -> Message | None:
        """The answer that this key has already; None when there is something to send.

        Raises:
            Conflict, OutcomeUnknown.
        """
        row = await repository.by_key(self._db, grant.id, idempotency_key, SETTLED_KEPT)
        if row is not None and row.abandoned:
            await recover(self._db)
            row = await repository.by_key(self._db, grant.id, idempotency_key, SETTLED_KEPT)
        if row is None:
            return None
        is_settled = row.state in {SubmissionState.SENT, SubmissionState.REFUSED}
        if row.request_hash != request and not (is_settled and row.expired):
            raise KeyReused(
                "This Idempotency-Key was used for another message.", hint="Use a new key for each message."
            )
        match row.state:
            case SubmissionState.INTENDED | SubmissionState.SENDING:
                raise _concurrent()
            case SubmissionState.UNKNOWN:
                raise from_stored(row.error) if row.error else outcome_unknown(grant)
            case SubmissionState.SENT if not row.expired:
                return await self._answer(grant, row)
            case SubmissionState.SENT | SubmissionState.REFUSED:
                await repository.release_key(self._db, grant.id, row.id)
                return None

    async def _answer(self, grant: Grant, row: Row) -> Message:
        key, response = await self._keys.data_key(grant), row.response or b""
        answer = await beside(len(response), key.unpack, response, response_context(row.id))
        return msgspec.json.decode(answer, type=Message)

    async def _carry(
        self, grant: Grant, letter: Letter, key: DataKey, idempotency_key: str | None, request: bytes
    ) -> Message:
        """Write the intent, send, write the outcome."""
        submission_id = new_id()
        raw = await beside(len(letter.raw), key.pack, letter.raw, raw_context(submission_id))
        started = self._clock.monotonic()
        if not await repository.intend(
            self._db,
            grant.id,
            submission_id,
            idempotency_key=idempotency_key,
            request_hash=request,
            message_id=letter.id,
            message_id_header=letter.message_id_header,
            raw=raw,
            life=INTENDED_LIFE,
        ):
            if idempotency_key and (known := await self._known(grant, idempotency_key, request)):
                return known
            raise _concurrent()
        async with AsyncExitStack() as stack:
            try:
                password = (await self._keys.credentials(grant)).smtp_password
                session = submission_session(self._sessions, grant, password)
                client, attempt = await stack.enter_async_context(session)
                if not await repository.begin(self._db, grant.id, submission_id, SENDING_LIFE):
                    raise Conflict("The submission was given up before it was handed over; nobody got it.")
                left = TOTAL_S - (self._clock.monotonic() - started)
                await hand_over(client, attempt, grant, letter, within_s=left)
            except MooringError as e:
                await self._failed(grant, submission_id, letter, e)
                raise
            return await self._sent(grant, submission_id, letter, key, answers=idempotency_key is not None)

    async def _sent(self, grant: Grant, submission_id: str, letter: Letter, key: DataKey, *, answers: bool) -> Message:
        """Write that it was sent. A database that is away cannot make that untrue, so it is waited for a while."""
        folders: list[str] = []
        for _ in range(RECORD_TRIES):
            try:
                sent = find_special(await self._reader.plain_folders(grant), SpecialUse.SENT)
                folders = [sent.id] if sent else []
                return await record_sent(self._db, grant, submission_id, letter, folders, key, answers=answers)
            except StoreUnavailable as e:
                log.warning("send.cannot_record", grant=grant.id, submission=submission_id, error=str(e))
                await asyncio.sleep(RECORD_PAUSE_S)
        return unrecorded(grant, letter, folders)

    async def _failed(self, grant: Grant, submission_id: str, letter: Letter, error: MooringError) -> None:
        """Write the failure; what cannot be written now, ``recover`` writes later."""
        try:
            await record_failure(self._db, grant, submission_id, letter.id, error)
        except StoreUnavailable as e:
            log.warning("send.cannot_record", grant=grant.id, submission=submission_id, error=str(e))

    def _ended(self, task: asyncio.Task[Message]) -> None:
        self._under_way.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None and not isinstance(error, MooringError):
            log.error("send.defect", exc_info=error)


def _concurrent() -> KeyInUse:
    return KeyInUse(
        "A request with this Idempotency-Key is under way.", hint="Wait for its answer, or repeat this in a moment."
    )
