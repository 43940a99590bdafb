"""Query parameters in every spelling that the SDKs use; what cannot be meant is refused."""

import re
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nylas.models.attachments import FindAttachmentQueryParams
from nylas.models.calendars import FindCalendarQueryParams, ListCalendarsQueryParams
from nylas.models.events import FindEventQueryParams, ListEventQueryParams
from nylas.models.folders import FindFolderQueryParams, ListFolderQueryParams
from nylas.models.grants import ListGrantsQueryParams
from nylas.models.messages import FindMessageQueryParams, ListMessagesQueryParams

from mooring.api.queries import Query, paged, read_token, write_token
from mooring.api.v3 import ROUTES
from mooring.errors import InvalidRequest
from mooring.mail import MessageFilter
from tests.unit.api.fakes import V2_TOKEN, World


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"unread=True", True),
        (b"unread=true", True),
        (b"unread=TRUE", True),
        (b"unread=1", True),
        (b"unread=False", False),
        (b"unread=0", False),
        (b"unread=None", None),
        (b"unread=", None),
        (b"", None),
    ],
)
def test_flags(raw: bytes, expected: bool | None) -> None:
    assert Query(raw).flag("unread") is expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"in=a&in=b", ("a", "b")),
        (b"in=a,b", ("a", "b")),
        (b"in=a,%20b&in=c", ("a", "b", "c")),
        (b"in=None", ()),
        (b"in=", ()),
        (b"in=,", ()),
        (b"in=a%2Cb", ("a", "b")),
    ],
)
def test_lists(raw: bytes, expected: tuple[str, ...]) -> None:
    assert Query(raw).many("in") == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"subject=a+b", "a b"),
        (b"subject=a%20b", "a b"),
        (b"subject=a%2Bb", "a+b"),
        (b"subject=a/b", "a/b"),
        (b"subject=a,b", "a,b"),
        (b"subject=None", None),
        (b"subject=none", "none"),
        ("subject=ä".encode(), "ä"),
        (b"subject=%FF", "\ufffd"),
    ],
)
def test_texts(raw: bytes, expected: str | None) -> None:
    assert Query(raw).text("subject") == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"", 50),
        (b"limit=None", 50),
        (b"limit=1", 1),
        (b"limit=200", 200),
        (b"limit=201", 200),
        (b"limit=999999999999999999", 200),
    ],
)
def test_limits(raw: bytes, expected: int) -> None:
    assert Query(raw).limit() == expected


@pytest.mark.parametrize("value", ["0", "-1", "x", "1.5", "1e3", "١", "1_0", "9" * 30, " "])
def test_limits_that_cannot_be_meant(value: str) -> None:
    with pytest.raises(InvalidRequest):
        Query(f"limit={value}".encode()).limit()


@pytest.mark.parametrize(
    "raw",
    [b"a=%00", b"&".join(b"a=1" for _ in range(500))],
    ids=["nul", "too-many"],
)
def test_queries_that_nobody_means(raw: bytes) -> None:
    with pytest.raises(InvalidRequest):
        Query(raw)


@pytest.mark.parametrize("token", ["a b", "ä", "x" * 5000, "'", "a\nb"])
def test_page_tokens_that_are_not_ours(token: str) -> None:
    with pytest.raises(InvalidRequest):
        Query(f"page_token={token}".encode()).page_token()


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"since=1769860800", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        (b"since=2026-01-31T12:00:00Z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        (b"since=2026-01-31T13:00:00%2B01:00", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        (b"since=2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
        (b"", None),
    ],
)
def test_moments(raw: bytes, expected: datetime | None) -> None:
    assert Query(raw).moment_utc("since") == expected


@pytest.mark.parametrize("value", ["yesterday", "999999999999999", "0001-01-01T00:00:00%2B14:00"])
def test_moments_that_no_clock_shows(value: str) -> None:
    with pytest.raises(InvalidRequest):
        Query(f"since={value}".encode()).moment_utc("since")


@given(st.binary(max_size=200))
def test_any_query_string_is_read_or_refused(raw: bytes) -> None:
    try:
        query = Query(raw)
        query.limit()
        query.page_token()
    except InvalidRequest:
        return


@given(st.text(alphabet="abcdefXYZ0189_-=.", max_size=60))
def test_any_token_is_read_or_refused(token: str) -> None:
    try:
        assert isinstance(read_token(token, int), int)
    except InvalidRequest:
        return


def test_pages_of_a_short_list_join_up_and_end() -> None:
    items = list(range(7))
    seen: list[int] = []
    token: str | None = None
    for _ in range(3):
        query = Query(b"limit=3" + (f"&page_token={token}".encode() if token else b""))
        page, token = paged(items, query)
        seen += page
    assert (seen, token) == (items, None)


def test_a_page_token_beyond_the_end_is_an_empty_last_page() -> None:
    assert paged([1, 2], Query(f"page_token={write_token(9)}".encode())) == ([], None)


