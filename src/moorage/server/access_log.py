"""The lines of the access log, in the form of the log; a thread writes them, so that a reader who stalls holds up nobody.

Clients ask for the same again and again, so all of a line but its time, its id and its duration is rendered once.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import select
import stat
import threading
import time
from collections.abc import Iterator

import msgspec

from moorage.events.event import NOBODY
from moorage.events.record import FinishedRequest

_MOST_BYTES = 16 * 1024 * 1024
"""Of lines that wait to be written; what comes above it is counted, said, and lost."""
_LONGEST_PATH, _LONGEST_AGENT = 512, 256

logger = logging.getLogger("moorage.access")

Parts = tuple[bytes, bytes, bytes]
"""What stands before the time, between the id and the duration, and behind the duration."""


class _Line(msgspec.Struct):
    """What a line of the JSON form says of a request beside its time, its id and how long it took. Sizes in bytes of bodies."""

    level: str
    logger: str
    client: str | None
    principal: str | None
    account: str | None
    operation: str | None
    method: str
    path: str
    status: int
    bytes_in: int
    bytes_out: int
    complete: bool
    user_agent: str


def json_parts(finished: FinishedRequest) -> Parts:
    """A line of the JSON form: every field is one of its own."""
    asked = finished.event.asked if finished.event is not None else NOBODY
    line = _Line(
        "info",
        "moorage.access",
        finished.client[0] if finished.client else None,
        asked.principal or None,
        asked.account or None,
        asked.operation or None,
        finished.method,
        finished.raw_path[:_LONGEST_PATH].decode("latin-1"),
        finished.status,
        finished.bytes_in,
        finished.bytes_out,
        finished.whole,
        finished.agent[:_LONGEST_AGENT].decode("latin-1"),
    )
    return b'","request_id":"', b'","duration_ms":', b"," + msgspec.json.encode(line)[1:] + b"\n"


def text_parts(finished: FinishedRequest) -> Parts:
    """A line of the text form."""
    asked = finished.event.asked if finished.event is not None else NOBODY
    client = finished.client[0] if finished.client else "-"
    # repr: what clients send must not pass for a line of its own, nor steer a terminal.
    target = repr(f"{finished.method} {finished.raw_path[:_LONGEST_PATH].decode('latin-1')}")
    agent = repr(finished.agent[:_LONGEST_AGENT].decode("latin-1"))
    rest = (
        f"ms {client} {asked.principal or '-'} {target} {finished.status} {finished.bytes_in} {finished.bytes_out} "
        f"{asked.operation or '-'} {agent}{'' if finished.whole else ' broken off'}\n"
    )
    return b" INFO moorage.access: ", b" ", rest.encode("utf-8", "backslashreplace")


class AccessLog:
    """Where lines go. Belongs to the event loop, but for its thread.

    Args:
        form: ``json`` or ``text``, as the log's.
        descriptor: where to write; it stays open.
    """

    def __init__(self, form: str, descriptor: int = 2) -> None:
        self.parts_of = json_parts if form == "json" else text_parts
        self._before = b'{"time":"' if form == "json" else b""
        self._descriptor = descriptor
        self._queue: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._waiting_bytes = self._lost = 0
        self._second, self._second_text = 0, b""
        self._thread = threading.Thread(target=self._run, name="access-log", daemon=True)
        self._thread.start()

    def time(self, milliseconds: int) -> bytes:
        """The beginning of a line for a time since the epoch."""
        second, rest = divmod(milliseconds, 1000)
        if second != self._second:
            self._second = second
            self._second_text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)).encode()
        return b"%b%b.%03dZ" % (self._before, self._second_text, rest)

    def write(self, lines: list[bytes]) -> None:
        """Have lines written."""
        if self._waiting_bytes > _MOST_BYTES:
            self._lost += len(lines)
            return
        if self._lost:
            logger.warning("%d requests were not logged: the log is not read fast enough", self._lost)
            self._lost = 0
        data = b"".join(lines)
        self._waiting_bytes += len(data)
        self._queue.put(data)

    def close(self) -> None:
        """Write what is left, as far as somebody reads it, and end."""
        self._queue.put(None)
        self._thread.join(5)

    def _run(self) -> None:
        while (data := self._queue.get()) is not None:
            with contextlib.suppress(OSError):  # nobody reads the log any more
                self._write(data)
            self._waiting_bytes -= len(data)

    def _write(self, data: bytes) -> None:
        # Several workers may write into one pipe: the system does not mix pieces up to this size.
        is_file = stat.S_ISREG(os.fstat(self._descriptor).st_mode)
        for piece in (data,) if is_file else _pieces(data, select.PIPE_BUF):
            rest = memoryview(piece)
            while rest:
                try:
                    rest = rest[os.write(self._descriptor, rest) :]
                except BlockingIOError:
                    select.select([], [self._descriptor], [])


def _pieces(data: bytes, most: int) -> Iterator[bytes]:
    """Whole lines, as many as fit into `most` bytes; a longer line is alone."""
    start = 0
    while start < len(data):
        end = data.rfind(b"\n", start, start + most) + 1
        if end <= start:
            end = data.find(b"\n", start) + 1 or len(data)
        yield data[start:end]
        start = end
