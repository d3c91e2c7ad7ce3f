"""The server's root key: where it comes from, and what is refused.

In this order: ``MOORAGE_ROOT_KEY`` (base64 of 32 bytes), the file that ``MOORAGE_ROOT_KEY_FILE`` names, the systemd credential
``moorage-root-key``, else ``<data>/root.key``, which is made at the first start. Files hold base64 or the 32 bytes themselves.
Whoever loses the root key loses every blob.
"""

from __future__ import annotations

import base64
import binascii
import os
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from moorage.keys.envelope import KEY_SIZE, WrappingKey

KEY_VARIABLE = "MOORAGE_ROOT_KEY"
FILE_VARIABLE = "MOORAGE_ROOT_KEY_FILE"
CREDENTIAL = "moorage-root-key"
FILE_NAME = "root.key"


class RootKeyError(Exception):
    """There is no usable root key; the message says what to do."""


class RootKeyOrigin(StrEnum):
    """Where the root key came from. The last two lie beside the data that they protect: worth a warning."""

    ENVIRONMENT = "environment"
    FILE = "file"
    CREDENTIAL = "credential"
    DATA_FOLDER = "data folder"
    CREATED = "created in the data folder"


@dataclass(frozen=True, slots=True)
class RootKey:
    """The root key and what an operator should know about it."""

    key: WrappingKey
    origin: RootKeyOrigin
    location: str
    """The variable or file, for messages."""

    @property
    def lies_beside_data(self) -> bool:
        """Whether a copy of the data folder is also a copy of the key."""
        return self.origin in (RootKeyOrigin.DATA_FOLDER, RootKeyOrigin.CREATED)


def load_root_key(data: Path, environment: Mapping[str, str], *, database_exists: bool) -> RootKey:
    """Find the root key, or make one for a new server.

    `database_exists`: the server has data already, so a new key would fit nothing and is not made. Raises RootKeyError.
    """
    if text := environment.get(KEY_VARIABLE):
        return RootKey(WrappingKey(_parse(text.encode(), KEY_VARIABLE)), RootKeyOrigin.ENVIRONMENT, KEY_VARIABLE)
    if name := environment.get(FILE_VARIABLE):
        return _from_file(Path(name), RootKeyOrigin.FILE, refused=stat.S_IRWXO | stat.S_IWGRP)
    if (folder := environment.get("CREDENTIALS_DIRECTORY")) and (credential := Path(folder) / CREDENTIAL).exists():
        return _from_file(credential, RootKeyOrigin.CREDENTIAL, refused=stat.S_IRWXO | stat.S_IWGRP)
    path = data / FILE_NAME
    if path.exists():
        return _from_file(path, RootKeyOrigin.DATA_FOLDER, refused=stat.S_IRWXO | stat.S_IRWXG)
    if database_exists:
        raise RootKeyError(
            f"{path} is missing, but there is a database that was made with a root key. Put the file back from the backup, or "
            f"set {KEY_VARIABLE} or {FILE_VARIABLE}. A new key could not open anything that is stored."
        )
    if _create(path):
        return _from_file(path, RootKeyOrigin.CREATED, refused=stat.S_IRWXO | stat.S_IRWXG)
    return _from_file(path, RootKeyOrigin.DATA_FOLDER, refused=stat.S_IRWXO | stat.S_IRWXG)


def _from_file(path: Path, origin: RootKeyOrigin, refused: int) -> RootKey:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            mode = os.fstat(descriptor).st_mode
            content = os.read(descriptor, 4096)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise RootKeyError(f"the root key file {path} cannot be read: {error.strerror}") from error
    if mode & refused:
        raise RootKeyError(f"the root key file {path} is open to others (mode {stat.S_IMODE(mode):04o}): run chmod 0600 on it")
    return RootKey(WrappingKey(_parse(content, str(path))), origin, str(path))


def _parse(content: bytes, source: str) -> bytes:
    if len(content) == KEY_SIZE:
        return content
    try:
        key = base64.b64decode(content.strip(), validate=True)
    except binascii.Error:
        key = b""
    if len(key) != KEY_SIZE:
        raise RootKeyError(f"{source} does not hold a root key: 32 bytes in base64, as `openssl rand -base64 32` prints them")
    return key


def _create(path: Path) -> bool:
    """Make a new key file, durable and whole before it has its name; False if another process was first."""
    draft = path.with_name(f".{FILE_NAME}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, base64.b64encode(secrets.token_bytes(KEY_SIZE)) + b"\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        try:
            os.link(draft, path)  # unlike a rename it does not replace a key that another process has just made
        except FileExistsError:
            return False
        finally:
            draft.unlink()
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise RootKeyError(f"no root key can be made in {path.parent}: {error.strerror}") from error
    return True