async def test_the_message_filter_is_what_the_query_says(world: World, v3: httpx.AsyncClient) -> None:
    answer = await v3.get(
        "/v3/grants/g1/messages?subject=a+b&any_email=x@y.z,q@y.z&from=b@c.d&to=e@f.g&cc=h@i.j&bcc=k@l.m&in=inbox"
        "&unread=True&starred=false&has_attachment=True&thread_id=t1&received_before=20&received_after=10&limit=7"
        "&page_token=3"
    )
    assert answer.status_code == 200
    expected = MessageFilter(
        folder_id="inbox", subject="a b", any_email=("x@y.z", "q@y.z"), from_=("b@c.d",), to=("e@f.g",),
        cc=("h@i.j",), bcc=("k@l.m",), unread=True, starred=False, has_attachment=True, thread_id="t1",
        received_before=20, received_after=10,
    )  # fmt: skip
    assert world.mailbox.calls == [("messages", "g1", expected, 7, "3")]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0", "limit=x", "page_token=!", "page_token=garbage", "unread=maybe", "fields=everything",
        "received_after=soon", "received_after=99999999999999", "in=a&in=b", "in=a,b", "query_imap=true",
        "search_query_native=FROM", "metadata_pair=key1:x", "any_email=" + ",".join(["a@b.c"] * 26),
    ],
)  # fmt: skip
async def test_what_the_list_of_messages_refuses(v3: httpx.AsyncClient, query: str) -> None:
    answer = await v3.get(f"/v3/grants/g1/messages?{query}")
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "api.invalid_request_error"


@pytest.mark.parametrize("handler", ROUTES, ids=lambda handler: f"{handler.fn.__name__}")
async def test_every_route_of_v3_refuses_what_it_does_not_declare(v3: httpx.AsyncClient, handler: Any) -> None:
    [method] = handler.http_methods
    for path in handler.paths:
        answer = await v3.request(method, f"{re.sub(r'{[^}]*}', 'g1', path)}?limit=1&nonsense=1", json={})
        assert (answer.status_code, answer.json()["error"]["type"]) == (400, "api.invalid_request_error")
        known = handler.opt["doc"].query
        unknown = "nonsense" if "limit" in known else "limit"
        assert answer.json()["error"]["message"] == f"There is no query parameter {unknown!r} here. " + (
            f"Here are: {', '.join(known)}." if known else "This path takes none."
        )


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/v3/grants", ListGrantsQueryParams),
        ("/v3/grants/g1/messages", ListMessagesQueryParams),
        ("/v3/grants/g1/messages/m1", FindMessageQueryParams),
        ("/v3/grants/g1/folders", ListFolderQueryParams),
        ("/v3/grants/g1/folders/inbox", FindFolderQueryParams),
        ("/v3/grants/g1/calendars", ListCalendarsQueryParams),
        ("/v3/grants/g1/calendars/cal1", FindCalendarQueryParams),
        ("/v3/grants/g1/events", ListEventQueryParams),
        ("/v3/grants/g1/events/ev1", FindEventQueryParams),
        ("/v3/grants/g1/attachments/att1", FindAttachmentQueryParams),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
async def test_whatever_the_sdk_can_send_is_known_or_said_to_be_unsupported(
    v3: httpx.AsyncClient, path: str, kind: Any
) -> None:
    # It turns its names in camel case into these before it sends them.
    for name in filter(str.islower, kind.__annotations__):
        answer = await v3.get(path, params={name: "1"})
        if answer.status_code != 200:
            assert "There is no query parameter" not in answer.json()["error"]["message"]


@pytest.mark.parametrize("query", ["nonsense=", "nonsense=None", "single_level=None", "limit=&page_token=None"])
async def test_what_has_no_value_is_not_there(v3: httpx.AsyncClient, query: str) -> None:
    assert (await v3.get(f"/v3/grants/g1/folders?{query}")).status_code == 200


async def test_what_others_support_is_said_to_be_unsupported(v3: httpx.AsyncClient) -> None:
    found = await v3.get("/v3/grants/g1/folders/inbox?include_hidden_folders=true")
    assert "'include_hidden_folders' is not supported here. Here are: select." in found.json()["error"]["message"]
    answer = await v3.get("/v3/grants/g1/folders?single_level=true")
    assert answer.json()["error"]["message"] == (
        "The query parameter 'single_level' is not supported here. Here are: parent_id, limit, page_token, select."
    )


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("expand_recurring=true", 200),
        ("expand_recurring=false", 400),
        ("tentative_as_busy=True", 200),
        ("tentative_as_busy=False", 400),
        ("order_by=start", 200),
        ("order_by=end", 400),
    ],
)
async def test_what_is_so_in_any_case_can_be_asked_for(v3: httpx.AsyncClient, query: str, status: int) -> None:
    assert (await v3.get(f"/v3/grants/g1/events?calendar_id=cal1&{query}")).status_code == status


async def test_v2_passes_over_what_it_does_not_know(anybody: httpx.AsyncClient) -> None:
    headers = {"Authorization": f"Bearer {V2_TOKEN}"}
    assert (await anybody.get("/messages?nonsense=1", headers=headers)).status_code == 200
