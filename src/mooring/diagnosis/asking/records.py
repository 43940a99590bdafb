"""A diagnosis that was asked for, as it is kept."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from mooring.diagnosis.types import Evidence, Question
from mooring.diagnosis.verdict.types import Verdict


class State(StrEnum):
    """How far it is."""

    QUEUED = "queued"
    RUNNING = "running"
    #: there is a verdict
    DONE = "done"
    #: there is none; ``error`` says why
    FAILED = "failed"

    @property
    def is_end(self) -> bool:
        """Whether nothing more happens."""
        return self in {State.DONE, State.FAILED}


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One diagnosis. No secret is in it.

    Attributes:
        application_id: "" when an operator asked.
        by: who asked: ``application``, or ``operator`` with a name.
        run: how often it was begun; more than once when the process that carried it out died.
        error: why there is no verdict: ``type`` and ``message``.
    """

    id: str
    application_id: str
    grant_id: str
    by: str
    state: State
    question: Question
    verdict: Verdict | None
    evidence: Evidence | None
    error: dict[str, Any] | None
    run: int
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Told:
    """Something that whoever follows a diagnosis is told.

    Attributes:
        number: counts up from 1; what a follower has had, it is not told again.
        kind: that of a ``Progress``; ``started`` (from here on everything begins anew) or ``failed``.
    """

    number: int
    kind: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to carry a diagnosis out, as long as nobody else has begun it anew.

    Attributes:
        sealed: the passwords that were given; None: none.
    """

    id: str
    run: int
    question: Question
    sealed: bytes | None
