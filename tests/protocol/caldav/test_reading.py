"""Discovery, calendars and objects on servers that Radicale is not."""

import contextlib
from datetime import UTC, datetime

import httpx
import pytest
from defusedxml.ElementTree import fromstring
from hypothesis import given
from hypothesis import strategies as st

from mooring.errors import AuthenticationFailed, InvalidRequest, ProtocolError, RemoteProtocolError, ServerRefused
from mooring.protocols.caldav import CalendarHome, NotCalDav, RedirectRefused, SyncTokenInvalid
from mooring.protocols.caldav.documents import read_multistatus
from tests.protocol.caldav.transcripts import HOME, PRINCIPAL, Handler, absent, client_of, multistatus, resource

ROOT = "https://dav.example.org"
CALENDAR = f"{ROOT}/c/ann/desk/"
START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)


def site_of(pages: dict[str, httpx.Response], seen: list[str] | None = None) -> Handler:
    """A server with these pages, and 404 elsewhere."""

    def answer(request: httpx.Request) -> httpx.Response:
        if seen is not None:
            seen.append(str(request.url.path))
        return pages.get(request.url.path, httpx.Response(404))

    return answer


async def test_discovery_by_host_through_well_known() -> None:
    seen: list[str] = []
    pages = {
        "/.well-known/caldav": httpx.Response(301, headers={"location": "/dav"}),
        "/dav": multistatus(resource("/dav", PRINCIPAL)),
        "/p/ann/": multistatus(
            resource(
                "/p/ann/",
                HOME + "<d:displayname>Ann</d:displayname>"
                "<c:calendar-user-address-set><d:href>mailto:ann@example.org</d:href></c:calendar-user-address-set>",
            )
        ),
    }
    home = await client_of(site_of(pages, seen), "dav.example.org").discover()
    assert home == CalendarHome((f"{ROOT}/c/ann/",), f"{ROOT}/p/ann/", ("mailto:ann@example.org",), "Ann")
    assert seen == ["/.well-known/caldav", "/dav", "/p/ann/"]


@pytest.mark.parametrize("status", [200, 404, 405])
async def test_discovery_falls_back_to_the_root(status: int) -> None:
    seen: list[str] = []
    pages = {
        "/.well-known/caldav": httpx.Response(status, html="<h1>hello</h1>"),
        "/": multistatus(resource("/", PRINCIPAL)),
        "/p/ann/": multistatus(resource("/p/ann/", HOME)),
    }
    home = await client_of(site_of(pages, seen), "dav.example.org").discover()
    assert home.home_urls == (f"{ROOT}/c/ann/",)
    assert seen == ["/.well-known/caldav", "/", "/p/ann/"]


async def test_the_given_address_comes_first() -> None:
    seen: list[str] = []
    pages = {"/cal/": multistatus(resource("/cal/", HOME))}
    home = await client_of(site_of(pages, seen), f"{ROOT}/cal/").discover()
    assert home.home_urls == (f"{ROOT}/c/ann/",)
    assert seen == ["/cal/"]


async def test_a_home_on_another_host_of_the_site() -> None:
    there = "https://p42-dav.example.org:443/ann/"
    home_set = f"<c:calendar-home-set><d:href>{there}</d:href></c:calendar-home-set>"
    home = await client_of(site_of({"/": multistatus(resource("/", home_set))})).discover()
    assert home.home_urls == ("https://p42-dav.example.org/ann/",)


async def test_an_address_that_is_a_calendar_without_a_principal() -> None:
    kind = "<d:resourcetype><d:collection/><c:calendar/></d:resourcetype>"
    home = await client_of(site_of({"/cal/": multistatus(resource("/cal/", kind))}), f"{ROOT}/cal/").discover()
    assert home.home_urls == (f"{ROOT}/cal/",)


async def test_a_wrong_password_ends_the_search() -> None:
    seen: list[str] = []
    pages = {"/.well-known/caldav": httpx.Response(401, headers={"www-authenticate": "Basic"})}
    with pytest.raises(AuthenticationFailed):
        await client_of(site_of(pages, seen), "dav.example.org").discover()
    assert len(seen) == 1


@pytest.mark.parametrize("status", [403, 503])
async def test_a_telling_refusal_is_told(status: int) -> None:
    pages = {"/.well-known/caldav": httpx.Response(status, text="403.6 - Forbidden: IP address rejected")}
    with pytest.raises(ServerRefused) as refused:
        await client_of(site_of(pages), "dav.example.org").discover()
    assert refused.value.code == str(status)
    assert "IP address rejected" in refused.value.reply


