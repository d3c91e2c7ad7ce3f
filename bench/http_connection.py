"""The connection class beside that of another checkout and beside stock uvicorn, in one run, in the clear and over TLS.

    python -m bench.http_connection --before ../another-checkout

Two kinds of request, on 32 kept connections. A tiny answer of a trivial ASGI application, which all three serve alike: so the
connection alone is compared. And pulls of a manifest, where the two checkouts do their whole work, rights and all, and uvicorn
hands out the same bytes without any. In every round each server is measured once, in an order that rotates; a ratio is the median
of the rounds' ratios. CPU is that of the server's process.
"""

from __future__ import annotations

import argparse
import os
import select
import socket
import ssl
import sys
import tempfile
import textwrap
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from bench.client import Client, WrongAnswer
from bench.content import small_image
from bench.peers import ROOT, Moorage
from bench.processes import ServerProcess, free_port
from bench.requests import manifest
from bench.setup import create_repository
from moorage.server.tls import make_ca

CLIENTS = 32
NOW, BEFORE, STOCK = "now", "before", "uvicorn"
REPOSITORY = "bench/connection"

_APPLICATION = """
    import asyncio, socket, ssl, sys
    import uvloop

    port, certificate, key, file = int(sys.argv[1]), *sys.argv[2:5]
    manifest = open(file, "rb").read()
    answers = {
        "/": [(b"content-type", b"text/plain"), b"hello, world\\n"],
        "/manifest": [(b"content-type", b"application/vnd.oci.image.manifest.v1+json"), manifest],
    }

    async def app(scope, receive, send):
        if scope["type"] != "http":
            return
        kind, body = answers[scope["path"]]
        headers = [kind, (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
"""
_OURS = """
    from moorage.server.http.terms import HttpTerms
    from moorage.server.run import serve
    from moorage.transfer.pools import Pool

    uvloop.run(serve(app, terms=HttpTerms(Pool("bytes")), host="127.0.0.1", port=port, ssl_context=context))
"""
_STOCK = """
    import uvicorn

    uvicorn.run(app, host="127.0.0.1", port=port, http="httptools", loop="uvloop", ws="none", lifespan="off", access_log=False,
                log_level="warning", ssl_certfile=certificate or None, ssl_keyfile=key or None)
"""


@dataclass(slots=True)
class Server:
    """One that is measured."""

    name: str
    port: int
    process: ServerProcess
    request: bytes
    rates: list[float] = field(default_factory=list)
    """Requests per second, by round."""
    costs: list[float] = field(default_factory=list)
    """Microseconds of CPU for each request, by round."""


class Checkout(Moorage):
    """The server of a checkout, with a folder of its own."""

    def __init__(self, folder: Path, tree: Path) -> None:
        super().__init__(folder)
        self._tree = tree

    def environment(self) -> dict[str, str]:
        return {**super().environment(), "PYTHONPATH": str(self._tree / "src")}


def started(
    command: list[str], environment: dict[str, str], port: int, path: str, log: Path, secure: bool, **more: str
) -> ServerProcess:
    """A server, once it answers."""
    process = ServerProcess(command, {**environment, **more}, log)
    if not secure:
        process.wait_until_ready(port, path)
        return process
    until = time.monotonic() + 60
    while True:
        try:
            connected(port, secure).close()
        except OSError:
            if time.monotonic() > until:
                process.stop()
                raise
            time.sleep(0.05)
        else:
            return process


def connected(port: int, secure: bool) -> socket.socket:
    """A connection, with its handshake done."""
    wire = socket.create_connection(("127.0.0.1", port), 60)
    wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if not secure:
        return wire
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # whose it is does not matter on loopback
    return context.wrap_socket(wire)


def load(server: Server, secure: bool, seconds: float) -> tuple[float, float]:
    """Requests on all connections, each sending the next when it has read its answer.

    Returns how many were answered in a second, and the microseconds of CPU that each cost the server. Connecting does not count.
    """
    poll = select.epoll()
    wires = [connected(server.port, secure) for _ in range(CLIENTS)]
    by_number = {wire.fileno(): wire for wire in wires}
    waiting = dict.fromkeys(by_number, 0)
    wires[0].sendall(server.request)
    size = answer_bytes(wires[0])
    cpu, begun = server.process.cpu_seconds(), time.perf_counter()
    for wire in wires:
        poll.register(wire, select.EPOLLIN)
        wire.sendall(server.request)
    done, until = 0, begun + seconds
    try:
        while waiting:
            is_over = time.perf_counter() > until
            for number, _ in poll.poll(10):
                waiting[number] += len(by_number[number].recv(65536))
                if waiting[number] > size:
                    raise WrongAnswer(f"{server.name}: {waiting[number]} bytes instead of {size}")
                if waiting[number] == size:
                    done += 1
                    if is_over:
                        del waiting[number]
                        poll.unregister(number)
                    else:
                        waiting[number] = 0
                        by_number[number].sendall(server.request)
    finally:
        for wire in wires:
            wire.close()
    took, cpu = time.perf_counter() - begun, server.process.cpu_seconds() - cpu
    return done / took, cpu / done * 1e6


