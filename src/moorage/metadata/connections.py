"""Connections of one process to PostgreSQL: opened by whoever needs one, emptied at the first loss, bounded in every wait.

A pool of its own and not psycopg's, because an outage has to end with the server's: nothing waits for a worker that tries
again after 1, 2, 4, 8 seconds; who wants a connection opens it. Connections are not asked before use whether they live, which
would cost each use a round trip: the first one that is found dead takes all others that are idle with it. See
docs/decisions/0014-postgresql-connections.md.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from moorage.metadata.database import DatabaseUnavailable
from moorage.metadata.server_clock import ServerClock

PgConnection = psycopg.Connection[tuple[Any, ...]]

_LIFE_SECONDS = 3600.0
"""A connection ends after that, so that a server that was moved, or memory that grew, is not kept for ever."""
_IDLE_SECONDS = 600.0
_AGAIN_SECONDS = 0.1
_MEASURE_SECONDS = 30.0
_GREETING = "SELECT pg_backend_pid(), (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"

logger = logging.getLogger("moorage.database")


class ConnectionLost(Exception):
    """A connection ended while it was used. What had not been committed has not happened."""

    pause_seconds = 0.05
    """The longest pause before the next try."""


class OnlyReads(ConnectionLost):
    """A connection that had just been opened takes no writes: the server that the URL names now is a standby, or read-only."""

    pause_seconds = 0.3


class Silent(DatabaseUnavailable):
    """The database says nothing at all."""


class _Open:
    """An open connection and since when it is what it is."""

    __slots__ = ("connection", "generation", "idle_since", "is_new", "opened_at", "peer")

    def __init__(self, connection: PgConnection, generation: int) -> None:
        self.connection, self.generation = connection, generation
        self.opened_at = self.idle_since = time.monotonic()
        self.is_new = True
        """Nobody has used it before."""
        self.peer = _peer_of(connection)


class Connections:
    """At most `most` connections, beside one by which the server is asked whether it lives.

    Args:
        seconds: how long anybody waits for a connection, and for a server that does not answer at all.
    """

    def __init__(self, url: str, most: int, seconds: float, clock: ServerClock) -> None:
        self._arguments = _arguments(url, seconds)
        self._most, self._seconds, self._clock = most, seconds, clock
        self._condition = threading.Condition()
        self._idle: deque[_Open] = deque()
        self._count = 0
        self._generation = 0
        self._busy: dict[_Open, float] = {}
        self._closed = threading.Event()
        self.is_away = False
        """A connection was lost or could not be opened, and the server has not answered since."""
        self._fault = ""
        self._wake = threading.Event()
        self._asking: Future[None] | None = None
        self._asked: _Open | None = None
        self._watch = threading.Thread(target=self._watch_over, name="sql-watch", daemon=True)
        self._watch.start()

    @contextmanager
    def use(self, until: float) -> Iterator[PgConnection]:
        """A connection, by itself; `until` (monotonic) the server may take to accept one.

        Raises:
            DatabaseUnavailable: none can be had in time.
            ConnectionLost: it ended meanwhile.
            OnlyReads: so it did, since no new one takes writes either.
        """
        used = self._take(until)
        try:
            yield used.connection
        except psycopg.errors.ReadOnlySqlTransaction as error:
            # The server became a standby, and another one of its name takes writes now; or nobody does.
            self._retire(used)
            raise (OnlyReads if used.is_new else ConnectionLost)(_first_line(error)) from error
        except BaseException as error:
            if _is_lost(used.connection, error):
                self._discard(used, error)
                if isinstance(error, psycopg.Error):
                    raise ConnectionLost(_first_line(error)) from error
            raise
        finally:
            self._give_back(used)

    def ask(self, seconds: float) -> None:
        """Make the server answer by a connection that nothing else uses. However many ask, it is asked once at a time.

        Raises:
            DatabaseUnavailable: it does not within `seconds`.
        """
        with self._condition:
            asking = self._asking
            if asking is None or asking.done():
                asking = self._asking = Future()
                threading.Thread(target=self._ask, args=(asking,), name="sql-ask", daemon=True).start()
        try:
            asking.result(seconds)
        except TimeoutError:
            with self._condition:
                if self._asked is not None and self._asking is asking and not asking.done():
                    _cut(self._asked)
            raise Silent("the database does not answer in time") from None

    def close(self) -> None:
        """Close what is idle now and what is in use when it comes back."""
        self._closed.set()
        self._wake.set()
        with self._condition:
            self._condition.notify_all()
        self._drop_idle()
        self._watch.join()
        asked, self._asked = self._asked, None
        if asked is not None:
            asked.connection.close()

    # Taking and giving back.

    def _take(self, until: float) -> _Open:
        with self._condition:
            while True:
                if self._closed.is_set():
                    raise DatabaseUnavailable("the server is shutting down")
                if self._idle:
                    found = self._idle.pop()
                    self._busy[found] = time.monotonic()
                    return found
                if self._count < self._most:
                    self._count += 1
                    break
                if not self._condition.wait(until - time.monotonic()) and time.monotonic() >= until:
                    raise DatabaseUnavailable("all connections to the database are busy")
        try:
            return self._open_until(until)
        except BaseException:
            self._release()
            raise

    def _open_until(self, until: float) -> _Open:
        """Open a connection. While the server is away only the watch asks for it, and everybody else waits for its word."""
        while True:
            with self._condition:
                while self.is_away and not self._closed.is_set():
                    if not self._condition.wait(max(0.0, until - time.monotonic())) and time.monotonic() >= until:
                        raise DatabaseUnavailable(f"the database does not answer: {self._fault}")
            try:
                return self._open()
            except psycopg.OperationalError as error:
                self._went_away(error)
                if self._closed.is_set():
                    raise DatabaseUnavailable("the server is shutting down") from None

    def _open(self) -> _Open:
        generation = self._generation
        connection: PgConnection = psycopg.connect(**self._arguments, autocommit=True, prepare_threshold=2)
        opened = _Open(connection, generation)
        with self._condition:
            self._busy[opened] = time.monotonic()
        try:
            self._greet(opened)
        except BaseException:
            with self._condition:
                self._busy.pop(opened, None)
            connection.close()
            raise
        return opened

    def _greet(self, opened: _Open) -> None:
        """Learn the server's time, and whether a pooler stands between.

        A pooler has no server process for a session, so the key that it gives out for cancelling names another one. Behind it
        the next transaction may run in another process, which knows nothing of statements that were prepared in this one.
        """
        before = self._clock.machine_now()
        row = opened.connection.execute(_GREETING, prepare=False).fetchone()
        assert row is not None
        self._clock.compare(row[1], before, self._clock.machine_now())
        if row[0] != opened.connection.info.backend_pid:
            opened.connection.prepare_threshold = None

    def _give_back(self, used: _Open) -> None:
        with self._condition:
            self._busy.pop(used, None)
            now = used.idle_since = time.monotonic()
            is_good = (
                not used.connection.closed
                and used.connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
                and used.generation == self._generation
                and now - used.opened_at < _LIFE_SECONDS
                and not self._closed.is_set()
            )
            if is_good:
                used.is_new = False
                self._idle.append(used)
            else:
                self._count -= 1
            longest = self._idle.popleft() if self._idle and now - self._idle[0].idle_since > _IDLE_SECONDS else None
            self._count -= longest is not None
            self._condition.notify()
        for gone in (None if is_good else used, longest):
            if gone is not None:
                gone.connection.close()

    def _release(self) -> None:
        with self._condition:
            self._count -= 1
            self._condition.notify()

    def _discard(self, lost: _Open, error: BaseException) -> None:
        """One connection is dead, so the others may be: none that is idle is used again."""
        with self._condition:
            if lost.generation != self._generation:
                return  # the others of its time have gone already
            self._generation += 1
            self.is_away, self._fault = True, _first_line(error)
        self._wake.set()
        logger.warning("a connection to the database was lost: %s", _first_line(error))
        self._drop_idle()

    def _retire(self, used: _Open) -> None:
        """A connection is good for nothing more, nor are those as old; but the server answers."""
        with self._condition:
            if used.generation == self._generation:
                self._generation += 1
        self._drop_idle()

    def _went_away(self, error: BaseException) -> None:
        with self._condition:
            self.is_away, self._fault = True, _first_line(error)
        self._wake.set()

    def _drop_idle(self) -> None:
        with self._condition:
            dropped = list(self._idle)
            self._idle.clear()
            self._count -= len(dropped)
            self._condition.notify_all()
        for each in dropped:
            each.connection.close()

    # Watching.

    def _watch_over(self) -> None:
        """Cut off whoever waits for a server that answers nobody. A statement that is only slow is left alone."""
        measured_at = time.monotonic()
        while not self._closed.is_set():
            if self.is_away:
                self._closed.wait(_AGAIN_SECONDS)
            else:
                self._wake.wait(min(0.5, self._seconds / 8))
            self._wake.clear()
            now = time.monotonic()
            with self._condition:
                is_overdue = any(now - since > self._seconds / 2 for since in self._busy.values())
            if is_overdue or self.is_away or now - measured_at > _MEASURE_SECONDS:
                measured_at = now
                try:
                    self.ask(self._seconds / 2)
                except Silent:
                    self._cut_overdue()
                except DatabaseUnavailable:
                    pass  # an answer, if only a refusal: who waits for it is told by its own connection
                else:
                    with self._condition:
                        self.is_away = False
                        self._condition.notify_all()

    def _cut_overdue(self) -> None:
        limit = time.monotonic() - self._seconds / 2
        with self._condition:  # whoever is in this table has not given its connection back, so the socket is still its own
            for used, since in self._busy.items():
                if since <= limit:
                    _cut(used)

    def _ask(self, asking: Future[None]) -> None:
        try:
            if self._asked is None:
                connection: PgConnection = psycopg.connect(**self._arguments, autocommit=True, prepare_threshold=None)
                with self._condition:
                    self._asked = _Open(connection, self._generation)
            self._greet(self._asked)
        except BaseException as error:  # whoever waits is told, whatever it is
            with self._condition:
                broken, self._asked = self._asked, None
            if broken is not None:
                broken.connection.close()
            asking.set_exception(DatabaseUnavailable(f"the database does not answer: {_first_line(error)}"))
        else:
            asking.set_result(None)


def _arguments(url: str, seconds: float) -> dict[str, Any]:
    """How to connect. What the URL says itself stays."""
    given = conninfo_to_dict(url)
    defaults: dict[str, Any] = {
        "connect_timeout": max(2, min(3, round(seconds))),  # and then again: the next try may find the server back
        "keepalives_idle": max(1, round(seconds)),
        "keepalives_interval": max(1, round(seconds / 3)),
        "keepalives_count": 3,
        "tcp_user_timeout": round(seconds * 1000),
        "application_name": "moorage",
    }
    return defaults | given


def _is_lost(connection: PgConnection, error: BaseException) -> bool:
    ended = (
        psycopg.errors.AdminShutdown,
        psycopg.errors.CrashShutdown,
        psycopg.errors.CannotConnectNow,
        psycopg.errors.DatabaseDropped,
        psycopg.errors.IdleInTransactionSessionTimeout,
    )
    return connection.closed or isinstance(error, ended)


def _peer_of(connection: PgConnection) -> Any:
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(connection.fileno())) as same:
        return same.getpeername()
    return None


def _cut(used: _Open) -> None:
    """End a connection under whoever waits for it in another thread, by its socket: libpq is not to be called from here."""
    with contextlib.suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(used.connection.fileno())) as same:
        if same.getpeername() == used.peer:
            same.shutdown(socket.SHUT_RDWR)


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