async def test_a_well_known_that_points_away() -> None:
    pages = {"/.well-known/caldav": httpx.Response(301, headers={"location": "https://elsewhere.net/dav"})}
    with pytest.raises(RedirectRefused) as refused:
        await client_of(site_of(pages), "dav.example.org").discover()
    assert refused.value.target == "https://elsewhere.net/dav"


@pytest.mark.parametrize(
    "root",
    [
        httpx.Response(404),
        httpx.Response(200, html="hello"),
        multistatus(),
        multistatus(resource("/", "<d:current-user-principal><d:unauthenticated/></d:current-user-principal>")),
        multistatus(resource("/", PRINCIPAL)),
    ],
)
async def test_no_calendars_anywhere(root: httpx.Response) -> None:
    with pytest.raises(NotCalDav) as nothing:
        await client_of(site_of({"/": root}), "dav.example.org").discover()
    assert "/.well-known/caldav" in str(nothing.value)


async def test_what_calendars_say_of_themselves() -> None:
    calendar = "<d:resourcetype><d:collection/><c:calendar/></d:resourcetype>"
    read_only = "<d:current-user-privilege-set><d:privilege><d:read/></d:privilege></d:current-user-privilege-set>"
    writable = (
        "<d:current-user-privilege-set><d:privilege><d:read/></d:privilege>"
        "<d:privilege><d:write-content/></d:privilege></d:current-user-privilege-set>"
    )
    query = "<d:supported-report><d:report><c:calendar-query/></d:report></d:supported-report>"
    reports = f"<d:supported-report-set>{query}</d:supported-report-set>"
    home = multistatus(
        resource("/c/ann/", "<d:resourcetype><d:collection/></d:resourcetype>"),
        resource(
            "/c/ann/desk/",
            f"{calendar}{writable}<d:displayname>Work</d:displayname><cs:getctag>7</cs:getctag><d:sync-token>s1</d:sync-token>"
            "<a:calendar-color>orange</a:calendar-color><c:calendar-timezone-id>Asia/Tokyo</c:calendar-timezone-id>",
        ),
        resource("/c/ann/holidays/", f"{calendar}{read_only}{reports}<d:sync-token>s2</d:sync-token>"),
        resource(
            "/c/ann/inbox/",
            "<d:resourcetype><d:collection/><c:schedule-inbox/></d:resourcetype>"
            "<c:schedule-default-calendar-URL><d:href>/c/ann/desk</d:href></c:schedule-default-calendar-URL>",
        ),
    )
    found = await client_of(site_of({"/c/ann/": home})).calendars(CalendarHome((f"{ROOT}/c/ann/",)))
    work, holidays = found
    assert (work.name, work.ctag, work.sync_token, work.color, work.timezone) == ("Work", "7", "s1", "", "Asia/Tokyo")
    assert (work.is_primary, work.is_read_only, work.components) == (True, False, ())
    assert (holidays.is_primary, holidays.is_read_only, holidays.sync_token) == (False, True, "")


async def test_events_that_come_without_their_data_are_fetched() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(fromstring(request.content).tag.split("}")[1])
        if asked[-1] == "calendar-query":
            return multistatus(
                resource("/c/ann/desk/1.ics", "<d:getetag>1</d:getetag><c:calendar-data>BEGIN:1</c:calendar-data>"),
                resource("/c/ann/desk/2%40x.ics", "<d:getetag>2</d:getetag>"),
            )
        return multistatus(
            resource("/c/ann/desk/2@x.ics", "<d:getetag>2</d:getetag><c:calendar-data>BEGIN:2</c:calendar-data>")
        )

    found = await client_of(answer).events(CALENDAR, START, END)
    assert [(o.url, o.data) for o in found.objects] == [
        (f"{CALENDAR}1.ics", b"BEGIN:1"),
        (f"{CALENDAR}2@x.ics", b"BEGIN:2"),
    ]
    assert asked == ["calendar-query", "calendar-multiget"]


@pytest.mark.parametrize(("start", "end"), [(END, START), (START, START), (START.replace(tzinfo=None), END)])
async def test_ranges_that_are_none(start: datetime, end: datetime) -> None:
    with pytest.raises(InvalidRequest):
        await client_of(site_of({})).events(CALENDAR, start, end)


