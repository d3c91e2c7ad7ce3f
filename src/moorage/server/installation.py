"""An installation opened: data folder, root key, database, blob store. Shared by the server and the offline commands."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from moorage.files import whole
from moorage.keys.root_key import RootKey, RootKeyError, load_root_key
from moorage.metadata import faults, migrate
from moorage.metadata.database import Database, DatabaseUnavailable, DatabaseUnusable
from moorage.metadata.opening import open_database
from moorage.metadata.registry import registries
from moorage.metadata.transaction import Transaction
from moorage.model.errors import StorageFull
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
        may_create: False for commands: they make nothing, change no schema, and look into what cannot be written.

    Raises:
        InstallationError: no root key, another root key than the one that sealed the database, a database of another version that
            may not be brought to this one, a database or a blob store that does not answer or cannot be used.
    """
    data = settings.data_folder
    url = settings.effective_database_url
    with telling("the database" if settings.database_url else str(data / "moorage.db")):
        is_new = migrate.current(url) is None
        if is_new and not may_create:
            place = "the database of database_url" if settings.database_url else data
            raise InstallationError(
                f"there is no installation in {place}: start it once with moorage serve, or name it by --data"
            )
        if may_create:
            make_folder(data)
        root_key = load_root_key(data, environment, may_create=is_new)
        db = open_database(
            url,
            migrate_schema=may_create,
            connections=settings.database_connections,
            timeout_seconds=settings.database_timeout_seconds,
        )
        try:
            known = db.run_read(registries.installation_fact, "root-key") or db.run_write(_seal, root_key.id)
            if known != root_key.id:
                raise InstallationError(
                    f"the database was sealed with root key {known}, but {root_key.origin} holds root key {root_key.id}: name "
                    "the right one by MOORAGE_ROOT_KEY_FILE or MOORAGE_ROOT_KEY"
                )
            store = _open_store(settings, environment)
        except BaseException:
            db.close()
            raise
    return Installation(settings, root_key, db, store)


_EXPECTED = (InstallationError, RootKeyError, DatabaseUnavailable, DatabaseUnusable, StorageFull, ValueError)


@contextmanager
def telling(place: str = "the database") -> Iterator[None]:
    """Errors of what an installation consists of become InstallationError; others go on. `place`: what the database is called."""
    try:
        yield
    except _EXPECTED as error:
        raise InstallationError(str(error)) from None
    except OSError as error:
        raise InstallationError(f"{error.filename}: {error.strerror}" if error.filename else str(error)) from None
    except Exception as error:
        said = faults.in_words(error, place)
        if said is None:
            raise
        raise InstallationError(str(said)) from None


def _open_store(settings: Settings, environment: Mapping[str, str]) -> BlobStore:
    try:
        return open_store(settings.effective_blob_store_url, settings.blob_store_environment(environment))
    except (StoreUnavailable, StorageFull, ValueError) as error:
        raise InstallationError(f"blob_store_url: {error}") from None


def _seal(tx: Transaction, root_key_id: str) -> str:
    """The id of the root key that sealed this database; the first one to come is written down."""
    registries.set_installation_fact(tx, "root-key", root_key_id)
    return registries.installation_fact(tx, "root-key") or ""


def make_folder(data: Path) -> None:
    """Make the data folder, unless it is there. Raises InstallationError."""
    try:
        whole.make_folder(data)
    except (FileExistsError, NotADirectoryError):
        raise InstallationError(f"{data} is no folder: name another one by --data") from None
    except OSError as error:
        raise InstallationError(f"{data} cannot be made: {error.strerror}; name another folder by --data") from None


@contextmanager
def exclusive(data: Path) -> Iterator[None]:
    """Hold the data folder against a second server. Raises InstallationError."""
    make_folder(data)
    try:
        descriptor = os.open(data / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise InstallationError(f"{data} cannot be written: {error.strerror}; a server keeps its data there (--data)") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InstallationError(f"another server works on {data}: stop it, or choose another folder with --data") from None
        except OSError as error:
            raise InstallationError(f"{data} cannot be locked: {error.strerror}; its file system must know flock") from None
        yield
    finally:
        os.close(descriptor)
