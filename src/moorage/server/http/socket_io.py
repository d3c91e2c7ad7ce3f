"""Bodies moved by a thread on the connection's own descriptor, in turns of at most `TURN_BYTES` (see `turns`).

The descriptor is a duplicate: the transport may be closed meanwhile. It does not block, since it shares that flag with the
transport.
"""

from __future__ import annotations

import errno
import os
import select
import socket
from collections.abc import Callable
from typing import Any

from moorage.model.errors import StorageCorrupt
from moorage.server.http.turns import Step
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


class _Blocked(Exception):
    """The descriptor would block, and waiting a moment did not help."""


class _PeerLeft(Exception):
    """The connection has ended."""


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
