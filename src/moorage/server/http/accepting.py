"""Accepting connections as long as there is room, and making room at the cost of whoever takes most of it.

The event loops' own servers have no bound, and once descriptors run out uvloop's closes what it accepts: clients see errors. Here
connections that find no room wait in the kernel's queue, and some that wait for their client are closed: idle ones and half
heads first, then bodies that are waited for; always of the address that has most of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import heapq
import logging
import socket
import ssl
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

logger = logging.getLogger("moorage.server")

BACKLOG = 2048
"""Connections that wait to be accepted, per listening socket."""
_AT_ONCE = 64
"""Connections that are accepted before anybody else has a turn."""
_TELL_SECONDS = 60.0
_HANDSHAKE_SECONDS = 20.0
_FAREWELL_SECONDS = 2.0
"""How long a TLS connection waits for the peer's own goodbye: many clients never send it."""
_NO_ROOM = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))


class Connection(Protocol):
    """A connection, as far as making room needs to know it."""

    @property
    def deadline(self) -> float | None:
        """When its client is late, in the loop's time; None: it does not wait for its client."""

    @property
    def source(self) -> str: ...
    @property
    def is_busy(self) -> bool: ...
    def make_room(self) -> None: ...


@dataclass(eq=False)
class Door:
    """A listening socket."""

    listener: socket.socket
    ssl_context: ssl.SSLContext | None
    make: Callable[[], asyncio.Protocol]


@dataclass(eq=False)
class _Greeting:
    """A connection whose TLS handshake is under way."""

    connection: socket.socket
    source: str
    deadline: float | None
    is_busy: bool = False

    def make_room(self) -> None:
        """End it: the transport, whose socket it is by now, sees that as if the peer had left."""
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


class Doors:
    """All listening sockets of a server. Belongs to the event loop.

    Args:
        connections: those that are open.
        most: how many may be.
    """

    def __init__(self, connections: Callable[[], Iterable[Connection]], most: int) -> None:
        self.most = most
        self.open = 0
        """Connections that are open, or being made."""
        self._connections = connections
        self._doors: list[Door] = []
        self._begun: set[asyncio.Task[None]] = set()
        self._greetings: set[_Greeting] = set()
        self._paused = False
        self._leaving = 0  # were told to make room, and are still there
        self._told_at = float("-inf")

    def add(self, listener: socket.socket, ssl_context: ssl.SSLContext | None, make: Callable[[], asyncio.Protocol]) -> Door:
        """Accept what comes to a bound socket from now on; `make` makes the protocol of a connection."""
        listener.setblocking(False)
        listener.listen(BACKLOG)
        door = Door(listener, ssl_context, make)
        self._doors.append(door)
        if not self._paused:
            self._watch(door)
        return door

    @property
    def addresses(self) -> list[tuple[Any, ...] | str]:
        """Where connections are accepted, as `socket.getsockname` says it."""
        return [door.listener.getsockname() for door in self._doors]

    def close(self) -> None:
        """Accept nothing more."""
        loop = asyncio.get_running_loop()
        for door in self._doors:
            if not self._paused:
                loop.remove_reader(door.listener.fileno())
            door.listener.close()
        self._doors = []

    def lost(self) -> None:
        """A connection has ended."""
        self.open -= 1
        self._leaving = max(0, self._leaving - 1)
        self.go_on()

    def go_on(self) -> None:
        """Accept again if that was paused and there is room; else make some."""
        if not self._paused:
            return
        if self.open >= self.most:
            self._make_room()
            return
        self._paused = False
        for door in self._doors:
            self._watch(door)

    def _watch(self, door: Door) -> None:
        asyncio.get_running_loop().add_reader(door.listener.fileno(), self._accept, door)

    def _pause(self, reason: str) -> None:
        loop = asyncio.get_running_loop()
        if loop.time() - self._told_at >= _TELL_SECONDS:
            self._told_at = loop.time()
            logger.warning("%s: new ones wait, and of those that wait for their client some are closed", reason)
        self._paused = True
        for door in self._doors:
            loop.remove_reader(door.listener.fileno())

    def _accept(self, door: Door) -> None:
        for number in range(_AT_ONCE):
            if self.open >= self.most:
                if number == 0:  # else it is not known whether anybody waits: if so, the loop calls again
                    self._pause(f"{self.open} connections are open, as many as there may be")
                    self._make_room()
                return
            try:
                connection, address = door.listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _NO_ROOM:
                    self._pause(f"no connection can be accepted ({error.strerror})")
                    self._make_room()
                    return
                continue  # this one is gone already (accept(2): treat it like EAGAIN)
            connection.setblocking(False)
            if connection.family != socket.AF_UNIX:
                with contextlib.suppress(OSError):  # its client may have left
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.open += 1
            loop = asyncio.get_running_loop()
            if door.ssl_context is None:
                task = loop.create_task(self._begin(connection, door))
            else:
                source = address[0] if isinstance(address, tuple) else ""
                greeting = _Greeting(connection, source, loop.time() + _HANDSHAKE_SECONDS)
                task = loop.create_task(self._greet(greeting, door, door.ssl_context))
            self._begun.add(task)
            task.add_done_callback(self._begun.discard)

    async def _begin(self, connection: socket.socket, door: Door) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(door.make, connection)
        except OSError:
            self.lost()
        else:
            self.go_on()

    async def _greet(self, greeting: _Greeting, door: Door, ssl_context: ssl.SSLContext) -> None:
        self._greetings.add(greeting)
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                door.make,
                greeting.connection,
                ssl=ssl_context,
                ssl_handshake_timeout=_HANDSHAKE_SECONDS,
                ssl_shutdown_timeout=_FAREWELL_SECONDS,
            )
        except OSError:  # the peer has left, or does not speak TLS
            self.lost()
        else:
            self.go_on()
        finally:
            self._greetings.discard(greeting)

    def _make_room(self) -> None:
        if not self._leaving:
            victims = chosen([*self._connections(), *self._greetings], max(1, self.most // 16))
            self._leaving = len(victims)
            for connection in victims:
                connection.make_room()


def chosen(connections: Iterable[Connection], count: int) -> list[Connection]:
    """Those to close so that others get in, at most `count`: of the source that has most, whoever's client is late first.

    Requests that are being worked on stay. Bodies that are waited for go only where one source has more than all others together,
    and nothing else of it can go.
    """
    sources: defaultdict[str, list[Connection]] = defaultdict(list)
    for connection in connections:
        sources[connection.source].append(connection)
    total = sum(map(len, sources.values()))
    ranked = []
    for number, held in enumerate(sources.values()):
        idle = [each for each in held if not each.is_busy]
        waited_for = [each for each in held if each.is_busy and each.deadline is not None] if 2 * len(held) > total else []
        closable = [*sorted(waited_for, key=_due, reverse=True), *sorted(idle, key=_due, reverse=True)]  # the last goes first
        ranked.append((-len(held), number, closable))
    heapq.heapify(ranked)
    taken: list[Connection] = []
    while ranked and len(taken) < count:
        size, number, closable = heapq.heappop(ranked)
        if closable:
            taken.append(closable.pop())
            heapq.heappush(ranked, (size + 1, number, closable))
    return taken


def _due(connection: Connection) -> float:
    return float("-inf") if connection.deadline is None else connection.deadline
