"""A wait that can be cut short from outside."""

import asyncio
from collections.abc import Coroutine
from typing import Any

_STIRRED = "stirred"
"""What a wait is cancelled with, so that it is told from the end of the task itself."""


class Rest:
    """One wait at a time, in the task that waits; no other task is there while nobody does."""

    def __init__(self) -> None:
        self._waiting: asyncio.Future[object] | None = None

    def stir(self) -> None:
        """End the wait, if there is one."""
        if self._waiting is not None:
            self._waiting.cancel(_STIRRED)

    async def undisturbed(self, news: Coroutine[Any, Any, object]) -> bool:
        """Wait for news; False when ``stir`` cut the wait short."""
        self._waiting = asyncio.ensure_future(news)
        try:
            await self._waiting
        except asyncio.CancelledError as e:
            if e.args != (_STIRRED,):
                self._waiting.cancel()
                raise
            return False
        finally:
            self._waiting = None
        return True
