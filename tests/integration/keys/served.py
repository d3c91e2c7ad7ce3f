"""A whole server in a thread of this process, whose keys come from a provider that a test slows down, breaks or holds."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import uvloop

from moorage.jobs.fsck import check
from moorage.keys.data_keys import DataKeys
from moorage.keys.local_keyring import LocalKeyring
from moorage.metadata.registry import repositories
from moorage.model.names import parse_repository_name
from moorage.model.scope import Scope
from moorage.model.seal import AES256, Seal
from moorage.operations.accounts import accounts
from moorage.server.app import Application
from moorage.server.http.terms import HttpTerms
from moorage.server.installation import Installation, open_installation
from moorage.server.run import HttpServer
from moorage.server.settings import load
from moorage.testing.registry_client import RegistryClient
from moorage.testing.remote_keyring import RemoteKeyring
from moorage.testing.server import ROOT, KeyPair, make_client
from moorage.wire.web.metrics import Metrics

T = TypeVar("T")
HERE, THERE = "us-east-1", "eu-west-1"
OTHER_KIND = "KMS"
"""Seals of another kind: their keys are the same provider's."""
PATIENCE_SECONDS = 30.0
_DOMAIN = "keys.test"


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that another thread brings about."""
    deadline, pause = time.monotonic() + PATIENCE_SECONDS, threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        pause.wait(0.005)


@dataclass
class Served:
    """The server, the provider, and who talks to both."""

    installation: Installation
    remote: RemoteKeyring
    port: int
    pool: ThreadPoolExecutor
    longest_step: list[float] = field(default_factory=lambda: [0.0])
    """Seconds that the event loop took to come round, at most."""

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, region: str = HERE, key: KeyPair = ROOT, service: str = "ecr") -> Any:
        return make_client(self.endpoint, service, key, region)

    def registry(self, region: str = HERE, key: KeyPair = ROOT) -> RegistryClient:
        """A new client with a connection of its own; closed by who asked for it."""
        (data,) = self.client(region, key).get_authorization_token()["authorizationData"]
        client = RegistryClient("127.0.0.1", self.port, None, host=f"{ROOT.account_id}.dkr.ecr.{region}.{_DOMAIN}")
        client.password = _password(data["authorizationToken"])
        return client

    def beside(self, function: Callable[..., T], *args: Any) -> Future[T]:
        """Run a function in a thread."""
        return self.pool.submit(function, *args)

    def seal(self, name: str, region: str = HERE) -> Seal:
        """What seals a repository."""
        scope = Scope.of(region, ROOT.account_id)
        found = self.installation.db.run_read(repositories.find, scope, parse_repository_name(name))
        assert found is not None
        return found.seal

    def faults(self) -> list[str]:
        """What fsck finds, reading every byte."""

        async def lines() -> list[str]:
            keys = DataKeys({AES256: self.remote, OTHER_KIND: self.remote}, timeout_seconds=PATIENCE_SECONDS)
            return [line async for line in check(self.installation.db, self.installation.store, keys, deep=True)]

        return asyncio.run(lines())


def _password(token: str) -> str:
    return base64.b64decode(token).decode().partition(":")[2]


@contextlib.contextmanager
def served(folder: Path, database_url: str = "", *, timeout_seconds: float = PATIENCE_SECONDS) -> Iterator[Served]:
    """A server on fresh storage. Fails if it logged an error."""
    given = {"data": str(folder), "domain": _DOMAIN, "database_url": database_url or None}
    settings = load(None, {}, given).settings
    installation = open_installation(settings, {})
    pair = (ROOT.access_key_id, ROOT.secret)
    installation.db.run_write(accounts.ensure_bootstrap, installation.root_key, ROOT.account_id, "default", pair)
    remote = RemoteKeyring(LocalKeyring(installation.root_key))
    listener = socket.create_server(("127.0.0.1", 0))
    pool = ThreadPoolExecutor(16)
    place = Served(installation, remote, listener.getsockname()[1], pool)
    ready, started = threading.Event(), []

    async def watch() -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.005)
            place.longest_step[0] = max(place.longest_step[0], time.perf_counter() - before - 0.005)

    async def main() -> None:
        keys = DataKeys({AES256: remote, OTHER_KIND: remote}, timeout_seconds=timeout_seconds)
        app = Application(settings, installation.db, installation.store, installation.root_key, Metrics(), keys=keys)
        terms = HttpTerms(app.pools.transfers, at_once=app.at_once)
        server = HttpServer(app, terms, grace_seconds=5.0, on_stopping=app.end)
        started.append((server, asyncio.get_running_loop()))
        watching = asyncio.create_task(watch())
        try:
            await server.serve_sockets([listener], None, lambda _: ready.set())
        finally:
            watching.cancel()
            await app.stop()

    def run() -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(main())

    thread = threading.Thread(target=run, name="server")
    with _no_errors_logged():
        thread.start()
        try:
            assert ready.wait(PATIENCE_SECONDS)
            yield place
        finally:
            remote.held.clear()
            pool.shutdown()
            for server, loop in started:
                loop.call_soon_threadsafe(server.stop)
            thread.join(PATIENCE_SECONDS)
            assert not thread.is_alive()
            installation.close()


@contextlib.contextmanager
def _no_errors_logged() -> Iterator[None]:
    seen: list[str] = []

    class Errors(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(record.getMessage())

    handler = Errors(logging.ERROR)
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
    assert seen == []
