"""Named pools of threads, never shared between kinds of work: forty slow uploads must not delay a token check."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Pools:
    """`turns` works on connections, `bytes` on files and the store, `cpu` parses and hashes what is too big for the
    event loop.
    """

    def __init__(self, byte_threads: int | None = None) -> None:
        cores = os.cpu_count() or 2
        self.turns = ThreadPoolExecutor(byte_threads or 2 * cores, thread_name_prefix="turns")
        self.bytes = ThreadPoolExecutor(byte_threads or 2 * cores, thread_name_prefix="bytes")
        self.cpu = ThreadPoolExecutor(cores, thread_name_prefix="cpu")

    async def on_bytes(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a blocking function of the byte path."""
        return await asyncio.get_running_loop().run_in_executor(self.bytes, partial(function, *args, **kwargs))

    async def on_cpu(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a computation that would hold the event loop up."""
        return await asyncio.get_running_loop().run_in_executor(self.cpu, partial(function, *args, **kwargs))

    def close(self) -> None:
        """Wait for what runs."""
        self.turns.shutdown()
        self.bytes.shutdown()
        self.cpu.shutdown()
