"""Whatever is asked, the answer has the shape that the path's clients read, and one request id in body and header."""

from dataclasses import dataclass, replace
from typing import Any, cast
from urllib.parse import quote
from uuid import UUID

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from litestar.exceptions import (
    ClientException,
    HTTPException,
    ImproperlyConfiguredException,
    InternalServerException,
    MethodNotAllowedException,
    NotFoundException,
    PermissionDeniedException,
    TooManyRequestsException,
    ValidationException,
)
from structlog.testing import capture_logs

from mooring.api import create_app
from mooring.api.arrivals import Arrival, Shape
from mooring.api.errors import RateLimited
from mooring.api.frame import Frame
from mooring.api.http import problem_of, write
from mooring.clock import SystemClock
from tests.unit.api.fakes import V2_TOKEN, World

OAUTH = ("/v3/connect/token", "/v3/connect/tokeninfo", "/v3/connect/revoke")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "BREW")


def check(answer: httpx.Response, shape: Shape, status: int) -> dict[str, Any]:
    """The error of an answer, which is one of this shape and status."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/json")
    body = answer.json()
    identity = answer.headers["x-request-id"]
    UUID(identity)
    match shape:
        case Shape.ENVELOPE:
            assert body.keys() == {"request_id", "error"}
            assert body["request_id"] == identity
            assert body["error"].keys() - {"provider_error"} == {"type", "message"}
            assert body["error"]["message"]
        case Shape.OAUTH:
            assert body.keys() == {"error", "error_code", "error_description", "error_uri", "request_id"}
            assert body["request_id"] == identity
            assert int(body["error_code"]) == status
            assert body["error_description"]
        case Shape.BARE:
            assert body.keys() - {"provider_error"} == {"message", "type"}
            assert body["message"]
    return body


def shape_of(path: str) -> Shape:
    if path in OAUTH:
        return Shape.OAUTH
    return Shape.ENVELOPE if path.startswith("/v3") else Shape.BARE


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("path", [*OAUTH, "/v3/nothing", "/v3/grants/g1/nothing", "/drafts", "/a/app-v2/nothing"])
async def test_where_there_is_nothing(v3: httpx.AsyncClient, method: str, path: str) -> None:
    check(await v3.request(method, path), shape_of(path), 404)


@pytest.mark.parametrize("path", OAUTH)
@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"{", "application/json"),
        (b"grant_type=refresh_token&refresh_token=x", "application/x-www-form-urlencoded"),
        (b"--x", "multipart/form-data; boundary=x"),
        (b" " * (1 << 21), "application/json"),
    ],
    ids=["broken JSON", "a form", "broken multipart", "too much"],
)
async def test_oauth_paths_whatever_is_sent_to_them(
    v3: httpx.AsyncClient, path: str, body: bytes, content_type: str
) -> None:
    check(await v3.post(path, content=body, headers={"Content-Type": content_type}), Shape.OAUTH, 404)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", "/v3/grants", b"", 405),
        ("DELETE", "/v3/connect/custom", b"", 405),
        ("GET", "/v3/grants/g1/messages/send", b"", 405),
        ("GET", "/connect/authorize", b"", 405),
        ("POST", "/v3/connect/custom", b"", 400),
        ("POST", "/v3/connect/custom", b"{", 400),
        ("POST", "/v3/connect/custom", b"\xff\xfe", 400),
        ("POST", "/v3/connect/custom", b"NaN", 400),
        ("POST", "/v3/connect/custom", b"[]", 400),
        ("POST", "/v3/connect/custom", b'{"provider": 1, "settings": {}}', 400),
        ("POST", "/v3/connect/custom", b"[" * 100_000, 400),
        ("POST", "/v3/connect/custom", b" " * ((1 << 20) + 1), 413),
        ("PATCH", "/v3/grants/g1", b'{"settings": []}', 400),
        ("POST", "/v3/grants/g1/messages/send", b'{"to": "a@b.c"}', 400),
        ("POST", "/v3/grants/g1/messages/send", b"{" + b" " * (37 << 20), 413),
        ("GET", "/v3/grants/g1/messages?limit=x", b"", 400),
        ("GET", "/v3/grants/g1/messages?page_token=%00", b"", 400),
        ("GET", "/v3/grants/g1/messages?" + "&".join(["a=b"] * 300), b"", 400),
        ("GET", "/v3/grants/g1/attachments/att1", b"", 400),
        ("POST", "/connect/authorize", b"{", 400),
        ("POST", "/connect/token", b"{}", 400),
        ("POST", "/connect/token", b" " * ((1 << 20) + 1), 413),
    ],
)
async def test_what_cannot_be_meant(v3: httpx.AsyncClient, method: str, path: str, body: bytes, status: int) -> None:
    check(await v3.request(method, path, content=body), shape_of(path), status)


FRAMEWORK = [
    (ValidationException("A field is wrong"), 400),
    (ClientException("A client is wrong"), 400),
    (PermissionDeniedException("No"), 403),
    (NotFoundException("No"), 404),
    (MethodNotAllowedException("No"), 405),
    (HTTPException("Too big", status_code=413), 413),
    (HTTPException("No such media type", status_code=415), 415),
    (HTTPException("Not to be processed", status_code=422), 422),
    (TooManyRequestsException("Slower"), 429),
    (RateLimited("Too many.", limit=1, wait_s=1.5), 429),
    (InternalServerException("inside"), 500),
    (ImproperlyConfiguredException("inside"), 500),
    (HTTPException("inside", status_code=599), 500),
    (KeyError("inside"), 500),
]


@pytest.mark.parametrize(("error", "status"), FRAMEWORK, ids=lambda v: f"{type(v).__name__}" if v else "")
@pytest.mark.parametrize(
    ("path", "headers"), [("/v3/grants/g1/messages", {}), ("/messages", {"Authorization": V2_TOKEN})], ids=["v3", "v2"]
)
async def test_what_the_framework_raises(
    world: World, v3: httpx.AsyncClient, error: Exception, status: int, path: str, headers: dict[str, str]
) -> None:
    world.mailbox.error = error
    world.offsets.error = error
    with capture_logs():
        answer = await v3.get(path, headers=headers)
    check(answer, shape_of(path), status)
    assert "inside" not in answer.text


@pytest.mark.parametrize("path", ["/v3/grants", "/account", *OAUTH])
async def test_what_breaks_outside_of_the_framework(path: str) -> None:
    async def broken(scope: Any, receive: Any, send: Any) -> None:
        raise ZeroDivisionError("inside")

    app = cast("Any", Frame(broken, SystemClock()))
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://api.test") as client:
        with capture_logs() as logs:
            answer = await client.get(path)
    check(answer, shape_of(path), 500)
    assert "inside" not in answer.text
    assert [entry["request_id"] for entry in logs] == [answer.headers["x-request-id"]]


@pytest.mark.parametrize("error", [e for e, status in FRAMEWORK if status < 500], ids=lambda e: type(e).__name__)
def test_each_of_them_in_oauth_s_shape_has_the_four_fields(error: Exception) -> None:
    problem = problem_of(error)
    assert problem is not None
    answer = httpx.Response(
        problem.row.status,
        content=write(problem, Arrival("5c8a2c4e-0000-4000-8000-000000000000", Shape.OAUTH)),
        headers={"x-request-id": "5c8a2c4e-0000-4000-8000-000000000000", "content-type": "application/json"},
    )
    check(answer, Shape.OAUTH, problem.row.status)


@dataclass
class StoppedClock:
    """Always the same moment."""

    def now(self) -> Any:
        return SystemClock().now()

    def monotonic(self) -> float:
        return 7.0


@pytest.mark.parametrize(
    ("path", "token"),
    [("/v3/grants", "v3-key"), ("/v3/grants/g1/folders", "v3-key"), ("/messages", V2_TOKEN), ("/v3/grants", "wrong")],
)
async def test_who_calls_too_often_is_told_so_in_the_same_shape(path: str, token: str) -> None:
    app = create_app(replace(World().services(), clock=StoppedClock()))
    transport = httpx.ASGITransport(app=cast("Any", app))
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://api.test", headers=headers) as client:
        answers = [await client.get(path) for _ in range(420)]
    check(answers[-1], shape_of(path), 429)
    assert len({answer.headers["x-request-id"] for answer in answers}) == len(answers)


SEGMENTS = ["v3", "grants", "g1", "connect", "token", "messages", "send", "a", "me", "%2F", "..", "%00", "%", "%ff"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)
@given(
    st.sampled_from([*METHODS, "HEAD", "OPTIONS"]),
    st.lists(st.sampled_from(SEGMENTS) | st.text(max_size=4).map(lambda t: quote(t, safe="", errors="replace"))),
    st.binary(max_size=20),
)
async def test_any_request_is_answered_in_json_with_its_id(
    v3: httpx.AsyncClient, method: str, segments: list[str], body: bytes
) -> None:
    answer = await v3.request(method, "http://api.test/" + "/".join(segments), content=body)
    UUID(answer.headers["x-request-id"])
    if answer.status_code >= 400 and method != "HEAD":
        error = answer.json()
        is_bare = error.keys() - {"provider_error"} == {"message", "type"}
        assert is_bare or (error["request_id"] == answer.headers["x-request-id"] and error["error"])
