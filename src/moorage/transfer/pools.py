"""Named pools of threads for work that blocks: each kind of work has its own, so that slow uploads never delay a token check.

A pool differs from `concurrent.futures.ThreadPoolExecutor` in two ways that the byte path needs. A call that has begun is always
awaited to its end, also when the task that asked for it is cancelled, so nobody closes a descriptor or frees a buffer that a
thread still uses. And the hop is short: one queue and one callback on the loop, about half of the time `run_in_executor` takes.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")

TRANSFER_THREADS = max(2, min(32, 2 * (os.cpu_count() or 1)))
"""Threads for bytes: twice the cores. More were measured to be slower, fewer leave a core idle while a disk is waited for."""


class PoolClosed(RuntimeError):
    """The pool takes no more calls: the process is ending."""


class _Call:
    """One call on its way through a pool. Fields change only under the pool's lock, or on the loop once `ended` is set."""

    __slots__ = ("arguments", "begun", "dropped", "ended", "error", "function", "loop", "value", "waiter")

    def __init__(self, loop: asyncio.AbstractEventLoop, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self.loop = loop
        self.function = function
        self.arguments = arguments
        self.begun = False
        self.dropped = False
        self.ended = False
        self.value: Any = None
        self.error: BaseException | None = None
        self.waiter: asyncio.Future[None] = loop.create_future()

    def run(self) -> None:
        """In the thread: call, and keep what came of it."""
        try:
            self.value = self.function(*self.arguments)
        except BaseException as error:  # it belongs to the task that waits, whatever it is
            self.error = error

    def tell(self) -> None:
        """In the thread: have the loop see that it has let go."""
        try:
            self.loop.call_soon_threadsafe(self.finish)
        except RuntimeError:
            # The loop is closed: nobody waits any more.
            self.error = self.value = None

    def finish(self) -> None:
        """On the loop: the thread has let go."""
        self.ended = True
        if not self.waiter.done():
            self.waiter.set_result(None)


class Pool:
    """A fixed number of daemon threads called `name`-0, `name`-1 and so on, started when first needed."""

    def __init__(self, name: str, threads: int = TRANSFER_THREADS) -> None:
        self.name = name
        self.size = threads
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._waiting = 0
        self._running = 0
        self._closed = False

    @property
    def waiting(self) -> int:
        """Calls that no thread has begun: the gauge to watch."""
        return self._waiting

    @property
    def running(self) -> int:
        """Calls that a thread is busy with."""
        return self._running

    async def run(self, function: Callable[..., T], *arguments: Any, interrupt: Callable[[], None] | None = None) -> T:
        """Call `function` in a thread and return what it returns, or raise what it raises.

        Cancellation before the call has begun drops it. Afterwards `interrupt` is called (on the loop, to ask the function to
        come to an end soon), the call is awaited to its end, and then CancelledError is raised.

        Raises:
            PoolClosed: after `close`.
        """
        loop = asyncio.get_running_loop()
        call = _Call(loop, function, arguments)
        self._submit(call)
        cancelled: asyncio.CancelledError | None = None
        while not call.ended:
            if call.waiter.done():
                call.waiter = loop.create_future()
            try:
                await call.waiter
            except asyncio.CancelledError as error:
                if self._drop(call):
                    raise
                cancelled = error
                if interrupt is not None:
                    interrupt()
        if cancelled is not None:
            raise cancelled
        if call.error is not None:
            try:
                raise call.error
            finally:
                call.error = None  # the traceback would keep this frame, and it the call
        value: T = call.value
        return value

    def close(self, timeout_seconds: float = 5.0) -> None:
        """Let calls that have begun end, drop the others' threads; wait at most `timeout_seconds` for each thread. Idempotent."""
        with self._lock:
            self._closed = True
            threads = list(self._threads)
        for _ in threads:
            self._calls.put(None)
        for thread in threads:
            thread.join(timeout_seconds)

    def _submit(self, call: _Call) -> None:
        with self._lock:
            if self._closed:
                raise PoolClosed(self.name)
            self._waiting += 1
            if self._waiting + self._running > len(self._threads) and len(self._threads) < self.size:
                thread = threading.Thread(target=self._work, name=f"{self.name}-{len(self._threads)}", daemon=True)
                self._threads.append(thread)
                thread.start()
        self._calls.put(call)

    def _drop(self, call: _Call) -> bool:
        with self._lock:
            if call.begun or call.dropped:
                return call.dropped
            call.dropped = True
            self._waiting -= 1
        return True

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            with self._lock:
                if call.dropped:
                    continue
                call.begun = True
                self._waiting -= 1
                self._running += 1
            call.run()
            with self._lock:
                self._running -= 1
            call.tell()
            del call  # or the last call's arguments live until the next one
