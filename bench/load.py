"""The load: any number of keep-alive connections in one thread, each working through scripts of requests.

Cheap by design, for it shares the machine with what it measures: blocking sockets behind one epoll, one `send` and one `recv`
for a small request, and bodies that nobody looks at are dropped by the kernel (MSG_TRUNC) without a copy.
"""

from __future__ import annotations

import re
import select
import socket
import time
from array import array
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from bench.client import WrongAnswer

_READ = 256 * 1024
_DROP = 4 * 1024 * 1024
_LENGTH = re.compile(rb"\r\n[Cc]ontent-[Ll]ength: *([0-9]+)")
_IDLE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer. `body` is empty where bodies are dropped; `length` is that of the body as it came."""

    status: int
    head: bytes
    body: bytes
    length: int


Script = Generator[bytes, Reply, None]
"""Yields requests, is sent the answer to each, and raises WrongAnswer if one is not what it should be."""


@dataclass(slots=True)
class Outcome:
    """What a load has done. Latencies are in seconds, one for each request (or script)."""

    seconds: float = 0.0
    requests: int = 0
    bytes: int = 0
    client_cpu_seconds: float = 0.0
    latencies: array[float] = field(default_factory=lambda: array("d"))


class _Connection:
    """A client. It connects again where the server ends the connection with its answer (that time counts: a client waits)."""

    __slots__ = ("bare", "chunked", "ends", "head", "held", "left", "length", "loop", "port", "script", "sent_at", "sock")

    def __init__(self, loop: _Loop, port: int, script: Script) -> None:
        self.loop = loop
        self.port = port
        self.connect()
        self.script = script
        self.ends = False
        self.sent_at = 0.0
        self.bare = False  # the request was a HEAD
        self.head = b""
        self.held = b""
        self.left = 0
        self.length = 0
        self.chunked = False

    def connect(self) -> None:
        self.sock = socket.create_connection(("127.0.0.1", self.port), _IDLE_SECONDS)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.loop.poll.register(self.sock, select.EPOLLIN)
        self.loop.connections[self.sock.fileno()] = self

    def close(self) -> None:
        del self.loop.connections[self.sock.fileno()]
        self.sock.close()

    def send(self, request: bytes) -> None:
        self.head = self.held = b""
        self.bare = request.startswith(b"HEAD ")
        self.sent_at = time.perf_counter()
        if self.ends:
            self.close()
            self.connect()
            self.ends = False
        self.sock.sendall(request)


class _Loop:
    __slots__ = ("connections", "poll")

    def __init__(self) -> None:
        self.poll = select.epoll()
        self.connections: dict[int, _Connection] = {}


def run(port: int, scripts: Iterator[Script], clients: int, *, drop_bodies: bool = False) -> Outcome:
    """Work through all scripts with so many connections at a time. Raises WrongAnswer."""
    outcome, loop = Outcome(), _Loop()
    trash = bytearray(_DROP) if drop_bodies else bytearray()
    try:
        for script in islice(scripts, clients):
            _Connection(loop, port, script)
        cpu, started = time.process_time(), time.perf_counter()
        for connection in list(loop.connections.values()):
            connection.send(next(connection.script))
        while loop.connections:
            events = loop.poll.poll(_IDLE_SECONDS)
            if not events:
                raise WrongAnswer(f"no answer for {_IDLE_SECONDS:.0f} s")
            for descriptor, _ in events:
                connection = loop.connections[descriptor]
                reply = _receive(connection, outcome, trash)
                if reply is not None and not _go_on(connection, reply, scripts):
                    connection.close()
        outcome.seconds = time.perf_counter() - started
        outcome.client_cpu_seconds = time.process_time() - cpu
    finally:
        for connection in list(loop.connections.values()):
            connection.close()
        loop.poll.close()
    return outcome


def _go_on(connection: _Connection, reply: Reply, scripts: Iterator[Script]) -> bool:
    """Send the next request of the script, or the first of the next script; False if there is none."""
    try:
        connection.send(connection.script.send(reply))
    except StopIteration:
        following = next(scripts, None)
        if following is None:
            return False
        connection.script = following
        connection.send(next(following))
    return True


def _receive(connection: _Connection, outcome: Outcome, trash: bytearray) -> Reply | None:
    """Take what has come; the answer once it is complete."""
    if connection.head:
        if trash:
            count = connection.sock.recv_into(trash, min(connection.left, _DROP), socket.MSG_TRUNC)
        else:
            data = connection.sock.recv(_READ)
            count = len(data)
            connection.held += data
        if not count:
            raise WrongAnswer(f"the connection ended {connection.left} bytes early")
        connection.left -= count
    else:
        data = connection.held + connection.sock.recv(2048 if trash else _READ)
        edge = data.find(b"\r\n\r\n")
        if edge < 0:
            if len(data) == len(connection.held):
                raise WrongAnswer("the connection ended before an answer came")
            connection.held = data
            return None
        connection.head = data[:edge]
        connection.held = data[edge + 4 :]
        match = _LENGTH.search(connection.head)
        connection.ends = b"onnection: close" in connection.head
        connection.chunked = match is None and b"chunked" in connection.head
        connection.length = int(match[1]) if match and not connection.bare else 0
        connection.left = connection.length - len(connection.held)
    if connection.chunked and not connection.bare:
        if not connection.held.endswith(b"0\r\n\r\n"):
            return None
        connection.length = len(connection.held)
    elif connection.left > 0:
        return None
    elif connection.left < 0:
        raise WrongAnswer(f"{-connection.left} bytes too many")
    outcome.latencies.append(time.perf_counter() - connection.sent_at)
    outcome.requests += 1
    outcome.bytes += connection.length
    return Reply(int(connection.head[9:12]), connection.head, connection.held, connection.length)


def once(request: bytes, status: int, length: int | None) -> Script:
    """One request, whose answer must have this status and, if given, this length."""
    check(request, (yield request), status, length)


def repeated(requests: Iterator[bytes], seconds: float, status: int, length: int | None) -> Script:
    """Requests one after the other until the time is over."""
    until = time.perf_counter() + seconds
    for request in requests:
        reply = yield request
        if reply.status != status or (length is not None and reply.length != length):
            check(request, reply, status, length)
        if time.perf_counter() > until:
            return


def each_once(requests: Iterable[bytes], status: int) -> Script:
    """Requests one after the other, each once."""
    for request in requests:
        check(request, (yield request), status)


def check(request: bytes, reply: Reply, status: int, length: int | None = None) -> None:
    """Raise WrongAnswer unless the answer is what it should be."""
    if reply.status != status or (length is not None and reply.length != length):
        first = request.partition(b"\r\n")[0].decode()
        raise WrongAnswer(
            f"{first}: status {reply.status}, {reply.length} bytes, instead of {status}, {length}: {reply.body[:300]!r}"
        )