def answer_bytes(wire: socket.socket) -> int:
    """The size of an answer, head included; those that follow have the same. Raises WrongAnswer unless it is a 200."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += wire.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise WrongAnswer(head.decode("latin-1"))
    (length,) = (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
    while len(body) < length:
        body += wire.recv(65536)
    return len(head) + 4 + length


class Rows:
    """All servers, by row: what is asked for, and whether over TLS."""

    def __init__(self, trees: dict[str, Path], folder: Path) -> None:
        self._folder, self._trees = folder, trees
        self.rows: dict[tuple[str, bool], list[Server]] = {}
        self._processes: list[ServerProcess] = []
        _, certificate, key = make_ca(folder / "ca", ["localhost"])
        self._tls = {True: (str(certificate), str(key)), False: ("", "")}

    def start(self) -> None:
        """Start what is compared."""
        image = small_image()
        (self._folder / "manifest").write_bytes(image.manifest)
        for secure in (False, True):
            for name in (*self._trees, STOCK):
                self._trivial(name, secure)
            for name, tree in self._trees.items():
                peer = Checkout(self._folder / f"{name}-{'tls' if secure else 'plain'}", tree)
                peer.start()
                try:
                    create_repository(peer, REPOSITORY)
                    with Client(peer) as client:
                        client.push_image(REPOSITORY, image, "v1")
                    request = manifest(peer, "GET", REPOSITORY, "v1")
                finally:
                    peer.stop()
                certificate, key = self._tls[secure]
                more = {"MOORAGE_TLS_CERTIFICATE": certificate, "MOORAGE_TLS_KEY": key} if secure else {}
                log = self._folder / "moorage.log"
                process = started(peer.command(), peer.environment(), peer.port, "/readyz", log, secure, **more)
                self._processes.append(process)
                self.rows.setdefault(("manifest", secure), []).append(Server(name, peer.port, process, request))

    def _trivial(self, name: str, secure: bool) -> None:
        port = free_port()
        program = textwrap.dedent(_APPLICATION) + textwrap.dedent(_STOCK if name == STOCK else _OURS)
        command = [sys.executable, "-c", program, str(port), *self._tls[secure], str(self._folder / "manifest")]
        environment = {**os.environ, "PYTHONPATH": str(self._trees.get(name, ROOT) / "src")}
        process = started(command, environment, port, "/", self._folder / "trivial.log", secure)
        self._processes.append(process)
        paths = {"hello": "/", "manifest": "/manifest"} if name == STOCK else {"hello": "/"}
        for row, path in paths.items():
            request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n".encode()
            self.rows.setdefault((row, secure), []).append(Server(name, port, process, request))

    def stop(self) -> None:
        """End all of them."""
        for process in self._processes:
            process.stop()


def measure(rows: Rows, rounds: int, seconds: float) -> None:
    """Every server of every row once in each round; a first round that does not count."""
    for number in range(rounds + 1):
        for (_, secure), servers in rows.rows.items():
            turn = number % len(servers)
            for server in servers[turn:] + servers[:turn]:
                rate, cost = load(server, secure, seconds)
                if number:
                    server.rates.append(rate)
                    server.costs.append(cost)
        print(f"round {number} of {rounds}", file=sys.stderr, flush=True)


def told(rows: Rows) -> str:
    """The table, in Markdown."""
    lines = ["| request | server | requests/s | CPU µs each | speed of now | CPU of now |", "|---|---|---|---|---|---|"]
    for (row, secure), servers in rows.rows.items():
        now = next(server for server in servers if server.name == NOW)
        for server in servers:
            faster = median(ours / theirs for ours, theirs in zip(now.rates, server.rates, strict=True))
            cheaper = median(ours / theirs for ours, theirs in zip(now.costs, server.costs, strict=True))
            ratios = "| |" if server is now else f"| {faster:.2f} x | {cheaper:.2f} x |"
            title = f"{row}, {'TLS' if secure else 'plain'}"
            lines.append(f"| {title} | {server.name} | {median(server.rates):,.0f} | {median(server.costs):.1f} {ratios}")
    return "\n".join(lines)


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--before", type=Path, help="another checkout; without it, uvicorn alone is compared")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=2.0, help="of load on each server, in each round")
    chosen = parser.parse_args()
    trees = {NOW: ROOT, **({BEFORE: chosen.before.resolve()} if chosen.before else {})}
    with tempfile.TemporaryDirectory() as folder:
        rows = Rows(trees, Path(folder))
        try:
            rows.start()
            measure(rows, chosen.rounds, chosen.seconds)
        finally:
            rows.stop()
    print(told(rows))


if __name__ == "__main__":
    main()
