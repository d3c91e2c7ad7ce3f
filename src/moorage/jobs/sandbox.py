"""Work on content that nobody vouches for, in a child process that cannot do the server harm.

A layer that unpacks to a terabyte, a document that makes a parser loop or crash: the child has limits of memory, processor time,
time, files and output, which it sets before it imports anything of ours, and it ends with them. Its environment is empty, so no
secret of the server's is there, and of the server's descriptors it has those that it is given. It is no jail for foreign
programs: the function is ours, and what it returns is to be read as carefully as what it was given.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from moorage.jobs.sandboxed import DONE, FAILED, NO_MEMORY
from moorage.transfer.pools import Pool

_PROGRAM = Path(__file__).with_name("sandboxed.py")
_READ_BYTES = 256 * 1024
_LAST_WORDS_BYTES = 2000
_NICE = 10
"""The server goes first where both want the processor."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a child may use.

    Args:
        memory_bytes: of address space, the interpreter's 30 MiB or so included.
        cpu_seconds: of processor time.
        wall_seconds: from its start to the end of its output.
        output_bytes: of its result.
        file_bytes: size of any file that it writes; 0: it writes none.
        open_files: descriptors at once.
    """

    memory_bytes: int = 512 * 1024 * 1024
    cpu_seconds: int = 60
    wall_seconds: float = 120.0
    output_bytes: int = 16 * 1024 * 1024
    file_bytes: int = 0
    open_files: int = 64

    def as_resources(self) -> list[tuple[str, int, int]]:
        """Names of `resource`, with soft and hard limits."""
        return [
            ("RLIMIT_CORE", 0, 0),
            ("RLIMIT_FSIZE", self.file_bytes, self.file_bytes),
            ("RLIMIT_NOFILE", self.open_files, self.open_files),
            ("RLIMIT_NPROC", 0, 0),  # counts for whoever is not root
            ("RLIMIT_CPU", self.cpu_seconds, self.cpu_seconds + 1),
            ("RLIMIT_AS", self.memory_bytes, self.memory_bytes),
        ]


class SandboxError(Exception):
    """The function did not return. With the same argument it would not another time either, unless the machine was to blame."""


class FunctionFailed(SandboxError):
    """It raised; the message is that of its error."""


class LimitReached(SandboxError):
    """It used up memory, processor time, time or output; the message says which."""


class ChildCrashed(SandboxError):
    """It ended without a word; the message has its signal or status, and the end of its standard error."""


class Sandbox:
    """Runs functions in children, one for each call and so many at once. Belongs to an event loop.

    Example:
        names = await sandbox.run("moorage.scanners.layers:package_names", layer[:1000], Limits(cpu_seconds=5))
    """

    def __init__(self, at_once: int = 2) -> None:
        self._pool = Pool("sandbox", at_once)

    async def run(
        self, function: str, argument: bytes, limits: Limits | None = None, *, descriptors: Sequence[int] = ()
    ) -> bytes:
        """Call a function in a child process and return what it returns.

        Args:
            function: ``package.module:name``, of bytes and of one integer for each descriptor, returning bytes.
            descriptors: open files that the child gets under the same numbers; this process keeps its own.

        Raises:
            SandboxError: it did not return. The child has ended, whatever happens, also when the task is cancelled.
        """
        child = _Child(function, argument, limits or Limits(), descriptors)
        return await self._pool.run(child.run, interrupt=child.kill)

    def close(self) -> None:
        """Wait a bounded time for what runs."""
        self._pool.close()


class _Child:
    """One child, from its start to its end, in a thread that waits for it."""

    def __init__(self, function: str, argument: bytes, limits: Limits, descriptors: Sequence[int]) -> None:
        self._limits, self._descriptors = limits, tuple(descriptors)
        order = {
            "function": function,
            "path": [os.path.abspath(each) for each in sys.path if each],  # noqa: PTH100  # no question to the disk
            "limits": limits.as_resources(),
            "descriptors": list(descriptors),
            "parent": os.getpid(),
            "nice": _NICE,
        }
        self._input = json.dumps(order).encode() + b"\n" + argument
        self._output = bytearray()
        self._words = b""
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._is_killed = False

    def kill(self) -> None:
        """End it, and what it may have started. From any thread."""
        with self._lock:
            self._is_killed = True
            if self._process is not None and self._process.returncode is None:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(self._process.pid, signal.SIGKILL)

    def run(self) -> bytes:
        """Start it, feed it, and read what it says until it ends."""
        until = time.monotonic() + self._limits.wall_seconds
        process = subprocess.Popen(  # noqa: S603  # ourselves
            [sys.executable, "-I", str(_PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd="/",
            env={},
            start_new_session=True,
            pass_fds=self._descriptors,
        )
        with self._lock:
            self._process = process
        if self._is_killed:
            self.kill()
        try:
            self._exchange(process, until)
            try:
                status = process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                raise self._took_too_long() from None
        finally:
            self.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout, process.stderr):
                assert pipe is not None
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        return self._result(status)

    def _exchange(self, process: subprocess.Popen[bytes], until: float) -> None:
        """Write and read as either is possible, until it has closed its output."""
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None
        left = memoryview(self._input)
        with selectors.DefaultSelector() as selector:
            for pipe, event in (
                (process.stdin, selectors.EVENT_WRITE),
                (process.stdout, selectors.EVENT_READ),
                (process.stderr, selectors.EVENT_READ),
            ):
                os.set_blocking(pipe.fileno(), False)
                selector.register(pipe, event)
            while selector.get_map():
                ready = selector.select(max(0.0, until - time.monotonic()))
                if time.monotonic() >= until:
                    raise self._took_too_long()
                for key, _ in ready:
                    pipe = key.fileobj  # type: ignore[assignment]  # one of the three
                    if pipe is process.stdin:
                        left = left[_write(key.fd, left) :]
                        is_over = not left
                    else:
                        is_over = not self._take(pipe is process.stdout, os.read(key.fd, _READ_BYTES))
                    if is_over:
                        selector.unregister(pipe)
                        _close(pipe)

    def _take(self, is_result: bool, piece: bytes) -> bool:
        if not is_result:
            self._words = (self._words + piece)[-_LAST_WORDS_BYTES:]
            return bool(piece)
        self._output += piece
        if len(self._output) > self._limits.output_bytes + 1:
            raise LimitReached(f"its result is longer than {self._limits.output_bytes} bytes")
        return bool(piece)

    def _took_too_long(self) -> LimitReached:
        return LimitReached(f"it took longer than {self._limits.wall_seconds:g} s")

    def _result(self, status: int) -> bytes:
        kind, result = bytes(self._output[:1]), bytes(self._output[1:])
        words = " ".join(self._words.decode("utf-8", "replace").split())
        if status == 0 and kind == DONE:
            return result
        if status == 0 and kind == FAILED:
            raise FunctionFailed(result.decode("utf-8", "replace"))
        if (status == 0 and kind == NO_MEMORY) or "MemoryError" in words:
            raise LimitReached(f"it needed more than {self._limits.memory_bytes} bytes of memory")
        if -status == signal.SIGXCPU:
            raise LimitReached(f"it needed more than {self._limits.cpu_seconds} s of processor time")
        ended = f"signal {-status}" if status < 0 else f"status {status}"
        raise ChildCrashed(f"it ended by {ended}{': ' + words if words else ''}")


def _write(descriptor: int, data: memoryview) -> int:
    """Write what goes; all of it is taken for written where nobody reads any more, which the child's status says better."""
    try:
        return os.write(descriptor, data[:_READ_BYTES])
    except (BrokenPipeError, ConnectionResetError):
        return len(data)
    except BlockingIOError:
        return 0


def _close(pipe: IO[bytes]) -> None:
    with contextlib.suppress(BrokenPipeError):
        pipe.close()
