"""What the doors count, for Prometheus."""

from prometheus_client import Counter, Histogram

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
"""Seconds: from a page out of the stored copy to an authentication that waits for a filtered server."""

_requests = Counter("mooring_http_requests_total", "Requests answered.", ("method", "route", "status"))
_latency = Histogram(
    "mooring_http_request_seconds", "Seconds from arrival to the last byte.", ("method", "route"), buckets=_BUCKETS_S
)


def observe(method: str, route: str, status: int, seconds: float) -> None:
    """Count one answer.

    Args:
        route: the template, never a path.
        status: 0 when the caller went away before there was one.
    """
    method = method if method in _METHODS else "other"
    _requests.labels(method, route, str(status)).inc()
    _latency.labels(method, route).observe(seconds)
