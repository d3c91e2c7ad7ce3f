"""Bytes through moorage's HTTP server beside docker-registry, in one run, interleaved. Prints medians of the rounds' ratios.

Usage: python bench/byte_path.py [--rounds N] [--mib N] [--frames 256,512,1024] [--threads N] [--only WORD]

Both servers are real processes on loopback with files in one temporary folder; the clients drop what they receive (MSG_TRUNC), so
the machine's time goes to the servers. CPU is that of the server's process. docker-registry syncs files, but not their folders.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from byte_path_server import KEY, nonce

HERE = Path(__file__).parent
TICKS = os.sysconf("SC_CLK_TCK")
RANGE_BYTES = 128 * 1024
BLOBS = 8


@dataclass
class Server:
    name: str
    port: int
    process: subprocess.Popen[bytes]

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def peak_mib(self) -> float:
        found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{self.process.pid}/status").read_text())
        return int(found[1]) / 1024 if found else 0.0


@dataclass
class Result:
    per_second: float  # MiB, or requests
    cpu: float  # seconds per GiB, or milliseconds per request
    p99: float = 0.0  # milliseconds


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(name: str, command: list[str], port: int, **environment: str) -> Iterator[Server]:
    process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionRefusedError:
                if time.monotonic() > deadline or process.poll() is not None:
                    raise
                time.sleep(0.05)
        yield Server(name, port, process)
    finally:
        process.terminate()
        process.wait(10)


class Client:
    """One keep-alive connection."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.port = port

    def request(self, method: str, target: str, *fields: str, body: memoryview | None = None, chunk: int = 0) -> tuple[int, str]:
        """Send, drop the answer's body, return status and Location."""
        head = [f"{method} {target} HTTP/1.1", f"host: 127.0.0.1:{self.port}", *fields]
        if chunk:
            head.append("transfer-encoding: chunked")
        elif body is not None:
            head.append(f"content-length: {len(body)}")
        self.socket.sendall("\r\n".join([*head, "", ""]).encode())
        if body is not None:
            if chunk:
                for start in range(0, len(body), chunk):
                    piece = body[start : start + chunk]
                    self.socket.sendall(b"%x\r\n%b\r\n" % (len(piece), bytes(piece)))
                self.socket.sendall(b"0\r\n\r\n")
            else:
                self.socket.sendall(body)
        received = b""
        while b"\r\n\r\n" not in received:
            piece_of_head = self.socket.recv(4096)
            if not piece_of_head:
                raise ConnectionError(received)
            received += piece_of_head
        head_text, _, rest = received.partition(b"\r\n\r\n")
        text = head_text.decode()
        length = re.search(r"(?i)content-length: (\d+)", text)
        left = (int(length[1]) if length else 0) - len(rest)
        while left > 0:
            left -= self.socket.recv_into(DROPPED, min(left, len(DROPPED)), socket.MSG_TRUNC)
        location = re.search(r"(?i)location: (\S+)", text)
        status = int(text.split()[1])
        if status >= 300:
            raise RuntimeError(text)
        return status, location[1] if location else ""


DROPPED = bytearray(1 << 20)


