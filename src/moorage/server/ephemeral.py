"""A server that keeps nothing: for tests and CI. Everything lies in memory-backed storage that goes with the process.

It is the same server on the same storage engines, in a folder of a file system in memory. A reset makes a fresh installation
beside the old one and swaps them, so a test never meets what another one left. With authentication off, whoever calls is taken
for the root of the account that the access key id names (12 digits), or of the default one; keys that exist keep their owners.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from moorage.auth.credentials import Credential, root_credential
from moorage.metadata.transaction import Transaction
from moorage.model import ids
from moorage.model.principal import Caller, root_arn
from moorage.model.scope import Scope, is_account_id
from moorage.operations.accounts import accounts
from moorage.server.addressing import Listen
from moorage.server.app import Application
from moorage.server.installation import Installation, open_installation
from moorage.server.seeds import Seed, Sower, read_seed
from moorage.server.settings import Settings
from moorage.transfer.work import Pools
from moorage.wire.http import AnswerSoon, AtOnce, Request, Response, Send
from moorage.wire.web.metrics import Metrics

RESETS = frozenset((b"/_moorage/reset", b"/_localstack/state/reset"))
HEALTH = frozenset((b"/_localstack/health", b"/health"))
LOCALSTACK_LISTEN = "127.0.0.1:4566"
LOCALSTACK_KEY = "test"
_JSON = (b"content-type", b"application/json")
_SERVICES = ("ecr", "ecr-public", "iam", "organizations", "sts")


def in_memory_folder() -> Path:
    """A fresh folder, in memory where the system has a file system there."""
    shared = Path("/dev/shm")  # noqa: S108  # a file system in memory, not a predictable name: mkdtemp makes that
    parent = shared if shared.is_dir() and os.access(shared, os.W_OK) else None
    return Path(tempfile.mkdtemp(prefix="moorage-", dir=parent))


def as_ephemeral(settings: Settings) -> Settings:
    """The settings of an ephemeral server: with a root key, and where it is asked for with what scripts for LocalStack expect."""
    if settings.localstack and settings.listen == Settings().listen:
        settings = replace(settings, listen=LOCALSTACK_LISTEN)
    if settings.root_access_key_id:
        return settings
    # The key outlives a reset, so it is chosen here.
    key, secret = (LOCALSTACK_KEY,) * 2 if settings.localstack else (ids.access_key_id(), ids.secret_access_key())
    return replace(settings, root_access_key_id=key, root_secret_access_key=secret)


class _Life:
    """One installation, from a reset to the next, and who callers without authentication are in it."""

    def __init__(self, settings: Settings, pools: Pools, metrics: Metrics) -> None:
        self.folder = in_memory_folder()
        self.settings = replace(settings, data=str(self.folder))
        self.installation: Installation = open_installation(self.settings, {})
        self.roots: dict[str, str] = {}
        self._making = asyncio.Lock()
        db, root_key = self.installation.db, self.installation.root_key
        identities = self if settings.authentication == "off" else None
        self.app = Application(self.settings, db, self.installation.store, root_key, metrics, pools=pools, identities=identities)

    async def begin(self, seed: Seed | None, folder: Path, listen: Listen) -> None:
        """Make the default account and what the seed says, and begin the background work."""
        settings, db, root_key = self.settings, self.installation.db, self.installation.root_key
        await db.write(accounts.ensure_bootstrap, root_key, settings.account_id, "default", settings.root_key_pair)
        self.roots[settings.account_id] = settings.root_access_key_id
        if seed is not None:
            await Sower(settings, db, root_key, self.app, self.roots).sow(seed, folder)
        await self.app.start(listen)

    async def end(self) -> None:
        """Give everything back."""
        await self.app.stop()
        self.installation.close()
        await asyncio.to_thread(shutil.rmtree, self.folder, True)

    async def credential(self, access_key_id: str, /) -> Credential:
        """Who a request is taken for: the owner of a key that exists, else an account's root."""
        found = await self.installation.db.lookup(accounts.find_active_key, access_key_id)
        if found is not None:
            return accounts.open_credential(self.installation.root_key, *found)
        account = access_key_id if is_account_id(access_key_id) else self.settings.account_id
        async with self._making:
            if account not in self.roots:
                self.roots[account] = await self.installation.db.write(self._add_account, account)
        return root_credential(self.roots[account], "", account)

    def _add_account(self, tx: Transaction, account: str) -> str:
        added = accounts.add_account(tx, account, account)
        return accounts.create_root_key(tx, self.installation.root_key, added).access_key_id

    def caller(self, scope: Scope, /) -> Caller | None:
        """Who somebody without a token is taken for: the root of the account whose registry it is, if there is that account."""
        key = self.roots.get(scope.registry_id)
        return None if key is None else Caller(key, scope.registry_id, scope.registry_id, root_arn(scope.registry_id))


class EphemeralApplication:
    """The ASGI callable of an ephemeral server: the present installation's application, health, and the reset."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self.pools = Pools(remote=False)
        self._settings, self._metrics = settings, metrics
        self._seed_file = Path(settings.seed) if settings.seed else None
        self._listen: Listen = _listen_nowhere
        self._life: _Life | None = None
        self._resetting = asyncio.Lock()

    async def start(self, listen: Listen) -> None:
        """Make the first installation. Raises SeedInvalid."""
        self._listen = listen
        await self._begin()

    async def _begin(self) -> None:
        seed = read_seed(self._seed_file) if self._seed_file is not None else None
        life = _Life(self._settings, self.pools, self._metrics)
        try:
            await life.begin(seed, self._seed_file.parent if self._seed_file else Path(), self._listen)
        except BaseException:
            life.installation.close()
            shutil.rmtree(life.folder, ignore_errors=True)
            raise
        before, self._life = self._life, life
        if before is not None:
            await before.end()

    def end(self) -> None:
        """See `Application.end`."""
        if self._life is not None:
            self._life.app.end()

    async def stop(self) -> None:
        """End, and leave nothing behind."""
        if self._life is not None:
            await self._life.end()
        self.pools.close()

    def at_once(self, scope: Any) -> AtOnce | AnswerSoon | None:
        """See `Application.at_once`."""
        return self._life.app.at_once(scope) if self._life is not None else None

    async def __call__(self, scope: Any, receive: Callable[[], Awaitable[Any]], send: Send) -> None:
        """Answer one HTTP request."""
        if scope["type"] != "http":
            return
        raw: bytes = scope["raw_path"]
        if raw in RESETS:
            await self._reset(Request(scope, receive), send)
        elif raw in HEALTH:
            body = {"services": dict.fromkeys(_SERVICES, "running"), "edition": "moorage", "version": "0"}
            await Response(200, msgspec.json.encode(body), [_JSON]).send(send, head=scope["method"] == "HEAD")
        else:
            assert self._life is not None
            await self._life.app(scope, receive, send)

    async def _reset(self, request: Request, send: Send) -> None:
        if request.method != "POST":
            await Response(405, b"", [(b"allow", b"POST")]).send(send)
            return
        async with self._resetting:
            await self._begin()
        await Response(200, b'{"status":"reset"}\n', [_JSON]).send(send)


async def _listen_nowhere(_address: str) -> bool:
    return False
