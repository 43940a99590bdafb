"""The style sheet, the scripts and the mark: read once, named with what is in them, kept by browsers."""

import hashlib
from pathlib import Path

from litestar import Response

from mooring.dashboard.doors import Req, route
from mooring.errors import NotFound
from mooring.reports import STYLE

_FOLDER = Path(__file__).with_name("static")
_KINDS = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
_FILES = {path.name: path.read_bytes() for path in sorted(_FOLDER.iterdir()) if path.suffix in _KINDS}
# What looks the same in a report is written once.
_FILES["dashboard.css"] = STYLE.encode() + b"\n" + _FILES["dashboard.css"]
_DIGESTS = {name: hashlib.sha256(content).hexdigest()[:12] for name, content in _FILES.items()}


def address(name: str) -> str:
    """Where a file is served; another address once it has changed."""
    return f"/dashboard/static/{name}?v={_DIGESTS[name]}"


@route("GET", "/dashboard/static/{name:str}")
async def static(request: Req) -> Response[bytes]:
    name = request.path_params["name"]
    if name not in _FILES:
        raise NotFound("There is no such file.")
    return Response(
        _FILES[name],
        media_type=_KINDS[Path(name).suffix],
        headers={"Cache-Control": "public, max-age=31536000, immutable"},
    )


ROUTES = (static,)
