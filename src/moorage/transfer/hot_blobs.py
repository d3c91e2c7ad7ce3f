"""A cache of opened blobs for those that are pulled again and again: the plain content in a memfd, served by ``sendfile``.

A sealed blob costs its decryption on every pull; a hundred nodes that start the same image pull the same layers within a minute.
So when a blob has been asked for whole once, and is asked for again within a window, one thread opens it into a memfd: memory
only, never a disk, sealed against any further write. Requests go on from the store meanwhile. Nothing enters before its last byte
has been authenticated, and an entry leaves when it has not been used for a while, or when room is needed (least recently used
first, and only for a blob in greater demand). A descriptor is closed only when no transfer uses it, so what is in use
counts against the budget until then.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import mmap
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from moorage.model.errors import StorageCorrupt
from moorage.transfer.handover import Source

BUDGET_BYTES = 512 * 1024 * 1024
WINDOW_SECONDS = 60.0
IDLE_SECONDS = 60.0
_REMEMBERED_KEYS = 4096
_ALL_SEALS = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL

_log = logging.getLogger("moorage.transfer")


class OpenSource(Source, Protocol):
    """A source that somebody has to close: `BlobReader` is one."""

    def close(self) -> None:
        """Let go of it. Idempotent."""


@dataclass(slots=True)
class _Demand:
    """How much of a blob was asked for since `since`."""

    since: float
    asked_bytes: int = 0

    def within(self, window_seconds: float, now: float) -> int:
        """What was asked for in the current window, which begins anew when it is over."""
        if now - self.since > window_seconds:
            self.since, self.asked_bytes = now, 0
        return self.asked_bytes


@dataclass(frozen=True, slots=True)
class _Wish:
    """A blob that is to be filled; its bytes are reserved already."""

    size: int
    opener: Callable[[], OpenSource]
    demand: _Demand


class _Entry:
    """One memfd. `users` and `retired` change under the cache's lock."""

    __slots__ = ("demand", "descriptor", "retired", "size", "used_at", "users")

    def __init__(self, descriptor: int, size: int, used_at: float, demand: _Demand) -> None:
        self.demand = demand
        self.descriptor = descriptor
        self.size = size
        self.used_at = used_at
        self.users = 0
        self.retired = False


class HotBlob:
    """A use of a cached blob, as a source. `close` ends the use; the descriptor must not be touched afterwards."""

    def __init__(self, cache: HotBlobs, entry: _Entry) -> None:
        self._cache = cache
        self._entry: _Entry | None = entry
        self._map: mmap.mmap | None = None
        self._view = memoryview(b"")
        self.size = entry.size

    def descriptor(self) -> int | None:
        return self._entry.descriptor if self._entry is not None else None

    def view(self, offset: int) -> memoryview:
        """For paths that cannot use the descriptor (TLS). Raises ValueError after `close`."""
        if self._entry is None:
            raise ValueError("the blob has been closed")
        if self._map is None and self.size:
            self._map = mmap.mmap(self._entry.descriptor, self.size, prot=mmap.PROT_READ)
            self._view = memoryview(self._map)
        return self._view[offset:]

    def close(self) -> None:
        entry, self._entry = self._entry, None
        if entry is None:
            return
        self._view.release()
        if self._map is not None:
            with contextlib.suppress(BufferError):  # a segment is still referenced: the map goes with it
                self._map.close()
        self._cache._end_use(entry)  # the two classes are one thing

    def __del__(self) -> None:
        self.close()


