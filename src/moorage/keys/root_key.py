"""The server's root key: what every other key hangs on, and where it is kept.

Looked for in this order: `MOORAGE_ROOT_KEY` (base64 of 32 bytes), `MOORAGE_ROOT_KEY_FILE`, the systemd credential
`moorage-root-key`, and last ``root.key`` in the data folder, which is made on the first start so that nobody loses data by
copying a folder without its key. It is meant to be moved elsewhere afterwards; `moorage doctor` says so while it lies beside
the data.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import logging
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from moorage.files import whole
from moorage.keys.envelope import KEY_BYTES, Context, Envelope, WrongKey, key_id

logger = logging.getLogger("moorage.keys")

FILE_NAME = "root.key"
_CREDENTIAL = "moorage-root-key"
_TEXT_BYTES = (KEY_BYTES + 2) // 3 * 4
"""Length of a key in base64."""


class RootKeyError(Exception):
    """No usable root key; the message says what to do."""


@dataclass(frozen=True, slots=True)
class _Found:
    key: bytes
    origin: str
    beside_data: bool


class RootKey:
    """The root key. Its bytes leave this object only as derived or wrapped keys."""

    def __init__(self, key: bytes, origin: str, *, beside_data: bool = False) -> None:
        self._key = key
        self._envelope = Envelope(key)
        self.origin = origin
        self.beside_data = beside_data
        self.id = key_id(key)

    def wrap(self, plaintext: bytes, context: Context) -> bytes:
        """A key under the root key."""
        return self._envelope.wrap(plaintext, context)

    def unwrap(self, wrapped: bytes, context: Context) -> bytes:
        """What `wrap` was given. Raises WrongKey."""
        return self._envelope.unwrap(wrapped, context)

    def seal_secret(self, secret: bytes, context: Context) -> bytes:
        """A small secret for the database."""
        return self._envelope.wrap(secret, {"secret": "1", **context})

    def open_secret(self, sealed: bytes, context: Context) -> bytes:
        """What `seal_secret` was given. Raises RootKeyError."""
        try:
            return self._envelope.unwrap(sealed, {"secret": "1", **context})
        except WrongKey as error:
            raise RootKeyError(f"a secret of the database does not open with the root key from {self.origin}: {error}") from None

    def derive(self, purpose: str) -> bytes:
        """A key for one purpose that every node with this root key derives alike (HKDF-SHA256)."""
        return HKDF(hashes.SHA256(), KEY_BYTES, salt=None, info=b"moorage " + purpose.encode()).derive(self._key)


def load_root_key(data: Path, environment: Mapping[str, str], *, may_create: bool) -> RootKey:
    """Find the root key, or make it at the very first start.

    Args:
        data: the data folder.
        may_create: False where a database exists already: a new key could not open it.

    Raises:
        RootKeyError: none found, malformed, or readable by others.
    """
    if may_create:
        _put_half_key_aside(data / FILE_NAME)
    found = _look(data, environment)
    if found is None:
        if not may_create:
            raise RootKeyError(
                f"there is a database but no root key: put the key's file back at {data / FILE_NAME}, or name it by "
                "MOORAGE_ROOT_KEY_FILE or MOORAGE_ROOT_KEY"
            )
        found = _create(data / FILE_NAME)
    return RootKey(found.key, found.origin, beside_data=found.beside_data)


def _look(data: Path, environment: Mapping[str, str]) -> _Found | None:
    if text := environment.get("MOORAGE_ROOT_KEY"):
        return _Found(_parse(text, "MOORAGE_ROOT_KEY"), "the environment (MOORAGE_ROOT_KEY)", beside_data=False)
    if named := environment.get("MOORAGE_ROOT_KEY_FILE"):
        path = Path(named)
        return _Found(_read(path), f"the file {path}", beside_data=path.resolve().is_relative_to(data.resolve()))
    if folder := environment.get("CREDENTIALS_DIRECTORY"):
        credential = Path(folder) / _CREDENTIAL
        if credential.exists():
            return _Found(_read(credential), f"the systemd credential {_CREDENTIAL}", beside_data=False)
    path = data / FILE_NAME
    return _Found(_read(path), f"the file {path}", beside_data=True) if path.exists() else None


def _read(path: Path) -> bytes:
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise RootKeyError(f"the root key {path} can be read by others: run chmod 600 {path}")
        return _parse(path.read_text("ascii"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise RootKeyError(f"the root key {path} cannot be read: {error}") from None


def _parse(text: str, origin: str) -> bytes:
    stripped = text.strip()
    try:
        key = base64.b64decode(stripped, validate=True)
    except binascii.Error:
        key = b""
    if len(key) != KEY_BYTES:
        raise RootKeyError(
            f"{origin} must hold the base64 of {KEY_BYTES} bytes, {_TEXT_BYTES} characters, and has {len(stripped)}: put a copy "
            f"of the key back. Only for a server that holds nothing yet, make one: openssl rand -base64 {KEY_BYTES}"
        )
    return key


def _put_half_key_aside(path: Path) -> None:
    """Before there is a database: what an early version, ended while it wrote the key in place, has left of it.

    Nothing was ever sealed with it. It is kept all the same: this database may be the wrong one.
    """
    try:
        content = path.read_bytes().strip()
    except OSError:
        return
    if len(content) >= _TEXT_BYTES:
        return
    number = 1
    while (aside := path.with_name(f"{path.name}.half-{number}")).exists():
        number += 1
    with contextlib.suppress(OSError):
        path.rename(aside)
        logger.warning("%s held %d of %d characters; it is %s now, and a new key is made", path, len(content), _TEXT_BYTES, aside)


def _create(path: Path) -> _Found:
    key = os.urandom(KEY_BYTES)
    try:
        whole.create(path, base64.b64encode(key) + b"\n")
    except FileExistsError:
        raise RootKeyError(f"another process has just made the root key {path}: start again") from None
    except OSError as error:
        raise RootKeyError(f"the root key {path} cannot be written: {error.strerror}") from None
    return _Found(key, f"the file {path}", beside_data=True)
