"""The demonstration as a customer of the API: plain requests, as any program would make them."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from mooring.demo.errors import NotAsTold

READY_S = 30.0
"""Seconds until the API answers for the first time."""
ANSWER_S = 45.0
"""Seconds for one answer; a filtered read is due within 40 (spec §6.8)."""
LOOK_S = 0.2
"""Seconds between two looks at what is awaited."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API answered.

    Attributes:
        synced_at: how fresh the stored copy is; "" when the answer came live from the server.
    """

    status: int
    body: dict[str, Any]
    synced_at: str

    @property
    def data(self) -> Any:
        """What was asked for.

        Raises:
            NotAsTold: the answer is an error.
        """
        if "data" not in self.body:
            raise NotAsTold(f"the API answered {self.status}: {self.error.get('message', 'without a word')}")
        return self.body["data"]

    @property
    def error(self) -> dict[str, Any]:
        """What went wrong; empty if nothing did."""
        return self.body.get("error") or {}


class Client:
    """Calls the API with one application's key."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def get(self, path: str, **query: str | int) -> Answer:
        """GET, whatever the answer is."""
        return await self._ask("GET", path, params=query)

    async def post(self, path: str, body: dict[str, Any]) -> Answer:
        """POST a JSON body, whatever the answer is."""
        return await self._ask("POST", path, json=body)

    async def wait_until_ready(self) -> None:
        """Return when the API can do its work.

        Raises:
            NotAsTold: that takes too long.
        """
        try:
            async with asyncio.timeout(READY_S):
                while True:
                    if await self._is_ready():
                        return
                    await asyncio.sleep(LOOK_S)
        except TimeoutError:
            raise NotAsTold(f"the API did not become ready within {READY_S:.0f} s") from None

    async def _ask(self, method: str, path: str, **content: Any) -> Answer:
        try:
            response = await self._http.request(method, path, **content)
            return Answer(response.status_code, response.json(), response.headers.get("x-mooring-synced-at", ""))
        except httpx.TransportError as e:
            raise NotAsTold(f"{method} {path} was not answered: {e or type(e).__name__}") from e
        except ValueError as e:
            raise NotAsTold(f"{method} {path} was answered with something else than JSON") from e

    async def _is_ready(self) -> bool:
        try:
            return (await self._http.get("/readyz")).is_success
        except httpx.TransportError:
            return False


@asynccontextmanager
async def open_client(url: str, api_key: str) -> AsyncGenerator[Client]:
    """A client of the API at ``url``, for as long as the block lasts."""
    headers = {"Authorization": f"Bearer {api_key}"}
    # The API is on this machine; no proxy of the environment has a part in it.
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=ANSWER_S, trust_env=False) as http:
        yield Client(http)
