"""The program of a sandbox's child: binds itself to limits, then calls one function. Run by `moorage.jobs.sandbox`, by its path.

It imports nothing but the standard library before the limits hold. On standard input comes a line of JSON, then the argument; on
standard output goes one byte of status, then the result. The function itself sees neither.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from typing import Any

DONE, FAILED, NO_MEMORY = b"d", b"f", b"m"
"""The function returned; it raised; it ran into the limit of memory."""
_MESSAGE_CHARACTERS = 1000
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38


def main() -> None:
    """Read what to do, do it, say what came of it."""
    order = json.loads(sys.stdin.buffer.readline())
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever is printed is no result
    try:
        _bind(order)
        status, result = DONE, _call(order)
    except MemoryError:
        status, result = NO_MEMORY, b""
    except BaseException as error:  # whatever it is, it is what came of it
        said = " ".join(f"{type(error).__name__}: {error}".split())
        status, result = FAILED, said[:_MESSAGE_CHARACTERS].encode("utf-8", "replace")
    out.write(status)
    out.write(result)
    out.flush()
    os._exit(0)  # nothing of what was made may keep it


def _bind(order: dict[str, Any]) -> None:
    if sys.platform == "linux":
        import ctypes

        library = ctypes.CDLL(None, use_errno=True)
        library.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        library.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if os.getppid() != order["parent"]:
        os._exit(1)  # it has died already
    os.nice(order["nice"])
    for name, soft, hard in order["limits"]:
        number = getattr(resource, name, None)
        if number is None:
            continue
        _, most = resource.getrlimit(number)
        if most != resource.RLIM_INFINITY:
            soft, hard = min(soft, most), min(hard, most)  # noqa: PLW2901
        resource.setrlimit(number, (soft, hard))


def _call(order: dict[str, Any]) -> bytes:
    import importlib

    sys.path[:] = order["path"]
    module, _, name = order["function"].partition(":")
    function = getattr(importlib.import_module(module), name)
    result = function(sys.stdin.buffer.read(), *order["descriptors"])
    if not isinstance(result, bytes):
        raise TypeError(f"{order['function']} returned {type(result).__name__}, not bytes")
    return result


if __name__ == "__main__":
    main()
