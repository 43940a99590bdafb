"""Diagnoses that were concluded before they were asked for."""

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import replace
from datetime import datetime

from mooring.applications import Application
from mooring.diagnosis import (
    Ask,
    Code,
    Diagnosis,
    Evidence,
    Observation,
    Outcome,
    Question,
    Reader,
    Service,
    Stage,
    State,
    Told,
    Vantage,
    Verdict,
)
from mooring.diagnosis.types import Target
from mooring.errors import NotFound
from tests.unit.api.things import NOW, Fake

QUESTION = Question("app-v3", "v3", "us", "word", (Target(Service.IMAP, "imap.example.com", 993),))
VERDICT = Verdict(
    Code.NEEDED, 0.97, "It filters by address.", {reader: [f"For the {reader}."] for reader in Reader}, row="needed"
)
SEEN = Observation(
    1, NOW, Vantage.STATIC, "v3-us-static", "s1", "203.0.113.10", Service.IMAP, "imap.example.com", 993, "192.0.2.1",
    Outcome.REACHED, Stage.CAPABILITY,
)  # fmt: skip
DIAGNOSIS = Diagnosis(
    id="d1", application_id="app-v3", grant_id="", by="application", state=State.QUEUED, question=QUESTION,
    verdict=None, evidence=None, error=None, run=0, created_at=NOW, started_at=None, ended_at=None,
)  # fmt: skip
DONE = replace(
    DIAGNOSIS, state=State.DONE, verdict=VERDICT, evidence=Evidence(QUESTION, (), observations=(SEEN,)),
    started_at=NOW, ended_at=NOW,
)  # fmt: skip
TOLD = [Told(1, "started", {"kind": "started", "run": 1}), Told(2, "verdict", {"kind": "verdict"})]


class FakeDiagnoses(Fake):
    def __init__(self) -> None:
        super().__init__()
        self.found = DONE
        self.asked: list[Ask] = []

    async def ask(self, application: Application, ask: Ask, /, *, admit_detection: Callable[[], None]) -> Diagnosis:
        if ask.email and not ask.host:
            admit_detection()
        self.called("ask", application.id)
        self.asked.append(ask)
        return replace(DIAGNOSIS, application_id=application.id)

    async def find(self, application: Application, diagnosis_id: str, /, *, wait_s: float = 0.0) -> Diagnosis:
        self.called("find", application.id, diagnosis_id, wait_s)
        if diagnosis_id != self.found.id:
            raise NotFound("There is no such diagnosis.")
        return self.found

    async def list(
        self, application: Application, /, *, limit: int, before: tuple[datetime, str] | None = None
    ) -> Sequence[Diagnosis]:
        self.called("list", application.id, limit, before)
        all_ = [replace(DONE, id=f"d{n}", evidence=None) for n in range(3)]
        later = [d.id for d in all_].index(before[1]) + 1 if before else 0
        return all_[later : later + limit]

    async def follow(self, diagnosis_id: str, /, *, after: int = 0) -> AsyncGenerator[Told | None]:
        self.called("follow", diagnosis_id, after)
        yield None
        for told in TOLD:
            if told.number > after:
                yield told
