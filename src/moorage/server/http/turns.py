"""Turns of a thread on a connection's descriptor, and what the event loop does between two of them.

A turn runs in the pool for bytes. It ends early when the peer blocks; then the event loop waits for the descriptor and queues
another turn. So a slow peer never holds a thread, and big transfers share the pool fairly.
"""

from __future__ import annotations

import asyncio
import enum
import fcntl
import select
import socket
import struct
import termios
from typing import Protocol

from moorage.transfer.pools import Pool


class Step(enum.Enum):
    """How a turn ended."""

    MORE = enum.auto()
    """The turn is used up, the peer keeps pace."""
    BLOCKED = enum.auto()
    """The peer has to move first."""
    DONE = enum.auto()
    """All that was to be moved has been moved."""
    GONE = enum.auto()
    """The peer has left, or the transfer was interrupted."""
    STALLED = enum.auto()
    """The peer has not moved for too long. Said by `take_turns` only."""
    BROKEN = enum.auto()
    """What the peer sent is not HTTP."""


class Turns(Protocol):
    """A transfer that is done turn by turn."""

    events: int
    """``select.POLLIN`` or ``select.POLLOUT``: what the descriptor must be ready for."""
    moved: int
    """Bytes so far, framing included."""

    def take(self) -> Step:
        """One turn. Blocks for a moment at most, apart from the source or sink itself."""

    def interrupt(self) -> None:
        """Ask a running turn to end soon. From any thread."""


async def take_turns(turns: Turns, connection: socket.socket, pool: Pool, stall_seconds: float, stall_bytes: int = 1) -> Step:
    """Take turns until the transfer has come to an end: DONE, GONE, STALLED or BROKEN. Raises what source or sink raise.

    When this returns or raises, also by cancellation, no thread uses the descriptor, the source or the sink.

    Args:
        stall_bytes: how much has to be received within `stall_seconds`.
    """
    loop = asyncio.get_running_loop()
    marked, due = 0, loop.time() + stall_seconds
    while True:
        step = await pool.run(turns.take, interrupt=turns.interrupt)
        if step is not Step.BLOCKED:
            if step is not Step.MORE:
                return step
            continue
        patience = stall_seconds
        if turns.events == select.POLLIN:
            now = loop.time()
            if turns.moved - marked >= stall_bytes:
                marked, due = turns.moved, now + stall_seconds
            patience = due - now
        if patience <= 0 or not await _ready(connection.fileno(), turns.events, patience):
            return Step.STALLED


def unacknowledged_bytes(descriptor: int) -> int:
    """Bytes that the kernel still holds because the peer has not taken them (Linux: SIOCOUTQ)."""
    try:
        return int(struct.unpack("i", fcntl.ioctl(descriptor, termios.TIOCOUTQ, b"\0\0\0\0"))[0])
    except OSError:
        return 0


async def _ready(descriptor: int, events: int, stall_seconds: float) -> bool:
    """Wait until the descriptor can be read or written; False when the peer made no progress for `stall_seconds`.

    The kernel calls a socket writable only when a third of its buffer is free: a slow reader may need minutes for that and still
    make progress, which shows in what it has acknowledged.
    """
    loop = asyncio.get_running_loop()
    woken: asyncio.Future[None] = loop.create_future()
    writing = events == select.POLLOUT
    held = unacknowledged_bytes(descriptor) if writing else 0

    def wake() -> None:
        if not woken.done():
            woken.set_result(None)

    add, remove = (loop.add_writer, loop.remove_writer) if writing else (loop.add_reader, loop.remove_reader)
    add(descriptor, wake)
    try:
        while not (await asyncio.wait((woken,), timeout=stall_seconds))[0]:
            left = unacknowledged_bytes(descriptor) if writing else 0
            if left >= held:
                return False
            held = left
        return True
    finally:
        remove(descriptor)
