"""By which means a calendar is brought in step, with servers that offer more or less."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from mooring.calendars import Calendar, CalendarWriter
from mooring.clock import SystemClock
from mooring.errors import AuthenticationFailed, RemoteProtocolError, ServerRefused
from mooring.protocols.caldav import CalDavClient, CalendarObject, FetchedObjects, SyncChanges, SyncTokenInvalid
from mooring.sync.calendars import BATCH, CalendarPass

URL = "https://dav.example.com/tides/"
NEW = Calendar(grant_id="g", id="c", url=URL, name="Work")
KNOWN = replace(NEW, ctag="c1", sync_token="t1", fetched_at=SystemClock().now())


class Server(CalDavClient):
    """Answers from what it was given.

    Attributes:
        parts: the answer to each token; an error is raised.
        refuses: URLs that it lists and does not give.
    """

    def __init__(self, objects: Mapping[str, str], parts: Mapping[str, SyncChanges | Exception] | None = None) -> None:
        self.objects = dict(objects)
        self.parts = dict(parts or {})
        self.refuses: set[str] = set()
        self.asked: list[str] = []

    async def sync(self, calendar_url: str, token: str = "") -> SyncChanges:
        self.asked.append(f"sync {token}".strip())
        answer = self.parts[token]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def etags(self, calendar_url: str) -> Mapping[str, str]:
        self.asked.append("etags")
        return self.objects

    async def multiget(self, calendar_url: str, urls: Sequence[str]) -> FetchedObjects:
        self.asked.append(f"multiget {len(urls)}")
        refused = {url: "HTTP status 403, without data" for url in urls if url in self.refuses}
        there = [url for url in urls if url in self.objects and url not in refused]
        missing = tuple(url for url in urls if url not in self.objects)
        return FetchedObjects(tuple(CalendarObject(u, self.objects[u], b"") for u in there), missing, refused)


class Copy(CalendarWriter):
    """The stored copy, in memory."""

    def __init__(self, **etags: str) -> None:
        self.stored = etags
        self.marks: dict[str, Any] = {}

    async def etags(self, calendar: Calendar) -> dict[str, str]:
        return dict(self.stored)

    async def put(self, calendar: Calendar, objects: Sequence[CalendarObject]) -> None:
        assert len(objects) <= BATCH
        self.stored |= {found.url: found.etag for found in objects}

    async def remove(self, calendar: Calendar, urls: Iterable[str]) -> None:
        for url in urls:
            self.stored.pop(url, None)

    async def mark(
        self, calendar: Calendar, *, ctag: str, sync_token: str, error: dict[str, Any] | None = None
    ) -> None:
        self.marks = {"ctag": ctag, "sync_token": sync_token, "error": error}


def changes(token: str, *, removed: tuple[str, ...] = (), complete: bool = True, **changed: str) -> SyncChanges:
    return SyncChanges(token, changed, removed, complete)


def refusal(code: str = "403") -> ServerRefused:
    return ServerRefused("no", reply="no", code=code)


@pytest.mark.parametrize(
    ("known", "told"),
    [
        (KNOWN, replace(NEW, ctag="c1", sync_token="t2")),
        (KNOWN, replace(NEW, ctag="c1")),
        (replace(KNOWN, ctag=""), replace(NEW, ctag="", sync_token="t1")),
    ],
)
async def test_unchanged_marks_cost_nothing(known: Calendar, told: Calendar) -> None:
    server, copy = Server({}), Copy(a="1")
    await CalendarPass(server, copy, known, told).run()
    assert server.asked == []
    assert copy.marks == {"ctag": told.ctag, "sync_token": known.sync_token, "error": None}


@pytest.mark.parametrize("known", [NEW, replace(KNOWN, ctag="", sync_token="")])
async def test_a_server_without_marks_is_compared_by_etags(known: Calendar) -> None:
    server, copy = Server({"a": "1", "b": "2", "c": "1"}), Copy(a="1", b="1", gone="1")
    await CalendarPass(server, copy, known, NEW).run()
    assert server.asked == ["etags", "multiget 2"]
    assert copy.stored == server.objects


async def test_the_first_time_everything_is_listed_and_a_fill_that_was_interrupted_goes_on() -> None:
    server, copy = Server({"a": "1", "b": "1"}, {"": changes("t1", a="1", b="1")}), Copy(a="1", stray="1")
    await CalendarPass(server, copy, NEW, replace(NEW, ctag="c1", sync_token="t0")).run()
    assert server.asked == ["sync", "multiget 1"]
    assert copy.stored == {"a": "1", "b": "1"}
    assert copy.marks == {"ctag": "c1", "sync_token": "t1", "error": None}


async def test_changes_come_in_parts() -> None:
    parts = {
        "t1": changes("t2", a="2", b="1", complete=False),
        "t2": changes("t3", removed=("b", "old"), c="1", complete=False),
        "t3": changes("t4", old="2"),
    }
    server, copy = Server({"a": "2", "c": "1", "old": "2"}, parts), Copy(a="1", b="1", old="1")
    await CalendarPass(server, copy, KNOWN, replace(NEW, ctag="c2", sync_token="t9")).run()
    assert copy.stored == {"a": "2", "c": "1", "old": "2"}
    assert copy.marks == {"ctag": "c2", "sync_token": "t4", "error": None}


async def test_a_list_without_an_end_is_a_failure_of_the_server() -> None:
    server = Server({}, {"t1": changes("t1", complete=False)})
    with pytest.raises(RemoteProtocolError):
        await CalendarPass(server, Copy(), KNOWN, replace(NEW, ctag="c2", sync_token="t9")).run()


@pytest.mark.parametrize("error", [SyncTokenInvalid("?", reply="", code="403"), refusal("500")])
async def test_a_refused_token_leads_to_everything_being_listed(error: Exception) -> None:
    server, copy = Server({"a": "1"}, {"t1": error, "": changes("t5", a="1")}), Copy(a="1", gone="1")
    await CalendarPass(server, copy, KNOWN, replace(NEW, ctag="c2", sync_token="t9")).run()
    assert server.asked == ["sync t1", "sync"]
    assert copy.stored == {"a": "1"}
    assert copy.marks["sync_token"] == "t5"


async def test_a_server_that_takes_no_report_is_compared_by_etags() -> None:
    server, copy = Server({"a": "1"}, {"t1": refusal(), "": refusal("501")}), Copy(gone="1")
    await CalendarPass(server, copy, KNOWN, replace(NEW, sync_token="t9")).run()
    assert server.asked == ["sync t1", "sync", "etags", "multiget 1"]
    assert copy.stored == {"a": "1"}
    assert copy.marks["sync_token"] == "t9"


async def test_a_refused_password_is_not_tried_in_other_ways() -> None:
    server = Server({}, {"t1": AuthenticationFailed("no", reply="no", code="401")})
    with pytest.raises(AuthenticationFailed):
        await CalendarPass(server, Copy(), KNOWN, replace(NEW, sync_token="t9")).run()
    assert server.asked == ["sync t1"]


async def test_what_is_refused_is_said_and_asked_for_again() -> None:
    server, copy = Server({"a": "2", "b": "1"}, {"t1": changes("t2", a="2", b="1")}), Copy(a="1")
    server.refuses = {"a"}
    told = replace(NEW, ctag="c2", sync_token="t2")
    await CalendarPass(server, copy, KNOWN, told).run()
    assert copy.stored == {"a": "1", "b": "1"}
    assert (copy.marks["ctag"], copy.marks["sync_token"]) == ("c1", "t1")
    assert "1 objects could not be read" in copy.marks["error"]["message"]
    server.refuses = set()
    await CalendarPass(server, copy, KNOWN, told).run()
    assert copy.stored == server.objects
    assert copy.marks == {"ctag": "c2", "sync_token": "t2", "error": None}
    assert server.asked == ["sync t1", "multiget 2", "sync t1", "multiget 1"]


async def test_an_object_that_vanished_between_list_and_fetch_is_gone() -> None:
    server, copy = Server({}, {"t1": changes("t2", a="2")}), Copy(a="1")
    await CalendarPass(server, copy, KNOWN, replace(NEW, ctag="c2", sync_token="t2")).run()
    assert copy.stored == {}


async def test_objects_without_etags_are_fetched_again_in_batches() -> None:
    objects = {str(number): "" for number in range(250)}
    server, copy = Server(objects), Copy(**objects)
    await CalendarPass(server, copy, KNOWN, replace(NEW, ctag="c2")).run()
    assert server.asked == ["etags", "multiget 100", "multiget 100", "multiget 50"]
