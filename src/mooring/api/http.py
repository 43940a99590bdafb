"""The one table from errors to HTTP, and the three shapes in which an error is written.

No room below the doors knows a status. The table goes by class, most derived first; whatever is not in it
is ours, is logged once with its traceback, and says nothing of the inside to the caller.
"""

import traceback
from dataclasses import dataclass, field
from http import HTTPStatus
from math import ceil
from typing import Any

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException

from mooring import errors
from mooring.api.arrivals import Arrival, Shape, arrival_of, template_of
from mooring.api.errors import InvalidIdempotencyKey, InvalidPayload, RateLimited, RequestTooLarge
from mooring.grants import TooEarly
from mooring.send import KeyInUse, KeyReused, OutcomeUnknown
from mooring.store import StoreUnavailable

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Row:
    """What one class of errors is on the wire.

    Attributes:
        type: the word for machines; ``bare``: the one of v2, where v2 has another.
    """

    status: HTTPStatus
    type: str
    bare: str = ""


_TABLE: dict[type[BaseException], Row] = {
    errors.InvalidRequest: Row(HTTPStatus.BAD_REQUEST, "api.invalid_request_error", "invalid_request_error"),
    InvalidPayload: Row(HTTPStatus.BAD_REQUEST, "api.invalid_request_payload", "invalid_request_error"),
    InvalidIdempotencyKey: Row(HTTPStatus.BAD_REQUEST, "api.invalid_idempotency_key", "invalid_request_error"),
    RequestTooLarge: Row(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "api.request_too_large", "invalid_request_error"),
    errors.Unauthorized: Row(HTTPStatus.UNAUTHORIZED, "api.authentication_error", "auth_error"),
    errors.Forbidden: Row(HTTPStatus.FORBIDDEN, "api.forbidden_error", "invalid_request_error"),
    errors.NotFound: Row(HTTPStatus.NOT_FOUND, "api.not_found_error", "invalid_request_error"),
    errors.Conflict: Row(HTTPStatus.CONFLICT, "api.conflict_error", "invalid_request_error"),
    KeyReused: Row(HTTPStatus.CONFLICT, "api.invalid_idempotent_request", "invalid_request_error"),
    KeyInUse: Row(HTTPStatus.CONFLICT, "api.concurrent_idempotent_request", "invalid_request_error"),
    errors.LostOwnership: Row(HTTPStatus.CONFLICT, "api.conflict_error", "invalid_request_error"),
    RateLimited: Row(HTTPStatus.TOO_MANY_REQUESTS, "rate_limit_error"),
    errors.TargetNotAllowed: Row(HTTPStatus.BAD_REQUEST, "api.target_not_allowed"),
    errors.EgressError: Row(HTTPStatus.SERVICE_UNAVAILABLE, "api.egress_error"),
    errors.ProviderFailure: Row(HTTPStatus.GATEWAY_TIMEOUT, "api.provider_error"),
    errors.NetworkError: Row(HTTPStatus.GATEWAY_TIMEOUT, "api.provider_error"),
    errors.ProtocolError: Row(HTTPStatus.GATEWAY_TIMEOUT, "api.provider_error"),
    StoreUnavailable: Row(HTTPStatus.SERVICE_UNAVAILABLE, "api.internal_error", "api_error"),
}

_FRAMEWORK: dict[int, tuple[Row, str]] = {
    HTTPStatus.NOT_FOUND: (_TABLE[errors.NotFound], "There is nothing at this path."),
    HTTPStatus.METHOD_NOT_ALLOWED: (
        Row(HTTPStatus.METHOD_NOT_ALLOWED, "api.method_not_allowed", "invalid_request_error"),
        "This path does not take this method.",
    ),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: (_TABLE[RequestTooLarge], "The request body is too large."),
}
"""What the framework says by itself, in our words; whatever else it refuses keeps its own."""

_INTERNAL = Row(HTTPStatus.INTERNAL_SERVER_ERROR, "api.internal_error", "api_error")

_AUTHENTICATION = frozenset({"auth", "discovery"})
"""Traffic classes of an authentication: a server that says no there answers the caller's own mistake (spec §6.10)."""

_UNEXPECTED = "Something went wrong on our side; nothing is known to have been done."
_STORE_AWAY = "Our database does not answer just now; nothing is known to have been done. Try again in a moment."


@dataclass(frozen=True, slots=True)
class Problem:
    """An error, ready to be written in any shape.

    Attributes:
        bare_headers: those that only v2 has.
    """

    row: Row
    message: str
    provider_error: dict[str, Any] | None = None
    headers: dict[str, str] = field(default_factory=dict[str, str])
    bare_headers: dict[str, str] = field(default_factory=dict[str, str])

    def headers_for(self, shape: Shape) -> dict[str, str]:
        """The headers of an answer of this shape."""
        return {**self.headers, **self.bare_headers} if shape is Shape.BARE else self.headers


