"""One question for all who ask it at the same time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")

logger = logging.getLogger("moorage.database")


class SharedReads(Generic[T]):
    """Asks on behalf of many: whoever comes while an answer is under way waits for the next one, which is asked after it came.

    So nobody gets an answer that is older than its own question. Belongs to the event loop.
    """

    def __init__(self, ask: Callable[[], Awaitable[T]]) -> None:
        self._ask = ask
        self._waiting: list[Callable[[T | None], None]] = []
        self._asking: asyncio.Task[None] | None = None

    def then(self, tell: Callable[[T | None], None]) -> None:
        """Have `tell` called with the answer to a question that is asked from now on; with None if there is no answer."""
        self._waiting.append(tell)
        if self._asking is None:
            self._asking = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while self._waiting:
            waiting, self._waiting = self._waiting, []
            answer = None
            try:
                answer = await self._ask()
            except Exception:
                logger.warning("what many wait for could not be asked", exc_info=logger.isEnabledFor(logging.DEBUG))
            finally:
                loop = asyncio.get_running_loop()
                for tell in waiting:
                    loop.call_soon(tell, answer)  # each by itself: what one does is no business of the others
        self._asking = None
