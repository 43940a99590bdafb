"""What became of a submission, written with the fact that it makes true; and of those whose sender is gone."""

from datetime import timedelta

import msgspec

from mooring.errors import MooringError
from mooring.events import EventType, Fact, append
from mooring.grants import Grant, by_ids
from mooring.large import beside
from mooring.mail import Message, assign_threads, join_thread, thread_headers
from mooring.send import repository
from mooring.send.errors import OutcomeUnknown
from mooring.send.failures import as_stored, never_handed_over, outcome_unknown
from mooring.send.letters import Letter, message_of
from mooring.send.types import SubmissionState
from mooring.store import Database
from mooring.vault import DataKey

SETTLED_KEPT = timedelta(hours=1)
"""How long a submission answers for its Idempotency-Key (contract 1.11)."""
UNKNOWN_KEPT = timedelta(days=7)
"""How long one that may have been delivered does: whoever asks again later has had time to look."""
RECOVERED_AT_ONCE = 200


def raw_context(submission_id: str) -> bytes:
    """What a packed letter is bound to."""
    return b"submission:" + submission_id.encode()


def response_context(submission_id: str) -> bytes:
    """What a packed answer is bound to."""
    return b"response:" + submission_id.encode()


async def record_sent(
    db: Database, grant: Grant, submission_id: str, letter: Letter, folders: list[str], key: DataKey, *, answers: bool
) -> Message:
    """Write that a server took the letter, and what the API says of it.

    Args:
        folders: ids; where its copy is going to be.
        answers: another request with the same Idempotency-Key may ask for the answer again.
    """
    async with db.transaction() as tx:
        if not await repository.hold_grant(tx, grant.id):
            return unrecorded(grant, letter, folders)
        thread_id = await join_thread(tx, grant.id, letter.id, thread_headers(letter.parsed))
        size = len(letter.parsed.body)
        message = await beside(size, message_of, grant, letter, thread_id=thread_id, folders=folders)
        response = await beside(size, _packed, message, key, submission_id) if answers else None
        if await repository.sent(tx, grant.id, submission_id, response):
            fact = Fact(EventType.MESSAGE_SEND_SUCCESS, {"id": letter.id, "thread_id": thread_id})
            await append(tx, application_id=grant.application_id, grant_id=grant.id, facts=[fact])
    return message


def unrecorded(grant: Grant, letter: Letter, folders: list[str]) -> Message:
    """What the API says of a letter that was sent, where nothing can be written of it any more."""
    threads, _ = assign_threads(grant.id, [(letter.id, thread_headers(letter.parsed))], {})
    return message_of(grant, letter, thread_id=threads[letter.id], folders=folders)


def _packed(message: Message, key: DataKey, submission_id: str) -> bytes:
    """The answer, for whoever asks again with the same Idempotency-Key."""
    return key.pack(msgspec.json.encode(message), response_context(submission_id))


async def record_failure(db: Database, grant: Grant, submission_id: str, message_id: str, error: MooringError) -> None:
    """Write that nobody got the letter, or (OutcomeUnknown) that nobody can say."""
    write = repository.unknown if isinstance(error, OutcomeUnknown) else repository.refused
    stored = as_stored(error)
    async with db.transaction() as tx:
        if await write(tx, grant.id, submission_id, stored):
            data = {"id": message_id, "stage": stored["stage"], "reason": stored["reason"], "message": error.message}
            fact = Fact(EventType.MESSAGE_SEND_FAILED, data)
            await append(tx, application_id=grant.application_id, grant_id=grant.id, facts=[fact])


async def recover(db: Database) -> int:
    """Settle what killed processes left: unknown where the hand-over had begun, else refused.

    Safe to run anywhere at any time: a submission under way is left alone until its time is over, after
    which its sender is not allowed to begin.

    Returns: how many there were.
    """
    rows = await repository.abandoned(db, RECOVERED_AT_ONCE)
    grants = {grant.id: grant for grant in await by_ids(db, [row.grant_id for row in rows])}
    for row in rows:
        grant = grants.get(row.grant_id)
        if grant is not None:
            error = outcome_unknown(grant) if row.state is SubmissionState.SENDING else never_handed_over()
            await record_failure(db, grant, row.id, row.message_id, error)
    return len(rows)


async def forget_submissions(db: Database) -> None:
    """Delete the submissions whose time is over: what happened is in the outbox, where they left from in the ledger."""
    await repository.forget(db, settled=SETTLED_KEPT, unknown=UNKNOWN_KEPT)
