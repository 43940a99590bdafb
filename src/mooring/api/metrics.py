"""What the doors count, for Prometheus."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from prometheus_client import REGISTRY, Counter, Gauge, Histogram
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from mooring.egress import GuardState
from mooring.webhooks import Backlog

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
"""Seconds: from a page out of the stored copy to an authentication that waits for a filtered server."""

_requests = Counter("mooring_http_requests_total", "Requests answered.", ("method", "route", "status"))
_latency = Histogram(
    "mooring_http_request_seconds", "Seconds from arrival to the last byte.", ("method", "route"), buckets=_BUCKETS_S
)

_undelivered = Gauge("mooring_facts_undelivered", "Facts that wait for some webhook, for each webhook.")
_oldest = Gauge("mooring_facts_oldest_undelivered_seconds", "Age of the oldest of them; 0 when there is none.")
_dead = Gauge("mooring_webhook_dead_letters", "Facts that were given up, until somebody has them sent again.")
_tries = Gauge("mooring_webhook_recent_attempts", "Deliveries tried in the last five minutes.", ("outcome",))


class _Guard(Collector):
    """The guard of the exits as it was last seen; a number that is not known is not there at all."""

    state: GuardState | None = None

    def collect(self) -> Iterator[Metric]:
        if self.state is None:
            return
        told = "1 for what is known of the kernel's guard: counting, dropping, not_applied, unwatched or silent."
        mode = GaugeMetricFamily("mooring_egress_guard", told, labels=("mode",))
        mode.add_metric((self.state.mode,), 1)
        yield mode
        if self.state.leaks is not None:
            yield CounterMetricFamily(
                "mooring_egress_leaks",
                "Connections from addresses of no pool that the kernel counted; absent when nobody tells.",
                value=self.state.leaks,
            )


_berths = Gauge(
    "mooring_egress_connections", "With mail servers, of all processes: open, and waited for.", ("source", "state")
)

_guard = _Guard()
REGISTRY.register(_guard)


def observe_guard(state: GuardState) -> None:
    """Show what the kernel counts at the exits, as far as it is known."""
    _guard.state = state


def observe_berths(counts: Mapping[str, tuple[int, int]]) -> None:
    """Show how full the sources are, by their names; what nobody uses any more is gone."""
    _berths.clear()
    for source, (taken, waiting) in counts.items():
        _berths.labels(source, "open").set(taken)
        _berths.labels(source, "waited_for").set(waiting)


def observe_backlog(backlog: Backlog, now: datetime) -> None:
    """Show what all webhooks together have not delivered yet, and whether they get on."""
    _undelivered.set(backlog.depth)
    _oldest.set(max(0.0, (now - backlog.oldest_at).total_seconds()) if backlog.oldest_at else 0.0)
    _dead.set(backlog.dead)
    _tries.labels("taken").set(backlog.taken)
    _tries.labels("not_taken").set(backlog.not_taken)


def observe(method: str, route: str, status: int, seconds: float) -> None:
    """Count one answer.

    Args:
        route: the template, never a path.
        status: 0 when the caller went away before there was one.
    """
    method = method if method in _METHODS else "other"
    _requests.labels(method, route, str(status)).inc()
    _latency.labels(method, route).observe(seconds)
