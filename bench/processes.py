"""Server processes: started, waited for, measured from /proc, ended by their process id."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_START_SECONDS = 60.0
_STOP_SECONDS = 30.0
_PROC = Path("/proc")


class StartFailed(Exception):
    """A server did not come up; the message holds the end of its log."""


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


class ServerProcess:
    """A running server with its children.

    Args:
        log: file that takes what the server prints.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self._log = log
        with log.open("ab") as output:
            self._started = time.perf_counter()
            self._process = subprocess.Popen(command, env=dict(environment), stdout=output, stderr=output)

    def wait_until_ready(self, port: int, path: str) -> float:
        """Poll until `path` is answered with a status below 500; return the seconds since the process was started."""
        request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode()
        while time.perf_counter() - self._started < _START_SECONDS:
            if self._process.poll() is not None:
                break
            try:
                with socket.create_connection(("127.0.0.1", port), 5) as connection:
                    connection.sendall(request)
                    answer = connection.recv(64)
                if answer.startswith(b"HTTP/1.") and answer[9:10] in b"1234":
                    return time.perf_counter() - self._started
            except OSError:
                pass
            time.sleep(0.005)
        self.stop()
        raise StartFailed(self._log.read_text("utf-8", "replace")[-2000:])

    def cpu_seconds(self) -> float:
        """User and system time of the process and of all its children, dead ones included."""
        ticks = 0
        for pid in self._tree():
            fields = _stat(pid)
            if fields:
                ticks += sum(int(field) for field in fields[11:15])  # utime, stime, cutime, cstime
        return ticks / _TICKS

    def rss_mib(self) -> float:
        """Resident memory now, in MiB."""
        return self._status_mib("VmRSS")

    def peak_rss_mib(self) -> float:
        """The highest resident memory since `reset_peak`, in MiB (of several processes the sum of each one's own peak)."""
        return self._status_mib("VmHWM")

    def reset_peak(self) -> None:
        """Forget earlier peaks."""
        for pid in self._tree():
            (_PROC / str(pid) / "clear_refs").write_text("5")

    def stop(self) -> None:
        """End the server by SIGTERM, after a while by SIGKILL."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    @property
    def pid(self) -> int:
        """The id of the first process."""
        return self._process.pid

    def _tree(self) -> list[int]:
        children: dict[int, list[int]] = {}
        for entry in _PROC.iterdir():
            if entry.name.isdigit():
                fields = _stat(int(entry.name))
                if fields:
                    children.setdefault(int(fields[1]), []).append(int(entry.name))
        found = [self._process.pid]
        for pid in found:
            found.extend(children.get(pid, []))
        return found

    def _status_mib(self, name: str) -> float:
        total = 0
        for pid in self._tree():
            try:
                lines = (_PROC / str(pid) / "status").read_text().splitlines()
            except OSError:
                continue
            total += sum(int(line.split()[1]) for line in lines if line.startswith(name + ":"))
        return total / 1024


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat after the command's name, state first; empty if the process is gone."""
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return []
    return text.rpartition(")")[2].split()
