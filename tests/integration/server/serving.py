"""A real server on loopback, sources and sinks over real files, and a client that works on the socket itself."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import re
import socket
import ssl
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import uvloop
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from moorage.events.record import FinishedRequest
from moorage.model.errors import StorageCorrupt, StorageFull
from moorage.server.http.limits import HttpLimits
from moorage.server.http.terms import AnswerAtOnce, HttpTerms, never_at_once
from moorage.server.run import HttpServer
from moorage.transfer.handover import Receive, Scope, Send
from moorage.transfer.pools import Pool

MIB = 1024 * 1024
FRAME_BYTES = MIB
TAG_BYTES = 16
KEY = AESGCM(bytes(32))
DEADLINE_SECONDS = 20.0

App = Callable[[Scope, Receive, Send], Awaitable[None]]


def seal(content: bytes, path: Path) -> None:
    """Write `content` as AES-256-GCM frames."""
    with path.open("wb") as file:
        for number, start in enumerate(range(0, len(content), FRAME_BYTES)):
            file.write(KEY.encrypt(number.to_bytes(12, "big"), content[start : start + FRAME_BYTES], None))


class SealedSource:
    """Frames of a file, each opened into one buffer that is used again."""

    def __init__(self, path: Path) -> None:
        self.descriptor_number = os.open(path, os.O_RDONLY)
        stored = os.fstat(self.descriptor_number).st_size
        self.size = stored - TAG_BYTES * -(-stored // (FRAME_BYTES + TAG_BYTES))
        self.closed = False
        self.used_after_close = False
        self._sealed = memoryview(bytearray(FRAME_BYTES + TAG_BYTES))
        self._opened = memoryview(bytearray(FRAME_BYTES))

    def view(self, offset: int) -> memoryview:
        self.used_after_close |= self.closed
        if offset >= self.size:
            return memoryview(b"")
        frame, within = divmod(offset, FRAME_BYTES)
        count = os.preadv(self.descriptor_number, [self._sealed], frame * (FRAME_BYTES + TAG_BYTES))
        try:
            opened = self._opened[: count - TAG_BYTES]
            KEY.decrypt_into(frame.to_bytes(12, "big"), self._sealed[:count], None, opened)
        except InvalidTag:
            raise StorageCorrupt(f"frame {frame}") from None
        return opened[within:]

    def descriptor(self) -> int | None:
        return None

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            os.close(self.descriptor_number)


class FileSource:
    """A file as it is, for sendfile. `promised` may claim another size."""

    def __init__(self, path: Path, promised: int | None = None) -> None:
        self.descriptor_number = os.open(path, os.O_RDONLY)
        self.size = os.fstat(self.descriptor_number).st_size if promised is None else promised
        self.closed = False
        self.used_after_close = False

    def view(self, offset: int) -> memoryview:
        return memoryview(os.pread(self.descriptor_number, 3 * MIB // 2, offset))

    def descriptor(self) -> int | None:
        self.used_after_close |= self.closed
        return self.descriptor_number

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            os.close(self.descriptor_number)


class FileSink:
    """Hashes and writes to a file. Fails with StorageFull from `full_at` bytes on."""

    def __init__(self, path: Path, full_at: int | None = None, buffer_bytes: int = MIB) -> None:
        self.file = path.open("wb", buffering=0)
        self.hasher = hashlib.sha256()
        self.size = 0
        self.threads: set[str] = set()
        self._full_at = full_at
        self._buffer = memoryview(bytearray(buffer_bytes))

    def buffer(self) -> memoryview:
        return self._buffer

    def advance(self, count: int) -> None:
        self.threads.add(threading.current_thread().name)
        if self._full_at is not None and self.size + count > self._full_at:
            raise StorageFull("no room")
        self.hasher.update(self._buffer[:count])
        self.file.write(self._buffer[:count])
        self.size += count

    def close(self) -> None:
        self.file.close()


async def reply(send: Send, status: int, body: bytes = b"", *headers: tuple[bytes, bytes]) -> None:
    """A small answer."""
    fields = [(b"content-length", str(len(body)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body})


@dataclass
class Running:
    """A server that runs in a thread of its own."""

    server: HttpServer
    loop: asyncio.AbstractEventLoop
    pool: Pool
    port: int
    accesses: list[FinishedRequest]
    client_ssl: ssl.SSLContext | None
    thread: threading.Thread
    wires: list[Wire] = field(default_factory=list)

    def connect(self, receive_buffer: int | None = None) -> Wire:
        """A new connection."""
        raw = socket.socket()
        if receive_buffer is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        raw.settimeout(DEADLINE_SECONDS)
        try:
            raw.connect(("127.0.0.1", self.port))
        except OSError:
            raw.close()
            raise
        wire = Wire(self.client_ssl.wrap_socket(raw, server_hostname="localhost") if self.client_ssl else raw)
        self.wires.append(wire)
        return wire

    def stop(self) -> None:
        """As the first SIGTERM, and as the second when called again."""
        self.loop.call_soon_threadsafe(self.server.stop)

    def access(self, number: int = -1) -> FinishedRequest:
        """A report of the access hook, waited for."""
        wanted = number + 1 if number >= 0 else 1
        until(lambda: len(self.accesses) >= wanted)
        return self.accesses[number]


class Wire:
    """The client's end of a connection."""

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self._received = bytearray()

    def send(self, data: bytes | str) -> None:
        self.socket.sendall(data.encode() if isinstance(data, str) else data)

    def request(self, method: str, target: str, *fields: str, body: bytes | None = None) -> None:
        lines = [f"{method} {target} HTTP/1.1", "Host: localhost", *fields]
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        self.send("\r\n".join([*lines, "", ""]).encode() + (body or b""))

    def head(self) -> tuple[int, dict[str, str]]:
        """Status and header fields (names in lower case) of the next response."""
        while b"\r\n\r\n" not in self._received:
            self._more()
        head, _, rest = bytes(self._received).partition(b"\r\n\r\n")
        self._received = bytearray(rest)
        first, *lines = head.decode().split("\r\n")
        fields = dict(re.split(r": ?", line, maxsplit=1) for line in lines)
        return int(first.split()[1]), fields

    def body(self, size: int) -> bytes:
        """Exactly `size` bytes."""
        while len(self._received) < size:
            self._more()
        body = bytes(self._received[:size])
        del self._received[:size]
        return body

    def response(self) -> tuple[int, bytes]:
        """A response with a Content-Length."""
        status, fields = self.head()
        return status, self.body(int(fields["content-length"]))

    def rest(self) -> bytes:
        """Everything up to the end of the connection, orderly or not."""
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            while True:
                self._more()
        return bytes(self._received)

    def close(self) -> None:
        self.socket.close()

    def reset(self) -> None:
        """Close with a RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()

    def _more(self) -> None:
        piece = self.socket.recv(MIB)
        if not piece:
            raise ConnectionError("the server has closed the connection")
        self._received += piece


def until(condition: Callable[[], bool], seconds: float = DEADLINE_SECONDS) -> None:
    """Wait for something that another thread brings about."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("it did not come about in time")
        pause.wait(0.005)


