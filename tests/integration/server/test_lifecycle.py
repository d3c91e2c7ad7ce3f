"""Start, more sockets, certificates, signals, the end."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import socket
import ssl
import subprocess
import sys
import textwrap
import threading
from functools import partial
from pathlib import Path

import pytest
import uvloop

from moorage.server.http.protocol import HttpProtocol
from moorage.server.http.site import ServerState, Site
from moorage.server.http.terms import HttpTerms
from moorage.server.run import listen
from moorage.transfer.handover import Receive, Scope, Send, receive_into, send_source
from moorage.transfer.pools import Pool

from .conftest import WriteCertificate
from .serving import MIB, FileSink, FileSource, reply, serving, until

CONTENT = random.Random(3).randbytes(8 * MIB)


class Blobs:
    """GET sends a file; PUT takes one; GET /never waits for ever."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "blob").write_bytes(CONTENT)
        self.cancelled = threading.Event()
        self.sources: list[FileSource] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if scope["path"] == "/never":
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.cancelled.set()
                raise
        elif scope["method"] == "GET":
            source = FileSource(self.folder / "blob")
            self.sources.append(source)
            await send(
                {"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(source.size).encode())]}
            )
            try:
                await send_source(scope, send, source, 0, source.size)
            finally:
                source.close()
        else:
            sink = FileSink(self.folder / "upload")
            try:
                await receive_into(scope, receive, sink)
            finally:
                sink.close()
            await reply(send, 201, b"done")


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path)


def test_stopping_lets_transfers_finish(blobs: Blobs) -> None:
    with serving(blobs, send_buffer=65536) as running:
        idle = running.connect()
        down, up = running.connect(receive_buffer=65536), running.connect()
        down.request("GET", "/")
        down.head()
        up.request("PUT", "/", f"Content-Length: {len(CONTENT)}")
        up.send(CONTENT[:MIB])
        until(lambda: (blobs.folder / "upload").exists() and running.pool.running == 0)
        running.stop()
        assert idle.rest() == b""
        assert down.body(len(CONTENT)) == CONTENT
        up.send(CONTENT[MIB:])
        assert up.head()[1]["connection"] == "close"
        assert up.rest() == b"done"
        running.thread.join(10)
        assert not running.thread.is_alive()
        with pytest.raises(ConnectionRefusedError):
            running.connect()


@pytest.mark.parametrize("handover", [True, False])
def test_what_outlasts_the_grace_time_is_cut_off(blobs: Blobs, handover: bool) -> None:
    with serving(blobs, grace_seconds=0.2, send_buffer=4096, handover=handover) as running:
        down, never = running.connect(receive_buffer=4096), running.connect()
        down.request("GET", "/")
        down.head()
        never.request("GET", "/never")
        until(lambda: running.server.running_requests == 2)
        running.stop()
        running.thread.join(10)
        assert not running.thread.is_alive()
        assert blobs.cancelled.is_set()
        assert blobs.sources[0].closed
        assert not blobs.sources[0].used_after_close
        assert len(down.rest()) < len(CONTENT)


def test_a_second_stop_ends_at_once(blobs: Blobs) -> None:
    with serving(blobs, grace_seconds=600) as running:
        never = running.connect()
        never.request("GET", "/never")
        until(lambda: running.server.running_requests == 1)
        running.stop()
        running.stop()
        running.thread.join(10)
        assert not running.thread.is_alive()


def test_a_connection_that_was_taken_as_the_server_stopped_is_closed(blobs: Blobs) -> None:
    async def main() -> bytes:
        loop, pool = asyncio.get_running_loop(), Pool("bytes")
        site = Site(blobs, HttpTerms(pool), ServerState(is_stopping=True))
        ours, theirs = socket.socketpair()
        with theirs:
            theirs.setblocking(False)
            ours.setblocking(False)
            await loop.connect_accepted_socket(partial(HttpProtocol, site), ours)
            return await asyncio.wait_for(loop.sock_recv(theirs, 1), 20)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(main()) == b""


def test_another_socket_while_running(blobs: Blobs, tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    with serving(blobs) as running:
        (extra,) = listen("127.0.0.1", 0)
        address = extra.getsockname()
        asyncio.run_coroutine_threadsafe(running.server.add_socket(extra, tls[0]), running.loop).result(10)
        assert address in running.server.addresses
        with (
            socket.create_connection(address) as raw,
            tls[1].wrap_socket(raw, server_hostname="localhost") as secure,
        ):
            secure.sendall(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab")
            assert secure.recv(100).startswith(b"HTTP/1.1 201")


def test_a_new_certificate_serves_new_connections(
    blobs: Blobs, tls: tuple[ssl.SSLContext, ssl.SSLContext], write_certificate: WriteCertificate
) -> None:
    def organisation() -> str:
        wire = running.connect()
        assert isinstance(wire.socket, ssl.SSLSocket)
        certificate = wire.socket.getpeercert() or {}
        return str(dict(pair for part in certificate["subject"] for pair in part)["organizationName"])  # type: ignore[misc]  # as ssl documents it

    with serving(blobs, tls=tls) as running:
        assert organisation() == "first"
        path = write_certificate("second")
        tls[0].load_cert_chain(path)
        running.client_ssl = ssl.create_default_context(cafile=str(path))
        assert organisation() == "second"


@pytest.mark.parametrize("signals", [[signal.SIGTERM], [signal.SIGINT], [signal.SIGTERM, signal.SIGTERM]])
def test_signals_end_the_process_in_order(signals: list[signal.Signals]) -> None:
    program = """
        import asyncio, uvloop
        from moorage.server.http.terms import HttpTerms
        from moorage.server.run import serve
        from moorage.transfer.pools import Pool

        async def app(scope, receive, send):
            if scope["type"] == "http":
                print("begun", flush=True)
                try:
                    await asyncio.sleep(600 if scope["path"] == "/long" else 0)
                finally:
                    print("ended", flush=True)
                await send({"type": "http.response.start", "status": 204})
                await send({"type": "http.response.body"})

        def ready(server):
            print(server.addresses[0][1], flush=True)

        uvloop.run(serve(app, terms=HttpTerms(Pool("bytes")), host="127.0.0.1", grace_seconds=300, on_ready=ready))
        print("over", flush=True)
    """
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        with socket.create_connection(("127.0.0.1", port)) as wire:
            target = b"/long" if len(signals) > 1 else b"/"
            wire.sendall(b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n")
            assert process.stdout.readline() == "begun\n"
            if len(signals) == 1:
                assert process.stdout.readline() == "ended\n"
                assert wire.recv(100).startswith(b"HTTP/1.1 204")
            process.send_signal(signals[0])
            for number in signals[1:]:
                # Two of the same kind that wait together are one to the kernel: the first must have been seen.
                with pytest.raises(ConnectionRefusedError):
                    while True:
                        # One that it has taken but not greeted when it closes is reset: it may still listen.
                        with contextlib.suppress(ConnectionResetError):
                            socket.create_connection(("127.0.0.1", port)).close()
                process.send_signal(number)
            output, _ = process.communicate(timeout=20)
        assert output == ("over\n" if len(signals) == 1 else "ended\nover\n")
        assert process.returncode == 0
    finally:
        process.kill()
        process.communicate()
