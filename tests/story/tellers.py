"""The official SDKs of v3, as a story tells them what to do."""

import json
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from nylas.models.errors import NylasApiError

from tests.running import Running

SCRIPT = Path(__file__).parents[1] / "node" / "story.js"


@dataclass(frozen=True)
class Answer:
    """What a call came to: its data, or an error as the SDK tells it."""

    data: Any = None
    status: int = 200
    type: str = ""
    provider_error: dict[str, Any] = field(default_factory=dict[str, Any])


class Teller(Protocol):
    """An official SDK."""

    def connect(self, settings: dict[str, Any]) -> Answer: ...
    def read(self, grant: str) -> Answer: ...
    def calendars(self, grant: str) -> Answer: ...
    def send(self, grant: str, to: str) -> Answer: ...


class Python:
    """nylas 6 of PyPI."""

    def __init__(self, mooring: Running) -> None:
        self._sdk = mooring.sdk

    def connect(self, settings: dict[str, Any]) -> Answer:
        return self._told(
            lambda: {"id": self._sdk.auth.custom_authentication({"provider": "imap", "settings": settings}).data.id}
        )

    def read(self, grant: str) -> Answer:
        query: Any = {"limit": 5}
        return self._told(lambda: [m.id for m in self._sdk.messages.list(grant, query_params=query).data])

    def calendars(self, grant: str) -> Answer:
        return self._told(lambda: [c.name for c in self._sdk.calendars.list(grant).data])

    def send(self, grant: str, to: str) -> Answer:
        letter = {"to": [{"email": to}], "subject": "By Python", "body": "<p>Hello</p>"}
        return self._told(lambda: self._sdk.messages.send(grant, request_body=letter).data.id)  # pyright: ignore[reportArgumentType]

    def _told(self, call: Any) -> Answer:
        try:
            return Answer(call())
        except NylasApiError as e:
            return Answer(None, e.status_code or 0, e.type or "", e.provider_error or {})


class Node:
    """nylas 8 of npm."""

    def __init__(self, mooring: Running) -> None:
        self._mooring = mooring
        self._node = shutil.which("node") or "node"

    def connect(self, settings: dict[str, Any]) -> Answer:
        return self._told("connect", json.dumps(settings))

    def read(self, grant: str) -> Answer:
        return self._told("read", grant)

    def calendars(self, grant: str) -> Answer:
        return self._told("calendars", grant)

    def send(self, grant: str, to: str) -> Answer:
        return self._told("send", grant, to)

    def _told(self, *words: str) -> Answer:
        done = subprocess.run(
            [self._node, str(SCRIPT), self._mooring.url, self._mooring.api_key, *words],
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        if "data" in told:
            return Answer(told["data"])
        return Answer(None, told["status"], told["type"], _snake(told["provider_error"] or {}))


def _snake(told: dict[str, Any]) -> dict[str, Any]:
    """The Node SDK tells every key in camel case."""
    return {"".join(f"_{c.lower()}" if c.isupper() else c for c in key): value for key, value in told.items()}