def problem_of(error: BaseException) -> Problem | None:
    """What this error is on the wire; None when it was not foreseen."""
    match error:
        case HTTPException():
            return _framework(error)
        case errors.ProviderFailure():
            return _provider_failure(error)
        case RateLimited():
            return _rate_limited(error)
        case TooEarly():
            wait = {"Retry-After": str(error.seconds_left)}
            return Problem(_TABLE[errors.Conflict], sentence(error), headers=wait)
        case StoreUnavailable():
            return Problem(_TABLE[StoreUnavailable], _STORE_AWAY, headers={"Retry-After": "1"})
        case errors.MooringError():
            row = next((_TABLE[c] for c in type(error).__mro__ if c in _TABLE), None)
            return Problem(row, sentence(error), headers=_challenge(row)) if row else None
        case _:
            return None


def sentence(error: errors.MooringError) -> str:
    """What happened, and as a second sentence what to do next."""
    message = error.message if error.message.endswith((".", "!", "?", "…")) else f"{error.message}."
    return f"{message} {error.hint}".strip() if error.hint else message


def write(problem: Problem, arrival: Arrival) -> bytes:
    """The body of the answer, in the shape that this path's clients read."""
    status = problem.row.status
    match arrival.shape:
        case Shape.OAUTH:
            body: dict[str, Any] = {
                "error": _oauth_word(status),
                "error_code": int(status),
                "error_description": problem.message,
                "error_uri": "",
                "request_id": arrival.request_id,
            }
        case Shape.BARE:
            body = {"message": problem.message, "type": problem.row.bare or problem.row.type}
            if problem.provider_error is not None:
                body["provider_error"] = problem.provider_error
        case Shape.ENVELOPE:
            error: dict[str, Any] = {"type": problem.row.type, "message": problem.message}
            if problem.provider_error is not None:
                error["provider_error"] = problem.provider_error
            body = {"request_id": arrival.request_id, "error": error}
    return msgspec.json.encode(body)


def unexpected(error: BaseException, arrival: Arrival, method: str, template: str) -> Problem:
    """Log what nobody foresaw, once; the answer carries the request id alone.

    The traceback is written here and without local variables, whatever the logs are configured to show: those
    hold passwords and Authorization headers.
    """
    lines = "".join(traceback.format_exception(error))
    log.error("api.unexpected", request_id=arrival.request_id, method=method, route=template, exception=lines)
    return Problem(_INTERNAL, f"{_UNEXPECTED} Request id: {arrival.request_id}.")


def answer_error(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """The answer to a request that failed."""
    arrival = arrival_of(request.scope)
    problem = problem_of(error) or unexpected(error, arrival, request.method, template_of(request.scope))
    return Response(
        write(problem, arrival),
        status_code=problem.row.status,
        media_type="application/json",
        headers=problem.headers_for(arrival.shape),
    )


def _framework(error: HTTPException) -> Problem | None:
    if error.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return None
    refused = _TABLE[errors.InvalidRequest]
    own = Row(HTTPStatus(error.status_code), refused.type, refused.bare)
    row, message = _FRAMEWORK.get(error.status_code, (own, f"{error.detail}."))
    return Problem(row, message, headers=dict(error.headers or {}))


def _provider_failure(error: errors.ProviderFailure) -> Problem:
    row = _TABLE[errors.ProviderFailure]
    if error.refused and error.traffic in _AUTHENTICATION:
        row = Row(HTTPStatus.BAD_REQUEST, row.type)
    elif isinstance(error, OutcomeUnknown) or (error.refused and error.stage == "send"):
        # Not a 5xx, which clients send again by themselves: it was refused for good, or may have been delivered.
        row = Row(HTTPStatus.UNPROCESSABLE_ENTITY, row.type)
    evidence = {
        "stage": error.stage,
        "reason": error.reason,
        "host": error.host,
        "port": error.port,
        "source": error.source,
        "environment": error.environment,
        "server_said": error.server_said,
        "class": error.traffic,
    }
    return Problem(row, sentence(error), provider_error=evidence)


def _rate_limited(error: RateLimited) -> Problem:
    """Whole seconds, rounded up: who comes back earlier is refused again."""
    wait_s = str(ceil(error.wait_s))
    bare = {"X-RateLimit-Limit": str(error.limit), "X-RateLimit-Reset": wait_s}
    return Problem(_TABLE[RateLimited], sentence(error), headers={"Retry-After": wait_s}, bare_headers=bare)


def _challenge(row: Row) -> dict[str, str]:
    """RFC 9110 §11.6.1: a 401 says how to authenticate."""
    return {"WWW-Authenticate": "Bearer"} if row.status is HTTPStatus.UNAUTHORIZED else {}


def _oauth_word(status: HTTPStatus) -> str:
    """RFC 6749 §5.2, and §4.1.2.1 for the two that are not the caller's fault."""
    match status:
        case HTTPStatus.UNAUTHORIZED:
            return "invalid_client"
        case HTTPStatus.SERVICE_UNAVAILABLE | HTTPStatus.GATEWAY_TIMEOUT | HTTPStatus.TOO_MANY_REQUESTS:
            return "temporarily_unavailable"
        case HTTPStatus.INTERNAL_SERVER_ERROR:
            return "server_error"
        case _:
            return "invalid_request"
