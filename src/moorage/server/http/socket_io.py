"""Bodies moved by a thread on the connection's own descriptor, in turns.

A turn runs in the pool for bytes. It moves at most `TURN_BYTES` and ends early when the peer blocks; then the event loop waits
for the descriptor and queues another turn. So a slow peer never holds a thread, and big transfers share the pool fairly.

The descriptor is a duplicate: the transport may be closed meanwhile. It does not block, since it shares that flag with the
transport.
"""

from __future__ import annotations

import asyncio
import enum
import errno
import fcntl
import os
import select
import socket
import struct
import termios
from collections.abc import Callable
from typing import Any, Protocol

from moorage.model.errors import StorageCorrupt
from moorage.transfer.handover import Sink, Source
from moorage.transfer.pools import Pool

TURN_BYTES = 64 * 1024 * 1024
PATIENCE_MILLISECONDS = 20
"""How long a turn waits for a peer that blocks, before it gives its thread back. A hop through the loop costs some 0.1 ms."""
CROWDED_PATIENCE_MILLISECONDS = 4
"""The same, while other calls wait for a thread."""
SLOW_BYTES = 256 * 1024
"""A peer whose turn moved less than this before it blocked is slow: its next turn does not wait at all."""
CHUNK_BYTES = 256 * 1024
"""How much of a chunked body is received at once."""

_PEER_GONE = frozenset(
    (
        errno.EPIPE,
        errno.ECONNRESET,
        errno.ECONNABORTED,
        errno.ETIMEDOUT,
        errno.ENOTCONN,
        errno.ESHUTDOWN,
        errno.EHOSTUNREACH,
        errno.ENETUNREACH,
        errno.ENETDOWN,
    )
)


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


class _Blocked(Exception):
    """The descriptor would block, and waiting a moment did not help."""


class _PeerLeft(Exception):
    """The connection has ended."""


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


class _OnDescriptor:
    """What both directions share: waiting for the peer, and noticing that it is gone."""

    events: int

    def __init__(self, connection: socket.socket, pool: Pool) -> None:
        self.connection = connection
        self.moved = 0
        self._pool = pool
        self._interrupted = False
        self._slow = False
        self._poll = select.poll()
        self._poll.register(connection.fileno(), self.events)

    def interrupt(self) -> None:
        self._interrupted = True

    def _move(self, operation: Callable[..., int], *arguments: Any) -> int:
        """Do one system call on the descriptor, waiting a moment if it would block."""
        while True:
            if self._interrupted:
                raise _PeerLeft
            try:
                return operation(*arguments)
            except BlockingIOError:
                self._wait()
            except OSError as error:
                if error.errno in _PEER_GONE:
                    raise _PeerLeft from None
                raise

    def _wait(self) -> None:
        patience = CROWDED_PATIENCE_MILLISECONDS if self._pool.waiting else PATIENCE_MILLISECONDS
        if self._slow or not self._poll.poll(patience):
            raise _Blocked

    def _ends(self, moved: int, blocked: bool) -> Step:
        self._slow = blocked and moved < SLOW_BYTES
        return Step.BLOCKED if blocked else Step.MORE


class Sending(_OnDescriptor):
    """The bytes of a source whose offsets are `span`, behind `head`, into a connection."""

    events = select.POLLOUT

    def __init__(self, connection: socket.socket, pool: Pool, source: Source, span: range, head: bytes) -> None:
        super().__init__(connection, pool)
        self.position = span.start
        self.head = memoryview(head)
        self._source = source
        self._stop = span.stop
        self._rest = memoryview(b"")  # of the piece at `position` that the source has given

    def take(self) -> Step:
        begin = self.position
        limit = min(self._stop, begin + TURN_BYTES)
        try:
            descriptor = self._source.descriptor()
            if descriptor is None:
                self._send_views(limit)
            else:
                self._send_file(descriptor, limit)
        except _Blocked:
            return self._ends(self.position - begin, True)
        except _PeerLeft:
            return Step.GONE
        return Step.DONE if self.position == self._stop else self._ends(self.position - begin, False)

    def _send_views(self, limit: int) -> None:
        send = self.connection.send
        while self.position < limit:
            if not self._rest:
                self._rest = self._source.view(self.position)[: self._stop - self.position]
                if not self._rest:
                    raise StorageCorrupt(f"content ends at {self.position}, {self._stop} expected")
            if self.head:
                self._send_head_with_piece()
                continue
            count = self._move(send, self._rest)
            self._rest = self._rest[count:]
            self.position += count

    def _send_head_with_piece(self) -> None:
        """The head leaves only once the source has given its first bytes: until then an error can still become a 500."""
        count = self._move(self.connection.sendmsg, (self.head, self._rest))
        of_head = min(count, len(self.head))
        self.head = self.head[of_head:]
        self._rest = self._rest[count - of_head :]
        self.position += count - of_head

    def _send_file(self, descriptor: int, limit: int) -> None:
        while self.head:
            count = self._move(self.connection.send, self.head, socket.MSG_MORE)
            self.head = self.head[count:]
        target = self.connection.fileno()
        while self.position < limit:
            count = self._move(os.sendfile, target, descriptor, self.position, limit - self.position)
            if count == 0:
                raise StorageCorrupt(f"content ends at {self.position}, {self._stop} expected")
            self.position += count


