"""The OpenAPI document, made from the routes' own declarations, and a page that shows it without any script."""

import html
import inspect
import re
from collections.abc import Iterable
from typing import Any, cast

import msgspec
from litestar.handlers import HTTPRouteHandler
from litestar.response.base import ASGIResponse

from mooring.api.answers import encoded
from mooring.api.doors import Doc, door

_VERSION = "3.1.0"
_REFERENCE = "#/components/schemas/{name}"
_PARAMETER = re.compile(r"\{([a-z_]+):[a-z]+\}")

_ERROR: dict[str, Any] = {
    "type": "object",
    "required": ["request_id", "error"],
    "properties": {
        "request_id": {"type": "string"},
        "error": {
            "type": "object",
            "required": ["type", "message"],
            "properties": {
                "type": {"type": "string"},
                "message": {"type": "string"},
                "provider_error": {"type": "object"},
            },
        },
    },
}

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Mooring API</title><style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }}
code {{ font-size: 90% }} td {{ padding: .2rem 1rem .2rem 0; vertical-align: top }} small {{ color: #666 }}
</style></head><body><h1>Mooring API</h1>
<p>The same as a machine reads it: <a href="/docs/openapi.json">openapi.json</a> (OpenAPI {version}).</p>
<table>{rows}</table></body></html>
"""


def document(handlers: Iterable[HTTPRouteHandler]) -> dict[str, Any]:
    """The OpenAPI document of these routes."""
    documented = [(handler, cast("Doc", handler.opt["doc"])) for handler in handlers if "doc" in handler.opt]
    kinds = [kind for _, doc in documented for kind in (doc.answer, doc.body) if not isinstance(kind, str | None)]
    schemas, components = msgspec.json.schema_components(kinds, ref_template=_REFERENCE)
    by_kind = dict(zip(kinds, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for handler, doc in documented:
        for path in handler.paths:
            methods = paths.setdefault(_PARAMETER.sub(r"{\1}", path), {})
            for method in handler.http_methods:
                methods[str(method).lower()] = _operation(handler, doc, path, by_kind)
    return {
        "openapi": _VERSION,
        "info": {"title": "Mooring", "version": "1"},
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": {**components, "Error": _ERROR},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def page(openapi: dict[str, Any]) -> str:
    """The document as HTML."""
    rows = [
        f"<tr><td><code>{method.upper()}</code></td><td><code>{html.escape(path)}</code></td>"
        f"<td>{html.escape(operation['summary'])}<br><small>{html.escape(_query_names(operation))}</small></td></tr>"
        for path, methods in openapi["paths"].items()
        for method, operation in methods.items()
    ]
    return _PAGE.format(version=_VERSION, rows="\n".join(rows))


def docs_routes(handlers: Iterable[HTTPRouteHandler]) -> tuple[HTTPRouteHandler, ...]:
    """The two paths below ``/docs``; the document is made once."""
    openapi = document(handlers)
    shown = page(openapi)

    @door("GET", "/docs", answer="text/html", secured=False)
    async def docs() -> ASGIResponse:
        """Show this API."""
        return ASGIResponse(body=shown, media_type="text/html")

    @door("GET", "/docs/openapi.json", answer=dict[str, Any], secured=False)
    async def openapi_json() -> ASGIResponse:
        """This API as an OpenAPI document."""
        return encoded(openapi)

    return docs, openapi_json


def _operation(handler: HTTPRouteHandler, doc: Doc, path: str, schemas: dict[Any, Any]) -> dict[str, Any]:
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PARAMETER.findall(path)
    ] + [{"name": name, "in": "query", "schema": {"type": "string"}} for name in doc.query]
    is_media_type = isinstance(doc.answer, str)
    media = doc.answer if is_media_type else "application/json"
    schema: Any = {} if is_media_type else schemas[doc.answer]
    operation: dict[str, Any] = {
        "summary": (inspect.getdoc(handler.fn) or "").partition("\n")[0],
        "operationId": handler.fn.__name__,
        "parameters": parameters,
        "responses": {
            str(doc.status): {"description": "It went well.", "content": {media: {"schema": schema}}},
            "default": {
                "description": "It did not; the error says why, and what to do.",
                "content": {"application/json": {"schema": {"$ref": _REFERENCE.format(name="Error")}}},
            },
        },
    }
    if doc.body is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schemas[doc.body]}}}
    if doc.secured:
        operation["security"] = [{"key": []}]
    return operation


def _query_names(operation: dict[str, Any]) -> str:
    names = [p["name"] for p in operation["parameters"] if p["in"] == "query"]
    return "?" + ", ".join(names) if names else ""