@contextlib.contextmanager
def serving(
    app: App,
    *,
    limits: HttpLimits | None = None,
    handover: bool = True,
    threads: int = 2,
    tls: tuple[ssl.SSLContext, ssl.SSLContext] | None = None,
    grace_seconds: float = 10.0,
    send_buffer: int | None = None,
    at_once: AnswerAtOnce = never_at_once,
) -> Iterator[Running]:
    """Run `app` until the block ends. `tls` is the server's and the client's context."""
    accesses: list[FinishedRequest] = []
    pool = Pool("test-bytes", threads)
    listener = socket.create_server(("127.0.0.1", 0))
    if send_buffer is not None:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)  # connections inherit it
    ready = threading.Event()
    started: list[tuple[HttpServer, asyncio.AbstractEventLoop]] = []

    async def main() -> None:
        terms = HttpTerms(pool, limits or HttpLimits(), accesses.append, handover, at_once)
        server = HttpServer(app, terms, grace_seconds=grace_seconds)
        started.append((server, asyncio.get_running_loop()))
        await server.serve_sockets([listener], tls[0] if tls else None, lambda _: ready.set())

    def run() -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(main())

    port: int = listener.getsockname()[1]
    thread = threading.Thread(target=run, name="server")
    thread.start()
    try:
        assert ready.wait(DEADLINE_SECONDS)
        server, loop = started[0]
        running = Running(server, loop, pool, port, accesses, tls[1] if tls else None, thread)
        try:
            yield running
        finally:
            for wire in running.wires:
                wire.close()
    finally:
        for server, loop in started:
            with contextlib.suppress(RuntimeError):  # it has ended by itself
                loop.call_soon_threadsafe(server.stop)
        thread.join(DEADLINE_SECONDS)
        assert not thread.is_alive()
        pool.close()
