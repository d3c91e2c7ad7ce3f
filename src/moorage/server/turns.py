"""What pool threads do on a connection's descriptor: move bytes for a bounded time, then let go.

A turn ends when all is moved, when it has moved its share, or when the peer blocks for longer than `_PATIENCE_MS`: a
slow peer never holds a thread. The descriptor is a duplicate that only the turn uses while it runs; it does not
block.
"""

from __future__ import annotations

import os
import select
import socket
from dataclasses import dataclass
from enum import Enum

from moorage.transfer.handover import Sink, Source

TURN_BYTES = 64 * 1024 * 1024
"""What one turn moves at most, so that large transfers share the pool fairly."""
_SENDFILE_BYTES = 4 * 1024 * 1024
_PATIENCE_MS = 20


class TurnEnd(Enum):
    """Why a turn ended."""

    DONE = "all is moved"
    SHARE = "its share is moved"
    BLOCKED = "the peer is slow"
    GONE = "the peer left"
    STOPPED = "the transfer was called off"


@dataclass(slots=True)
class Transfer:
    """One body on its way. `position` counts up to `stop`; `stopped` calls it off from another thread."""

    descriptor: socket.socket
    position: int
    stop: int
    stopped: bool = False


def send_turn(transfer: Transfer, source: Source) -> TurnEnd:
    """Write content to the socket. Errors of the source are raised; errors of the peer end the turn."""
    limit = min(transfer.stop, transfer.position + TURN_BYTES)
    fd, file = transfer.descriptor.fileno(), source.descriptor()
    try:
        while transfer.position < limit:
            if transfer.stopped:
                return TurnEnd.STOPPED
            if file is not None:
                count = min(_SENDFILE_BYTES, transfer.stop - transfer.position)
                end = _sendfile(transfer, fd, file, count)
            else:
                end = _write(transfer, fd, source.view(transfer.position)[: transfer.stop - transfer.position])
            if end is not None:
                return end
    except (BrokenPipeError, ConnectionError):
        return TurnEnd.GONE
    return TurnEnd.DONE if transfer.position >= transfer.stop else TurnEnd.SHARE


def _write(transfer: Transfer, fd: int, view: memoryview) -> TurnEnd | None:
    if not view:
        raise EOFError("the content ends before its length")
    while view:
        try:
            count = os.write(fd, view)
        except BlockingIOError:
            if not _ready(fd, select.POLLOUT):
                return TurnEnd.BLOCKED
            continue
        transfer.position += count
        view = view[count:]
    return None


def _sendfile(transfer: Transfer, fd: int, file: int, count: int) -> TurnEnd | None:
    try:
        sent = os.sendfile(fd, file, transfer.position, count)
    except BlockingIOError:
        return None if _ready(fd, select.POLLOUT) else TurnEnd.BLOCKED
    if sent == 0:
        raise EOFError("the content ends before its length")
    transfer.position += sent
    return None


def receive_turn(transfer: Transfer, sink: Sink) -> TurnEnd:
    """Read from the socket into the sink, never past the end of the body. Errors of the sink are raised."""
    limit = min(transfer.stop, transfer.position + TURN_BYTES)
    connection = transfer.descriptor
    try:
        while transfer.position < limit:
            if transfer.stopped:
                return TurnEnd.STOPPED
            room = sink.buffer()
            try:
                count = connection.recv_into(room, min(len(room), transfer.stop - transfer.position))
            except BlockingIOError:
                if not _ready(connection.fileno(), select.POLLIN):
                    return TurnEnd.BLOCKED
                continue
            if count == 0:
                return TurnEnd.GONE
            transfer.position += count
            sink.advance(count)
    except ConnectionError:
        return TurnEnd.GONE
    return TurnEnd.DONE if transfer.position >= transfer.stop else TurnEnd.SHARE


def _ready(fd: int, event: int) -> bool:
    waiting = select.poll()
    waiting.register(fd, event)
    return bool(waiting.poll(_PATIENCE_MS))
