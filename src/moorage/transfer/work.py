"""Where blocking work runs: one pool for each kind, never shared."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from moorage.transfer.pools import TRANSFER_THREADS, Pool

P = ParamSpec("P")
T = TypeVar("T")

REMOTE_THREADS = 24
"""Threads for bytes where the store is across a network: most of the time they wait for it."""


class Pools:
    """`transfers` works on connections, `bytes` on the store, `cpu` parses and hashes what is too big for the event loop.

    Args:
        remote: the blob store is across a network, so more threads wait than work.
    """

    def __init__(self, *, remote: bool) -> None:
        threads = REMOTE_THREADS if remote else TRANSFER_THREADS
        self.transfers = Pool("transfers", threads)
        self.bytes = Pool("bytes", threads)
        self.cpu = ThreadPoolExecutor(os.cpu_count() or 2, thread_name_prefix="cpu")

    async def on_bytes(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a blocking function of the store. It is awaited to its end even when the task is cancelled."""
        return await self.bytes.run(partial(function, *args, **kwargs))

    async def on_cpu(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a computation that would hold the event loop up."""
        return await asyncio.get_running_loop().run_in_executor(self.cpu, partial(function, *args, **kwargs))

    def close(self) -> None:
        """Wait for what runs."""
        self.transfers.close()
        self.bytes.close()
        self.cpu.shutdown()