def at_once(clients: int, work: Callable[[int], None]) -> float:
    """Run `work` in that many threads; seconds from the common start to the last end."""
    barrier = threading.Barrier(clients + 1)
    errors: list[BaseException] = []

    def one(number: int) -> None:
        barrier.wait()
        try:
            work(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    barrier.wait()
    begun = time.perf_counter()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return time.perf_counter() - begun


def volume(server: Server, clients: int, mib: float, work: Callable[[int], None]) -> Result:
    cpu = server.cpu_seconds()
    seconds = at_once(clients, work)
    return Result(clients * mib / seconds, (server.cpu_seconds() - cpu) * 1024 / (clients * mib))


def pull(server: Server, clients: int, targets: list[str], mib: int) -> Result:
    connections = [Client(server.port) for _ in range(clients)]
    return volume(server, clients, mib, lambda n: void(connections[n].request("GET", targets[n % len(targets)])))


def ranges(server: Server, clients: int, targets: list[str], mib: int, each: int = 60) -> Result:
    connections = [Client(server.port) for _ in range(clients)]
    times: list[float] = []

    def work(number: int) -> None:
        for turn in range(each):
            start = (number * 7919 + turn * 104729) * 4096 % (mib * 1024 * 1024 - RANGE_BYTES)
            begun = time.perf_counter()
            connections[number].request("GET", targets[number % len(targets)], f"range: bytes={start}-{start + RANGE_BYTES - 1}")
            times.append(time.perf_counter() - begun)

    result = volume(server, clients, each * RANGE_BYTES / 2**20, work)
    result.p99 = sorted(times)[int(len(times) * 0.99)] * 1000
    return result


def void(_: object) -> None:
    """A lambda's value is not wanted."""


def push_ours(server: Server, contents: list[memoryview], chunk: int) -> Result:
    def work(number: int) -> None:
        Client(server.port).request("PATCH", f"/upload/{number}", body=contents[number], chunk=chunk)

    return volume(server, len(contents), len(contents[0]) / 2**20, work)


def push_theirs(server: Server, contents: list[memoryview], digests: list[str], chunk: int) -> Result:
    run = f"p{time.monotonic_ns()}"

    def work(number: int) -> None:
        client = Client(server.port)
        _, location = client.request("POST", f"/v2/{run}{number}/blobs/uploads/", body=memoryview(b""))
        target = location.removeprefix(f"http://127.0.0.1:{server.port}")
        kind = "content-type: application/octet-stream"
        if chunk:
            _, location = client.request("PATCH", target, kind, body=contents[number], chunk=chunk)
            target = location.removeprefix(f"http://127.0.0.1:{server.port}")
            client.request("PUT", f"{target}&digest={digests[number]}", body=memoryview(b""))
        else:
            client.request("PUT", f"{target}&digest={digests[number]}", kind, body=contents[number])

    return volume(server, len(contents), len(contents[0]) / 2**20, work)


def requests(server: Server, target: str, connections: int, seconds: int = 4) -> Result:
    cpu = server.cpu_seconds()
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", f"http://127.0.0.1:{server.port}{target}"]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    count = int(re.search(r"(\d+) requests in", text)[1])  # type: ignore[index]  # wrk's format
    amount, unit = re.search(r"99%\s+([\d.]+)(\w+)", text).groups()  # type: ignore[union-attr]  # as above
    scale = {"us": 0.001, "ms": 1.0, "s": 1000.0}[unit]
    return Result(count / seconds, (server.cpu_seconds() - cpu) * 1000 / count, float(amount) * scale)


def compare(title: str, rounds: int, theirs: Callable[[], Result], **ours: Callable[[], Result]) -> None:
    """Run the ways in turn, and print each one's ratio to the first."""
    collected: dict[str, list[tuple[Result, Result]]] = {name: [] for name in ours}
    for _ in range(rounds):
        reference = theirs()
        for name, way in ours.items():
            collected[name].append((way(), reference))
    for name, pairs in collected.items():
        faster = statistics.median(mine.per_second / other.per_second for mine, other in pairs)
        dearer = statistics.median(mine.cpu / other.cpu for mine, other in pairs)
        absolute = statistics.median(mine.per_second for mine, _ in pairs)
        cost = statistics.median(mine.cpu for mine, _ in pairs)
        line = f"{title:34} {name:14} {faster:6.2f} x at {dearer:5.2f} x CPU   ({absolute:9.1f}/s, {cost:6.3f} CPU"
        if pairs[0][0].p99:
            late = statistics.median(mine.p99 / other.p99 for mine, other in pairs)
            line += f", p99 {late:.2f} x"
        print(line + ")", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--mib", type=int, default=256)
    parser.add_argument("--frames", default="1024")
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        compare_all(stack, folder, options)


def compare_all(stack: ExitStack, folder: Path, options: argparse.Namespace) -> None:
    mib: int = options.mib
    frames = [int(text) for text in options.frames.split(",")]
    contents = [memoryview(os.urandom(1 << 20) * mib) for _ in range(BLOBS)]
    digests = [f"sha256:{hashlib.sha256(content).hexdigest()}" for content in contents]
    for number, content in enumerate(contents):
        (folder / str(number)).write_bytes(content)
        for frame in frames:
            with (folder / f"{number}.{frame * 1024}.sealed").open("wb") as file:
                for index, offset in enumerate(range(0, len(content), frame * 1024)):
                    file.write(KEY.encrypt(nonce(index), content[offset : offset + frame * 1024], None))

    port = free_port()
    settings = folder / "registry.yml"
    settings.write_text(
        json.dumps(
            {
                "version": 0.1,
                "log": {"level": "error", "accesslog": {"disabled": True}},
                "storage": {"filesystem": {"rootdirectory": str(folder / "registry")}, "cache": {"blobdescriptor": "inmemory"}},
                "http": {"addr": f"127.0.0.1:{port}"},
            }
        )
    )
    registry = stack.enter_context(running("docker-registry", ["docker-registry", "serve", str(settings)], port))
    push_theirs(registry, contents, digests, 0)
    their_blobs = []
    client = Client(registry.port)
    for number, digest in enumerate(digests):
        _, location = client.request("POST", "/v2/b/blobs/uploads/", body=memoryview(b""))
        target = location.removeprefix(f"http://127.0.0.1:{registry.port}")
        client.request("PUT", f"{target}&digest={digest}", "content-type: application/octet-stream", body=contents[number])
        their_blobs.append(f"/v2/b/blobs/{digest}")

    def start(way: str, frame: int, threads: int = options.threads) -> Server:
        own = free_port()
        command = [sys.executable, str(HERE / "byte_path_server.py"), str(folder), str(own), str(frame), str(threads), way]
        return stack.enter_context(running(f"{way} {frame}", command, own))

    ours = {f"{frame}K": start("handover", frame) for frame in frames}
    last = ours[f"{frames[-1]}K"]
    plain = start("plain", frames[-1])
    sealed = [f"/sealed/{number}" for number in range(BLOBS)]

    def wanted(title: str) -> bool:
        return options.only in title

    for clients in (1, 8):
        if wanted(title := f"pull sealed, {clients} clients"):
            ways = {name: (lambda s=s: pull(s, clients, sealed, mib)) for name, s in {**ours, "plain path": plain}.items()}  # noqa: B023  # run at once
            compare(title, options.rounds, lambda: pull(registry, clients, their_blobs, mib), **ways)  # noqa: B023  # run at once
    if wanted("sendfile"):
        compare(
            "pull by sendfile, 8 clients",
            options.rounds,
            lambda: pull(registry, 8, their_blobs, mib),
            file=lambda: pull(last, 8, [f"/file/{number}" for number in range(BLOBS)], mib),
        )
    if wanted("hot"):
        for _ in range(3):
            pull(last, 1, ["/hot/0"], mib)
            time.sleep(1)
        compare(
            "pull of a hot blob, 8 clients",
            options.rounds,
            lambda: pull(registry, 8, their_blobs[:1], mib),
            memfd=lambda: pull(last, 8, ["/hot/0"], mib),
        )
    if wanted("range"):
        ways = {name: (lambda s=s: ranges(s, 8, sealed, mib)) for name, s in ours.items()}
        compare("ranges of 128 KiB, 8 clients", options.rounds, lambda: ranges(registry, 8, their_blobs, mib), **ways)
    for clients in (1, 4):
        for chunk, word in ((0, "monolithic"), (32 * 1024, "chunked")):
            if wanted(title := f"push {word}, {clients} clients"):
                some = contents[:clients]
                compare(
                    title,
                    max(2, options.rounds // 2),
                    lambda: push_theirs(registry, some, digests, chunk),  # noqa: B023  # run at once
                    handover=lambda: push_ours(last, some, chunk),  # noqa: B023  # as above
                    plain=lambda: push_ours(plain, some, chunk),  # noqa: B023  # as above
                )
    if wanted("manifest"):
        stock = start("stock", frames[-1])
        for connections in (1, 32, 256):
            compare(
                f"1 KB answer, {connections} connections, to stock",
                max(2, options.rounds // 2),
                lambda: requests(stock, "/manifest", connections),  # noqa: B023  # run at once
                moorage=lambda: requests(last, "/manifest", connections),  # noqa: B023  # as above
            )
    for name, server in {"docker-registry": registry, **ours, "plain path": plain}.items():
        print(f"peak memory {name:16} {server.peak_mib():6.0f} MiB")


if __name__ == "__main__":
    main()
