"""Every way in which a request can fail is answered in the shape that its client reads, with one request id."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pytest
from structlog.testing import capture_logs

from mooring import errors
from mooring.store import StoreUnavailable
from tests.unit.api.fakes import V2_TOKEN, V3_KEY, World


def failure(*, refused: bool = False, traffic: str = "live") -> errors.ProviderFailure:
    return errors.ProviderFailure(
        "imap.example.com did not answer",
        hint="Check the server's name first.",
        stage="connect",
        reason="timeout",
        host="imap.example.com",
        port=993,
        source="203.0.113.10",
        environment="static",
        server_said="* BYE",
        traffic=traffic,
        refused=refused,
    )


def check_envelope(answer: httpx.Response, status: int, kind: str) -> dict[str, Any]:
    body = answer.json()
    assert (answer.status_code, body["error"]["type"]) == (status, kind)
    assert isinstance(body["error"]["message"], str)
    assert body["error"]["message"]
    assert body["request_id"] == answer.headers["x-request-id"]
    UUID(body["request_id"])
    return body["error"]


TABLE: list[tuple[Exception, int, str]] = [
    (errors.InvalidRequest("No."), 400, "api.invalid_request_error"),
    (errors.Unauthorized("No."), 401, "api.authentication_error"),
    (errors.Forbidden("No."), 403, "api.forbidden_error"),
    (errors.NotFound("No."), 404, "api.not_found_error"),
    (errors.Conflict("No."), 409, "api.conflict_error"),
    (errors.LostOwnership("No."), 409, "api.conflict_error"),
    (errors.TargetNotAllowed("No."), 400, "api.target_not_allowed"),
    (errors.NoSource("No.", reason="empty_pool"), 503, "api.egress_error"),
    (errors.ResolverBusy("No.", reason="resolver_busy"), 503, "api.egress_error"),
    (errors.SourceBusy("No.", reason="busy"), 503, "api.egress_error"),
    (errors.LedgerUnavailable("No.", reason="ledger"), 503, "api.egress_error"),
    (errors.ConnectTimeout("No."), 504, "api.provider_error"),
    (errors.RemoteProtocolError("No."), 504, "api.provider_error"),
    (failure(), 504, "api.provider_error"),
    (failure(refused=True, traffic="live"), 504, "api.provider_error"),
    (failure(refused=True, traffic="send"), 504, "api.provider_error"),
    (failure(refused=False, traffic="auth"), 504, "api.provider_error"),
    (failure(refused=True, traffic="auth"), 400, "api.provider_error"),
    (StoreUnavailable("the pool at 10.0.0.1 is gone"), 503, "api.internal_error"),
    (errors.MooringError("inside"), 500, "api.internal_error"),
    (ZeroDivisionError("inside"), 500, "api.internal_error"),
]


@pytest.mark.parametrize(("error", "status", "kind"), TABLE, ids=lambda v: type(v).__name__ if v else "")
async def test_each_error_has_one_status_and_one_type(
    world: World, v3: httpx.AsyncClient, error: Exception, status: int, kind: str
) -> None:
    world.mailbox.error = error
    with capture_logs():
        answer = await v3.get("/v3/grants/g1/messages")
    found = check_envelope(answer, status, kind)
    assert "inside" not in answer.text
    assert "10.0.0.1" not in answer.text
    assert ("provider_error" in found) == isinstance(error, errors.ProviderFailure)


async def test_a_provider_failure_carries_its_evidence_and_its_hint(world: World, v3: httpx.AsyncClient) -> None:
    world.mailbox.error = failure()
    found = check_envelope(await v3.get("/v3/grants/g1/messages"), 504, "api.provider_error")
    assert found["message"] == "imap.example.com did not answer. Check the server's name first."
    assert found["provider_error"] == {
        "stage": "connect",
        "reason": "timeout",
        "host": "imap.example.com",
        "port": 993,
        "source": "203.0.113.10",
        "environment": "static",
        "server_said": "* BYE",
        "class": "live",
    }


async def test_our_own_exit_is_never_called_a_provider(world: World, v3: httpx.AsyncClient) -> None:
    world.mailbox.error = errors.SourceUnavailable(
        "the source v3-us-1 is not on this host", reason="unplumbed", hint="`mooring egress check` says more."
    )
    answer = await v3.get("/v3/grants/g1/messages")
    check_envelope(answer, 503, "api.egress_error")
    assert "provider" not in answer.text


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/v3/nothing", 404, "api.not_found_error"),
        ("GET", "/", 404, "api.not_found_error"),
        ("GET", "/favicon.ico", 404, "api.not_found_error"),
        ("PUT", "/v3/grants", 405, "api.method_not_allowed"),
        ("BREW", "/v3/grants", 405, "api.method_not_allowed"),
        ("GET", "/v3/connect/custom", 405, "api.method_not_allowed"),
        ("POST", "/healthz", 405, "api.method_not_allowed"),
        ("GET", "/v3/grants/g1/messages/send", 405, "api.method_not_allowed"),
    ],
)
async def test_what_the_router_refuses_is_in_the_envelope(
    v3: httpx.AsyncClient, method: str, path: str, status: int, kind: str
) -> None:
    answer = await v3.request(method, path)
    check_envelope(answer, status, kind)
    assert ("allow" in answer.headers) == (status == 405)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "api.invalid_request_payload"),
        (b"{", "api.invalid_request_payload"),
        (b"\xff", "api.invalid_request_payload"),
        (b'{"provider": NaN}', "api.invalid_request_payload"),
        (b'{"provider": "imap", "settings": {"a": ' + b"[" * 100_000, "api.invalid_request_payload"),
        (b'"\\ud800"', "api.invalid_request_payload"),
        (b"[]", "api.invalid_request_error"),
        (b"null", "api.invalid_request_error"),
        (b"{}", "api.invalid_request_error"),
        (b'{"provider": 1, "settings": {}}', "api.invalid_request_error"),
        (b'{"provider": "imap", "settings": "x"}', "api.invalid_request_error"),
        (b'{"provider": "imap", "settings": {}}', "api.invalid_request_error"),
        (b'{"provider": "google", "settings": {}}', "api.invalid_request_error"),
        (b'{"provider": "imap", "settings": {}, "state": "\\u0000"}', "api.invalid_request_error"),
    ],
)
async def test_a_body_that_cannot_be_meant_is_400(v3: httpx.AsyncClient, body: bytes, kind: str) -> None:
    check_envelope(await v3.post("/v3/connect/custom", content=body), 400, kind)


async def test_a_body_that_is_too_large_is_413(v3: httpx.AsyncClient) -> None:
    answer = await v3.post("/v3/connect/custom", content=b" " * (1024 * 1024 + 1))
    check_envelope(answer, 413, "api.request_too_large")


async def test_a_streamed_body_that_grows_too_large_is_413(v3: httpx.AsyncClient) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * 32 * 1024

    check_envelope(await v3.post("/v3/connect/custom", content=chunks()), 413, "api.request_too_large")


async def test_the_unexpected_is_logged_once_without_secrets(world: World, v3: httpx.AsyncClient) -> None:
    world.mailbox.error = ZeroDivisionError("inside")
    with capture_logs() as logs:
        answer = await v3.get("/v3/grants/g1/messages")
    [entry] = logs
    assert entry["request_id"] == answer.headers["x-request-id"]
    assert "ZeroDivisionError: inside" in entry["exception"]
    assert "exc_info" not in entry
    assert entry["route"] == "/v3/grants/{identifier}/messages"
    assert V3_KEY not in repr(logs)


async def test_what_was_foreseen_is_not_logged(world: World, v3: httpx.AsyncClient) -> None:
    world.mailbox.error = failure()
    with capture_logs() as logs:
        await v3.get("/v3/grants/g1/messages")
    assert logs == []


@pytest.mark.parametrize(
    "path", ["/v3/connect/token", "/v3/connect/tokeninfo", "/v3/connect/revoke", "//v3/connect/token/"]
)
async def test_oauth_paths_answer_the_four_fields(anybody: httpx.AsyncClient, path: str) -> None:
    answer = await anybody.post(f"http://api.test{path}", json={})
    body = answer.json()
    assert {"error", "error_code", "error_description", "error_uri"} <= body.keys()
    assert int(body["error_code"]) == answer.status_code == 404
    assert body["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize(
    ("path", "status", "kind"),
    [
        ("/account", 401, "auth_error"),
        ("/a/app-v2/accounts", 401, "auth_error"),
        ("/a/app-v2/nothing", 404, "invalid_request_error"),
        ("/drafts", 404, "invalid_request_error"),
        ("/connect/token", 405, "invalid_request_error"),
    ],
)
async def test_v2_paths_answer_message_and_type(anybody: httpx.AsyncClient, path: str, status: int, kind: str) -> None:
    answer = await anybody.get(path)
    assert answer.status_code == status
    assert answer.json().keys() == {"message", "type"}
    assert answer.json()["type"] == kind
    assert answer.headers["nylas-api-version"] == "2.5"
    UUID(answer.headers["x-request-id"])


async def test_v2_shows_the_evidence_too(world: World, anybody: httpx.AsyncClient) -> None:
    world.mailbox.error = failure()
    answer = await anybody.get("/messages", headers={"Authorization": V2_TOKEN})
    assert answer.status_code == 504
    assert answer.json()["type"] == "api.provider_error"
    assert answer.json()["provider_error"]["stage"] == "connect"


async def test_every_answer_may_not_be_cached_or_sniffed(v3: httpx.AsyncClient) -> None:
    for path in ("/v3/grants", "/v3/nothing", "/healthz"):
        answer = await v3.get(path)
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"


async def test_a_401_says_how_to_authenticate(anybody: httpx.AsyncClient) -> None:
    answer = await anybody.get("/v3/grants")
    check_envelope(answer, 401, "api.authentication_error")
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_bad_host_header_is_400(v3: httpx.AsyncClient) -> None:
    answer = await v3.get("/v3/grants", headers={"Host": "a b"})
    check_envelope(answer, 400, "api.invalid_request_error")
