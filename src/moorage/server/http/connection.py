"""The connection of one client: its transport, flow control, descriptor and deadline, and its end. HTTP is not known here.

There is no timer per request: each connection has one `deadline`, and the server sweeps over all connections now and then.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Iterator

from moorage.server.http.limits import HttpLimits
from moorage.server.http.turns import unacknowledged_bytes


class Connection:
    """A transport, and what is due on it. Belongs to the event loop.

    Args:
        handover: whether threads may have the descriptor, where there is one in the clear.
    """

    __slots__ = (
        "_discard_left", "_is_held", "_is_reading_paused", "_unsent", "_writable", "client", "deadline",
        "has_descriptor", "is_discarding", "is_lingering", "is_writing_paused", "limits", "loop", "scheme", "server", "transport",
    )  # fmt: skip

    def __init__(
        self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, limits: HttpLimits, *, handover: bool
    ) -> None:
        self.transport = transport
        self.loop = loop
        self.limits = limits
        self.scheme = "https" if transport.get_extra_info("sslcontext") else "http"
        self.has_descriptor = handover and self.scheme == "http" and transport.get_extra_info("socket") is not None
        self.client = _address(transport, "peername")
        self.server = _address(transport, "sockname")
        self.deadline: float | None = None
        """When to look at this connection again, in the loop's time; None: it does not wait for its client."""
        self.is_discarding = False
        """What still comes is of no use."""
        self.is_lingering = False
        """The last answer has been written; what the client still sends is dropped until it has read that."""
        self.is_writing_paused = False
        self._discard_left = limits.linger_bytes
        self._is_held = self._is_reading_paused = False
        self._unsent = 0
        self._writable: asyncio.Event | None = None

    @property
    def source(self) -> str:
        """The address at the other end."""
        return self.client[0] if self.client else ""

    @property
    def is_closing(self) -> bool:
        """Whether nothing can be written any more."""
        return self.transport.is_closing()

    # Time

    def expect(self, seconds: float) -> None:
        """The client has that long."""
        self.deadline = self.loop.time() + seconds

    def expect_progress(self) -> None:
        """The client has to move: if it does not, the sweep closes the connection."""
        self.deadline = self.loop.time() + self.limits.stall_seconds

    def expect_nothing(self) -> None:
        """The application has to move."""
        if not self.is_lingering and not self.is_writing_paused and not self.transport.is_closing():
            self.deadline = None

    def is_late(self, now: float) -> bool:
        """Whether the client has missed its deadline."""
        return self.deadline is not None and now >= self.deadline

    def cut_off_if_stuck(self) -> bool:
        """Deal with a late client as far as its bytes out are concerned; False: it is late with something else."""
        if self.transport.is_closing() or self.is_lingering:
            self.transport.abort()
            return True
        if not self.is_writing_paused:
            return False
        left = self._unsent_bytes()
        if left < self._unsent:
            self._unsent = left
            self.expect_progress()
        else:
            self.transport.abort()
        return True

    # Reading

    def pause_reading(self) -> None:
        """Leave what comes in the socket."""
        if not self._is_reading_paused and not self.transport.is_closing():
            self._is_reading_paused = True
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        """Read on, unless a thread has the descriptor."""
        if self._is_reading_paused and not self._is_held and not self.transport.is_closing():
            self._is_reading_paused = False
            self.transport.resume_reading()

    @contextlib.contextmanager
    def reading_held(self) -> Iterator[None]:
        """Leave the incoming bytes in the socket. Reading goes on with the next `receive`, or after the response."""
        self._is_held = True
        self.pause_reading()
        try:
            yield
        finally:
            self._is_held = False

    @contextlib.contextmanager
    def descriptor(self) -> Iterator[socket.socket]:
        """A duplicate of the connection's descriptor, for a thread."""
        original = self.transport.get_extra_info("socket")
        duplicate = socket.socket(original.family, original.type, original.proto, fileno=os.dup(original.fileno()))
        try:
            yield duplicate
        finally:
            duplicate.close()

    # Writing

    def write_paused(self) -> None:
        """Called by the transport: it holds more than it likes to."""
        if not self.is_writing_paused:
            self.is_writing_paused = True
            self._writable = asyncio.Event()
        self._unsent = self._unsent_bytes()
        self.expect_progress()

    def write_resumed(self) -> None:
        """Called by the transport: there is room again; or by the protocol: there is nobody any more to wait for."""
        if self.is_writing_paused:
            self.is_writing_paused = False
            assert self._writable is not None
            self._writable.set()
            self._writable = None

    async def writable(self) -> None:
        """Wait until the transport takes more."""
        if self._writable is not None:
            await self._writable.wait()

    async def drained(self) -> None:
        """Wait until the transport has nothing left to write, so that a thread's bytes cannot overtake it."""
        if self.transport.get_write_buffer_size() and not self.transport.is_closing():
            self.transport.set_write_buffer_limits(0)
            await self.writable()
            if not self.transport.is_closing():
                self.transport.set_write_buffer_limits()

    # The end

    def close(self) -> None:
        """End it when what was written has been taken."""
        self.transport.close()
        self.expect_progress()

    def abort(self) -> None:
        """End it at once, dropping what is buffered."""
        self.transport.abort()

    def lost(self) -> None:
        """Called once it has ended: nobody waits for the client any longer."""
        self.deadline = None
        self.write_resumed()

    def end(self, *, rest_comes: bool) -> None:
        """The last answer has been written. `rest_comes`: what is left of the request is dropped for a while before it closes, so
        that the client reads the answer instead of a broken pipe."""
        if self.transport.is_closing() or self.is_lingering:
            return
        if not rest_comes and not self.is_discarding:
            self.close()
            return
        self.is_discarding = self.is_lingering = True
        self.expect(self.limits.linger_seconds)
        self.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def discard(self, count: int) -> None:
        """So many bytes have come that are of no use."""
        self._discard_left -= count
        if self._discard_left < 0:
            if self.is_lingering:
                self.transport.abort()
            else:
                self.pause_reading()

    def _unsent_bytes(self) -> int:
        waiting = self.transport.get_write_buffer_size()
        original = self.transport.get_extra_info("socket")
        return waiting + (unacknowledged_bytes(original.fileno()) if original is not None else 0)


def _address(transport: asyncio.Transport, name: str) -> tuple[str, int] | None:
    """Host and port at one end; None where there is no such thing."""
    address = transport.get_extra_info(name)
    return (str(address[0]), int(address[1])) if isinstance(address, tuple) else None
