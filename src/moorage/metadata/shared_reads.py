"""One question for all who ask it at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class SharedReads(Generic[T]):
    """Asks on behalf of many: whoever comes while an answer is under way waits for the next one, which is asked after it came.

    So nobody gets an answer that is older than its own question. Belongs to the event loop.
    """

    def __init__(self, ask: Callable[[], Awaitable[T]]) -> None:
        self._ask = ask
        self._next: asyncio.Future[T] | None = None
        self._asking: asyncio.Task[None] | None = None

    async def current(self) -> T:
        """The answer to a question that was asked after this call began. Raises what the question raises."""
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
        waited_for = self._next
        if self._asking is None:
            self._asking = asyncio.create_task(self._run())
        return await asyncio.shield(waited_for)

    async def _run(self) -> None:
        try:
            while self._next is not None:
                waited_for, self._next = self._next, None
                try:
                    answer = await self._ask()
                except BaseException as error:  # whoever waits is told, whatever it is
                    waited_for.set_exception(error)
                    waited_for.exception()  # they may all have left
                    if not isinstance(error, Exception):
                        raise
                else:
                    waited_for.set_result(answer)
        finally:
            self._asking = None
