"""A diagnosis as it is shown: by the API, and by ``mooring diagnose --json``."""

from datetime import datetime
from typing import Any

import msgspec

from mooring.diagnosis.asking.records import Diagnosis
from mooring.diagnosis.types import Account, Control, Earlier, Exit, Lookup, Observation, Target
from mooring.diagnosis.verdict.types import Verdict


class DiagnosisView(msgspec.Struct):
    """A diagnosis: ``queued``, ``running``, ``done`` (there is a ``verdict``) or ``failed`` (``error`` says why).

    Attributes:
        email, grant_id: what it is about, where it was asked that way.
        targets: the servers that are asked, found or named.
        passive: it was answered from what happened anyway; nothing was dialled for it.
        evidence: what each probe saw. Like those below it is null until the diagnosis is done, and in lists.
        exits: the sources that probes could leave by.
        lookups: what names led to.
        controls: whether the sources work at all.
        earlier: connections of the application's from before.
        account: what the grant itself tells, of a passive diagnosis of one.
    """

    id: str
    state: str
    by: str
    email: str | None
    grant_id: str | None
    generation: str
    region: str
    targets: tuple[Target, ...]
    with_credentials: bool
    passive: bool
    verdict: Verdict | None
    error: dict[str, Any] | None
    evidence: tuple[Observation, ...] | None
    exits: tuple[Exit, ...] | None
    lookups: tuple[Lookup, ...] | None
    controls: tuple[Control, ...] | None
    earlier: tuple[Earlier, ...] | None
    account: Account | None
    created_at: int
    started_at: int | None
    ended_at: int | None
    object: str = "diagnosis"


def view_of(diagnosis: Diagnosis) -> DiagnosisView:
    """The diagnosis, without anything secret."""
    question, evidence = diagnosis.question, diagnosis.evidence
    return DiagnosisView(
        id=diagnosis.id,
        state=str(diagnosis.state),
        by=diagnosis.by,
        email=question.email or None,
        grant_id=diagnosis.grant_id or None,
        generation=question.generation,
        region=question.region,
        targets=question.targets,
        with_credentials=question.with_credentials,
        passive=question.passive,
        verdict=diagnosis.verdict,
        error=diagnosis.error,
        evidence=evidence.observations if evidence is not None else None,
        exits=evidence.exits if evidence is not None else None,
        lookups=evidence.lookups if evidence is not None else None,
        controls=evidence.controls if evidence is not None else None,
        earlier=evidence.earlier if evidence is not None else None,
        account=evidence.account if evidence is not None else None,
        created_at=_unix(diagnosis.created_at) or 0,
        started_at=_unix(diagnosis.started_at),
        ended_at=_unix(diagnosis.ended_at),
    )


def _unix(at: datetime | None) -> int | None:
    return int(at.timestamp()) if at is not None else None
