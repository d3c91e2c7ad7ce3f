"""Several processes on one listening socket, and the parent that keeps their number."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable

logger = logging.getLogger("moorage.server")

_QUICK_SECONDS = 2.0


def supervise(count: int, work: Callable[[], None]) -> int:
    """Fork `count` workers, replace those that die, pass SIGTERM and SIGINT on; return an exit status when all have ended.

    A worker that dies within two seconds of its start is not replaced again and again: the parent ends with it.
    """
    started: dict[int, float] = {}
    stopping = False

    def stop(number: int, _frame: object) -> None:
        nonlocal stopping
        stopping = True
        for pid in started:
            os.kill(pid, number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    for _ in range(count):
        started[_fork(work)] = time.monotonic()
    status = 0
    while started:
        pid, ended = os.wait()
        if pid not in started:
            continue
        lived = time.monotonic() - started.pop(pid)
        if stopping:
            continue
        logger.error("worker %d ended with status %d", pid, os.waitstatus_to_exitcode(ended))
        if lived < _QUICK_SECONDS:
            status = 1
            stop(signal.SIGTERM, None)
        else:
            started[_fork(work)] = time.monotonic()
    return status


def _fork(work: Callable[[], None]) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        work()
        status = 0
    except Exception:
        logger.exception("a worker failed")
    finally:
        logging.shutdown()
        os._exit(status)
