"""Several processes on one listening socket, and the parent that keeps their number."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable

from moorage.server.parent import end_with_parent

logger = logging.getLogger("moorage.server")

_QUICK_SECONDS = 2.0
_QUICK_DEATHS = 3


def supervise(count: int, work: Callable[[int], None]) -> int:
    """Fork `count` workers, each with its number, replace those that die, pass SIGTERM and SIGINT on.

    A worker that dies within two seconds of its start, three times running, is not replaced again: the parent ends all of them.

    Returns:
        An exit status, when all have ended.
    """
    started: dict[int, tuple[int, float]] = {}
    quick_deaths = [0] * count
    stopping = False

    def stop(number: int, _frame: object) -> None:
        nonlocal stopping
        stopping = True
        for pid in started:
            os.kill(pid, number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    for slot in range(count):
        started[_fork(work, slot)] = slot, time.monotonic()
    status = 0
    while started:
        pid, ended = os.wait()
        if pid not in started:
            continue
        slot, since = started.pop(pid)
        if stopping:
            continue
        logger.error("worker %d ended with status %d", pid, os.waitstatus_to_exitcode(ended))
        quick_deaths[slot] = quick_deaths[slot] + 1 if time.monotonic() - since < _QUICK_SECONDS else 0
        if quick_deaths[slot] == _QUICK_DEATHS:
            status = 1
            stop(signal.SIGTERM, None)
        else:
            started[_fork(work, slot)] = slot, time.monotonic()
    return status


def _fork(work: Callable[[int], None], slot: int) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        end_with_parent(signal.SIGTERM)  # a parent that is killed must leave nobody behind who holds folder and port
        work(slot)
        status = 0
    except Exception:
        logger.exception("a worker failed")
    finally:
        logging.shutdown()
        os._exit(status)
