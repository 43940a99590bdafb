"""What docs/compatibility.md says of the official Python SDK: which of its methods have a route, and which do not."""

import inspect
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NoReturn
from urllib.parse import urlsplit

from nylas import Client
from nylas.resources.resource import Resource

from mooring.api.v3 import ROUTES
from tests.contract.documents import document

IDENTITY = "an-id"


class Request(Exception):
    """What a method would have asked the API."""


class Recorder:
    """Stands where the SDK has its HTTP client, and asks nobody."""

    api_key = "key"
    api_server = "https://api.test"

    def _execute(
        self, method: str, path: str, headers: Any = None, query_params: Any = None, *_: Any, **__: Any
    ) -> NoReturn:
        raise Request(method, path, query_params)

    def _execute_download_request(self, path: str, *_: Any, **__: Any) -> NoReturn:
        raise Request("GET", path, None)


def resources() -> Iterator[tuple[str, Resource]]:
    """The SDK's resources, those that are part of another one by both names."""
    client = Client("key", api_uri="https://api.test")
    client.http_client = Recorder()  # type: ignore[assignment]
    found = [(name, getattr(client, name)) for name, kind in vars(Client).items() if isinstance(kind, property)]
    for name, resource in found:
        inner = [n for n, kind in vars(type(resource)).items() if isinstance(kind, property)]
        found += [(f"{name}.{n}", getattr(resource, n)) for n in inner]
        yield name, resource


def methods_of(resource: Resource) -> list[str]:
    """Its public methods, without those of the classes that all resources are made from."""
    return [name for name, kind in vars(type(resource)).items() if not name.startswith("_") and callable(kind)]


def asked(method: Any) -> tuple[str, str, Any]:
    """Method, path and query of the request that this method of the SDK makes, or of the URL that it writes."""
    words = {
        name: defaultdict(str) if re.search("body|params|request|config", name) else IDENTITY
        for name, parameter in inspect.signature(method).parameters.items()
        if parameter.default is parameter.empty
    }
    try:
        written = method(**words)
    except Request as request:
        verb, path, query = request.args
        return verb, path, query
    except ValueError:
        return "", "", None  # it wants headers that only Nylas itself knows
    url = urlsplit(written if isinstance(written, str) else written.url)
    return "GET", url.path, None


def has_route(verb: str, path: str, query: Any) -> bool:
    """Whether a route of ours takes this request."""
    if query == {"type": "mime"}:
        return False  # there is a route, which refuses this
    return any(
        verb in map(str, route.http_methods) and re.fullmatch(re.sub(r"{[^}]*}", IDENTITY, template), path)
        for route in ROUTES
        for template in route.paths
    )


def test_what_works_of_the_sdk_and_what_does_not_yet() -> None:
    there: dict[str, tuple[set[str], set[str]]] = {}
    for name, resource in resources():
        methods = methods_of(resource)
        works = {m for m in methods if has_route(*asked(getattr(resource, m)))}
        if methods:
            there[name] = (works, set(methods) - works)
    rows = {row[0].strip("`"): row for row in document("docs/compatibility.md").rows() if row[0].startswith("`")}
    written = {name: tuple(set(re.findall(r"`(\w+)`", cell)) for cell in row[1:]) for name, row in rows.items()}
    assert written == there
