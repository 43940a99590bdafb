"""What machines ask about this process, and what address a caller comes from."""

from contextlib import suppress

from litestar.response.base import ASGIResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from mooring.api.answers import encoded
from mooring.api.callers import address_of
from mooring.api.doors import Req, door, services_of
from mooring.api.metrics import observe_backlog, observe_berths, observe_guard
from mooring.store import StoreUnavailable

_TEXT = "text/plain"


@door("GET", "/healthz", answer=dict[str, str], secured=False)
async def healthz() -> ASGIResponse:
    """Whether this process runs."""
    return encoded({"status": "ok"})


@door("GET", "/readyz", answer=dict[str, str], secured=False)
async def readyz(request: Req) -> ASGIResponse:
    """Whether this process can do its work now; 503 when it cannot."""
    ready = await services_of(request).ready()
    return encoded({"status": "ready"}) if ready else encoded({"status": "not ready"}, status=503)


@door("GET", "/metrics", answer=_TEXT, secured=False)
async def metrics(request: Req) -> ASGIResponse:
    """What this process counted, and what waits to be delivered, for Prometheus."""
    services = services_of(request)
    observe_guard(services.guard())
    # What this process counted is worth telling while the database is away, too.
    with suppress(StoreUnavailable):
        observe_backlog(await services.webhooks.backlog(), services.clock.now())
        observe_berths(await services.berths())
    return ASGIResponse(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})


@door("GET", "/reflect", answer=_TEXT, secured=False)
async def reflect(request: Req) -> ASGIResponse:
    """The address that this request came from, as plain text."""
    return ASGIResponse(body=f"{address_of(request)}\n", media_type=_TEXT)


ROUTES = (healthz, readyz, metrics, reflect)