class HotBlobs:
    """The cache. All methods may be called from any thread; `open` may block as the store does.

    `budget_bytes` bounds what all entries hold together, those being filled included; a blob may have at most half of it, and
    with 0 nothing is ever cached. `clock` is monotonic.
    """

    def __init__(
        self,
        budget_bytes: int = BUDGET_BYTES,
        *,
        window_seconds: float = WINDOW_SECONDS,
        idle_seconds: float = IDLE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._budget = budget_bytes
        self._window = window_seconds
        self._idle = idle_seconds
        self._clock = clock
        self._changed = threading.Condition()
        self._entries: OrderedDict[str, _Entry] = OrderedDict()  # least recently used first
        self._demands: OrderedDict[str, _Demand] = OrderedDict()
        self._queue: OrderedDict[str, _Wish] = OrderedDict()  # to be filled
        self._filling: str | None = None
        self._abandon = False  # what is being filled is wanted no more
        self._held = 0  # bytes, of entries (also retired ones in use) and of fills
        self._thread: threading.Thread | None = None
        self._closed = False

    @property
    def held_bytes(self) -> int:
        """Memory that entries and running fills take."""
        return self._held

    def open(self, key: str, opener: Callable[[], OpenSource], wanted_bytes: int) -> OpenSource:
        """The blob `key`, from memory if it is hot, else from `opener`; `wanted_bytes` of it are about to be sent.

        The caller closes what it gets. `opener` may be called a second time, in the cache's own thread. Raises what it raises.
        """
        if self._budget <= 0:
            return opener()
        now = self._clock()
        with self._changed:
            entry = self._entries.get(key)
            if entry is not None:
                self._entries.move_to_end(key)
                entry.used_at = now
                entry.users += 1
                entry.demand.within(self._window, now)
                entry.demand.asked_bytes += wanted_bytes
                return HotBlob(self, entry)
            demand = self._demand(key, now)
            asked = demand.within(self._window, now)
            demand.asked_bytes += wanted_bytes
        source = opener()
        if 0 < source.size <= min(asked, self._budget // 2) and source.descriptor() is None:
            self._want(key, _Wish(source.size, opener, demand))
        return source

    def forget(self, key: str) -> None:
        """The blob is being deleted, or may no longer be served: drop it, and whatever is on its way here."""
        with self._changed:
            self._demands.pop(key, None)
            wish = self._queue.pop(key, None)
            if wish is not None:
                self._held -= wish.size
            if self._filling == key:
                self._abandon = True
            self._retire(key)
            self._changed.notify_all()

    def expire(self) -> None:
        """Drop what has not been used for `idle_seconds`. The cache's own thread does so too, while there is anything."""
        limit = self._clock() - self._idle
        with self._changed:
            for key in [key for key, entry in self._entries.items() if entry.used_at <= limit and not entry.users]:
                self._retire(key)

    def settle(self) -> None:
        """Wait until nothing is being filled."""
        with self._changed:
            self._changed.wait_for(lambda: not self._queue and self._filling is None)

    def close(self) -> None:
        """Drop everything; uses that go on keep their descriptor until they end. Idempotent."""
        with self._changed:
            self._closed = True
            self._abandon = True
            self._held -= sum(wish.size for wish in self._queue.values())
            self._queue.clear()
            for key in list(self._entries):
                self._retire(key)
            self._changed.notify_all()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    # Under the lock

    def _demand(self, key: str, now: float) -> _Demand:
        """What is remembered of the requests for a blob that is not here."""
        demand = self._demands.pop(key, None) or _Demand(now)
        self._demands[key] = demand
        if len(self._demands) > _REMEMBERED_KEYS:
            self._demands.popitem(last=False)
        return demand

    def _make_room(self, wish: _Wish) -> bool:
        """Drop entries that are in less demand than `wish`, least recently used first.

        Not others: a working set larger than the budget would push each blob out just before it is asked for again,
        and every fill would be for nothing.
        """
        now = self._clock()
        wanted = wish.demand.within(self._window, now)
        for key, entry in list(self._entries.items()):
            if self._held + wish.size <= self._budget:
                break
            if not entry.users and entry.demand.within(self._window, now) < wanted:
                self._retire(key)
        return self._held + wish.size <= self._budget

    def _retire(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            entry.retired = True
            if not entry.users:
                self._drop(entry)

    def _drop(self, entry: _Entry) -> None:
        os.close(entry.descriptor)
        self._held -= entry.size

    # Uses and fills

    def _end_use(self, entry: _Entry) -> None:
        with self._changed:
            entry.users -= 1
            entry.used_at = self._clock()
            if entry.retired and not entry.users:
                self._drop(entry)

    def _want(self, key: str, wish: _Wish) -> None:
        """Have the blob filled, unless it is on its way or there is no room."""
        with self._changed:
            known = key in self._entries or key in self._queue or self._filling == key
            if known or self._closed or not self._make_room(wish):
                return
            self._held += wish.size
            self._queue[key] = wish
            self._demands.pop(key, None)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="hot-blobs", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def _work(self) -> None:
        """The one thread: fills, expires, and ends when nothing is left to do."""
        while True:
            with self._changed:
                if not self._queue and not self._closed:
                    self._changed.wait(max(0.05, self._idle / 4))
                if self._closed or not (self._queue or self._entries):
                    self._thread = None
                    return
                self._abandon = False
                self._filling, wish = self._queue.popitem(last=False) if self._queue else (None, None)
            if wish is not None:
                self._fill(wish)
            self.expire()

    def _fill(self, wish: _Wish) -> None:
        descriptor = -1
        try:
            descriptor = self._copy(wish)
        except Exception:  # the requests for this blob meet the same error, and answer it; here it must not end the thread
            _log.exception("a blob could not be kept in memory")
        with self._changed:
            key, self._filling = self._filling, None
            if descriptor >= 0 and key is not None and not self._abandon:
                self._entries[key] = _Entry(descriptor, wish.size, self._clock(), wish.demand)
            else:
                self._held -= wish.size
                if descriptor >= 0:
                    os.close(descriptor)
            self._changed.notify_all()

    def _copy(self, wish: _Wish) -> int:
        """A sealed memfd with all of the blob; -1 if it was given up. Raises what the store raises, and OSError."""
        with contextlib.ExitStack() as on_failure:
            descriptor = os.memfd_create("moorage-hot-blob", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
            on_failure.callback(os.close, descriptor)
            with contextlib.closing(wish.opener()) as source:
                if source.size != wish.size:
                    raise StorageCorrupt(f"content of {source.size} bytes, {wish.size} expected")
                offset = 0
                while offset < wish.size:
                    view = source.view(offset)[: wish.size - offset]
                    if not view:
                        raise StorageCorrupt(f"content ends at {offset}, {wish.size} expected")
                    while view:
                        if self._abandon:
                            return -1
                        count = os.write(descriptor, view)
                        view = view[count:]
                        offset += count
            fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _ALL_SEALS)
            on_failure.pop_all()
        return descriptor