async def test_multiget_accounts_for_every_object() -> None:
    """What the server leaves out, or cannot give just now, must not look deleted."""
    sizes: list[int] = []

    def answer(request: httpx.Request) -> httpx.Response:
        hrefs = [e.text or "" for e in fromstring(request.content).iter("{DAV:}href")]
        sizes.append(len(hrefs))
        responses: list[str] = []
        for href in hrefs:
            match int(href.removeprefix("/c/ann/desk/").removesuffix(".ics")):
                case 1:
                    responses.append(absent(href))
                case 2:
                    responses.append(absent(href, "503 Busy"))
                case 3:
                    pass
                case 4:
                    responses.append(resource(href, "<c:calendar-data/>", "404 Not Found"))
                case n:
                    responses.append(resource(href, f"<c:calendar-data>{n}</c:calendar-data>"))
        return multistatus(*responses)

    urls = [f"{CALENDAR}{n}.ics" for n in range(120)]
    found = await client_of(answer).multiget(CALENDAR, [*urls, urls[0]])
    assert sizes == [50, 50, 20]
    assert len(found.objects) == 116
    assert found.missing == (urls[1], urls[4])
    assert set(found.refused) == {urls[2], urls[3]}
    assert "503" in found.refused[urls[2]]


async def test_a_list_that_was_cut_is_not_taken_for_whole() -> None:
    cut = multistatus(resource("/c/ann/desk/1.ics", "<d:getetag>1</d:getetag>"), absent("/c/ann/desk", "507 Too many"))
    client = client_of(lambda _: cut)
    with pytest.raises(ServerRefused) as refused:
        await client.etags(CALENDAR)
    assert not refused.value.permanent
    with pytest.raises(ServerRefused):
        await client.events(CALENDAR, START, END)


async def test_sync_in_parts() -> None:
    answer = multistatus(
        resource("/c/ann/desk/1.ics", '<d:getetag>"1"</d:getetag>'),
        absent("/c/ann/desk/2.ics"),
        absent("/c/ann/desk/", "507 Insufficient Storage"),
        "<d:sync-token>t2</d:sync-token>",
    )
    changes = await client_of(lambda _: answer).sync(CALENDAR, "t1")
    assert (changes.token, changes.is_complete) == ("t2", False)
    assert dict(changes.changed) == {f"{CALENDAR}1.ics": '"1"'}
    assert changes.removed == (f"{CALENDAR}2.ics",)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (403, '<d:error xmlns:d="DAV:"><d:valid-sync-token/></d:error>', SyncTokenInvalid),
        (409, '<d:error xmlns:d="DAV:"><d:valid-sync-token/></d:error>', SyncTokenInvalid),
        (410, "", SyncTokenInvalid),
        (403, '<d:error xmlns:d="DAV:"><d:need-privileges/></d:error>', ServerRefused),
        (403, "go away", ServerRefused),
        (401, '<d:error xmlns:d="DAV:"><d:valid-sync-token/></d:error>', AuthenticationFailed),
    ],
)
async def test_tokens_that_are_forgotten_and_other_refusals(
    status: int, body: str, expected: type[ServerRefused]
) -> None:
    with pytest.raises(expected) as refused:
        await client_of(lambda _: httpx.Response(status, text=body)).sync(CALENDAR, "old")
    assert type(refused.value) is expected


async def test_a_first_sync_that_is_refused_is_no_matter_of_tokens() -> None:
    with pytest.raises(ServerRefused) as refused:
        await client_of(lambda _: httpx.Response(410)).sync(CALENDAR)
    assert type(refused.value) is ServerRefused


async def test_sync_without_a_token_in_the_answer() -> None:
    with pytest.raises(RemoteProtocolError):
        await client_of(lambda _: multistatus()).sync(CALENDAR)


_TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=30)
_TAGS = st.sampled_from(["response", "href", "propstat", "prop", "status", "getetag", "sync-token", "error"])


@st.composite
def _trees(draw: st.DrawFn, depth: int = 4) -> str:
    tag = draw(_TAGS)
    inside = draw(_TEXT).replace("&", "").replace("<", "").replace("]]>", "")
    if depth:
        inside += "".join(draw(st.lists(_trees(depth - 1), max_size=3)))
    return f"<d:{tag}>{inside}</d:{tag}>"


@given(st.lists(_trees(), max_size=4))
def test_no_multistatus_raises_anything_but_a_protocol_error(trees: list[str]) -> None:
    body = f'<d:multistatus xmlns:d="DAV:">{"".join(trees)}</d:multistatus>'.encode()
    with contextlib.suppress(ProtocolError):
        answer = read_multistatus(body, httpx.URL(ROOT))
        assert all(entry.url.startswith(("http://", "https://")) for entry in answer.entries)


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_a_protocol_error(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        read_multistatus(body, httpx.URL(ROOT))