class Gathering:
    """Fills a sink's buffer before the sink works on it: hashing and sealing want big pieces."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._room = memoryview(b"")
        self._filled = 0

    def room(self) -> memoryview:
        """Where the next bytes go; never empty."""
        if not self._room:
            self._room = self._sink.buffer()
        return self._room[self._filled :]

    def put(self, count: int) -> None:
        """The first `count` bytes of `room` have come."""
        self._filled += count
        if self._filled == len(self._room):
            self.flush()

    def copy(self, data: bytes) -> None:
        """Take `data` whole."""
        rest = memoryview(data)
        while rest:
            room = self.room()
            count = min(len(room), len(rest))
            room[:count] = rest[:count]
            self.put(count)
            rest = rest[count:]

    def flush(self) -> None:
        """What has come is content of the sink."""
        filled, self._filled, self._room = self._filled, 0, memoryview(b"")
        if filled:
            self._sink.advance(filled)


class Receiving(_OnDescriptor):
    """A body of known length, from a connection straight into the sink's buffer."""

    events = select.POLLIN

    def __init__(self, connection: socket.socket, pool: Pool, sink: Sink, size: int) -> None:
        super().__init__(connection, pool)
        self.received = 0
        self._size = size
        self._gathering = Gathering(sink)

    def take(self) -> Step:
        begin = self.received
        step = self._receive(min(self._size, begin + TURN_BYTES))
        self._gathering.flush()
        if self.received == self._size:
            return Step.DONE
        return step if step is Step.GONE else self._ends(self.received - begin, step is Step.BLOCKED)

    def _receive(self, limit: int) -> Step:
        receive = self.connection.recv_into
        try:
            while self.received < limit:
                room = self._gathering.room()
                count = self._move(receive, room[: self._size - self.received])
                if count == 0:
                    return Step.GONE
                self.received += count
                self.moved += count
                self._gathering.put(count)
        except _Blocked:
            return Step.BLOCKED
        except _PeerLeft:
            return Step.GONE
        return Step.MORE


class ReceivingChunks(_OnDescriptor):
    """A chunked body: the thread feeds the connection's parser, whose callbacks hand the content to the sink.

    `feed` takes raw bytes and returns whether the body is complete; it raises `BrokenFraming` for bytes that are not HTTP, or
    what the sink raised. Bytes behind the body are the next request's: the parser's callbacks know what to do with them.
    """

    events = select.POLLIN

    def __init__(
        self, connection: socket.socket, pool: Pool, feed: Callable[[memoryview], bool], flush: Callable[[], None]
    ) -> None:
        super().__init__(connection, pool)
        self._feed = feed
        self._flush = flush

    def take(self) -> Step:
        step = self._receive()
        self._flush()
        return step

    def _receive(self) -> Step:
        buffer = memoryview(bytearray(CHUNK_BYTES))
        moved = 0
        try:
            while moved < TURN_BYTES:
                count = self._move(self.connection.recv_into, buffer)
                if count == 0:
                    return Step.GONE
                moved += count
                self.moved += count
                if self._feed(buffer[:count]):
                    return Step.DONE
        except _Blocked:
            return self._ends(moved, True)
        except _PeerLeft:
            return Step.GONE
        except BrokenFraming:
            return Step.BROKEN
        return self._ends(moved, False)


class BrokenFraming(Exception):
    """A chunked body that breaks RFC 9112 section 7.1."""


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
