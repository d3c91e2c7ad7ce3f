"""An installation opened: data folder, root key, database, blob store. Shared by the server and the offline commands."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from moorage.keys.root_key import RootKey, RootKeyError, load_root_key
from moorage.metadata import migrate, registries
from moorage.metadata.database import Database, DatabaseUnavailable
from moorage.metadata.opening import open_database
from moorage.metadata.transaction import Transaction
from moorage.server.settings import Settings
from moorage.storage.blob_store import BlobStore, StoreUnavailable
from moorage.storage.open_store import open_store


class InstallationError(Exception):
    """It cannot be opened; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Installation:
    """What is open."""

    settings: Settings
    root_key: RootKey
    db: Database
    store: BlobStore

    def close(self) -> None:
        """Let go of it."""
        self.db.close()
        self.store.close()


def open_installation(settings: Settings, environment: Mapping[str, str], *, may_create: bool = True) -> Installation:
    """Open, and at the first start make, everything that lies under the data folder or behind the URLs.

    Args:
        may_create: False for commands that make no sense without an installation.

    Raises:
        InstallationError: no root key, another root key than the one that sealed the database, a database of a newer version, a
            database or a blob store that does not answer.
    """
    data = settings.data_folder
    url = settings.effective_database_url
    try:
        is_new = migrate.current(url) is None
        if is_new and not may_create:
            place = "the database of database_url" if settings.database_url else data
            raise InstallationError(
                f"there is no installation in {place}: start it once with moorage serve, or name it by --data"
            )
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        root_key = load_root_key(data, environment, may_create=is_new)
        db = open_database(
            url,
            connections=settings.database_connections,
            timeout_seconds=settings.database_timeout_seconds,
        )
    except (RootKeyError, migrate.SchemaTooNew, DatabaseUnavailable, ValueError) as error:
        raise InstallationError(str(error)) from None
    known = db.run_write(_seal_of, root_key.id)
    if known != root_key.id:
        db.close()
        raise InstallationError(
            f"the database was sealed with root key {known}, but {root_key.origin} holds root key {root_key.id}"
        )
    try:
        store = open_store(settings.effective_blob_store_url, settings.blob_store_environment(environment))
    except (StoreUnavailable, ValueError) as error:
        db.close()
        raise InstallationError(f"blob_store_url: {error}") from None
    return Installation(settings, root_key, db, store)


def _seal_of(tx: Transaction, root_key_id: str) -> str:
    """The id of the root key that sealed this database; the first one to come is written down."""
    registries.set_installation_fact(tx, "root-key", root_key_id)
    return registries.installation_fact(tx, "root-key") or ""


@contextmanager
def exclusive(data: Path) -> Iterator[None]:
    """Hold the data folder against a second server. Raises InstallationError."""
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(data / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InstallationError(f"another server works on {data}: stop it, or choose another folder with --data") from None
        yield
    finally:
        os.close(descriptor)
