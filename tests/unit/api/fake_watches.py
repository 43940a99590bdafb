"""Watches that stand still."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from mooring.applications import Application
from mooring.diagnosis import Authentication, Change, ChangeKind, Diagnosis, ServerWatch, Service, WatchState
from mooring.diagnosis.watches.doors import Door
from mooring.diagnosis.watches.rules import Ours, Standing
from mooring.errors import NotFound
from mooring.grants import ConnectRequest
from tests.unit.api.fake_diagnoses import QUESTION
from tests.unit.api.things import NOW, Fake

DOORS = tuple(
    Door(
        f"203.0.113.{n}", f"s{n}", Service.IMAP, "imap.example.com", 993, "192.0.2.1", is_open,
        NOW if is_open else None, 2 if is_open else -2, NOW, "reached" if is_open else "silent", "", NOW,
    )
    for n, is_open in ((10, True), (11, False))
)  # fmt: skip
WATCH = ServerWatch(
    id="w1", application_id="app-v3", diagnosis_id="d1", environment="v3-us-static", question=QUESTION,
    standing=Standing(NOW, WatchState.WAITING, DOORS, ours={d.address: Ours(d.is_open) for d in DOORS}),
    authentication=Authentication.NONE, grant_id="", error="",
    due_at=NOW, created_at=NOW, ended_at=None, changes=(Change(NOW, ChangeKind.OPENED, ("203.0.113.10",), 1, 2),),
)  # fmt: skip


class FakeWatches(Fake):
    def __init__(self) -> None:
        super().__init__()
        self.found = WATCH
        self.requests: list[ConnectRequest | None] = []

    async def begin(
        self, application: Application, diagnosis: Diagnosis, request: ConnectRequest | None = None, /
    ) -> ServerWatch:
        self.called("begin", application.id, diagnosis.id)
        self.requests.append(request)
        return replace(self.found, authentication=Authentication.WANTED if request else Authentication.NONE)

    async def find(self, application: Application, watch_id: str, /) -> ServerWatch:
        self.called("find", application.id, watch_id)
        if watch_id != self.found.id:
            raise NotFound("There is no such watch.")
        return self.found

    async def list(
        self, application: Application, /, *, limit: int, before: tuple[datetime, str] | None = None
    ) -> Sequence[ServerWatch]:
        self.called("list", application.id, limit, before)
        all_ = [replace(WATCH, id=f"w{n}", changes=()) for n in range(3)]
        later = [w.id for w in all_].index(before[1]) + 1 if before else 0
        return all_[later : later + limit]

    async def end(self, application: Application, watch_id: str, /) -> None:
        self.called("end", application.id, watch_id)
        if watch_id != self.found.id:
            raise NotFound("There is no such watch.")
