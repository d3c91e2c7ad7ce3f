"""The seed of an ephemeral server: accounts, users, repositories and images that it holds at its start and after a reset.

A JSON file; every part may be left out, and a member that nobody knows is an error::

    {
      "accounts": [{"id": "111122223333", "name": "team", "access_key_id": "...", "secret_access_key": "..."}],
      "users": [{"name": "ci", "access_key_id": "...", "secret_access_key": "..",
                 "policies": {"p": {...}}, "attached": ["..."]}],
      "repositories": [{"name": "app", "tag_mutability": "IMMUTABLE", "tags": {"team": "a"}, "policy": {...}}],
      "images": [{"repository": "app", "tag": "v1", "layout": "folder of an OCI image layout, relative to the file"}]
    }

Users, repositories and images take an `account_id`, the latter two a `region`; the server's own if they have none.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import msgspec

from moorage.keys.data_keys import DataKeys
from moorage.keys.root_key import RootKey
from moorage.metadata.database import Database
from moorage.metadata.transaction import Transaction
from moorage.model import media_types
from moorage.model.digest import parse_digest
from moorage.model.errors import DomainError
from moorage.model.names import RepositoryName, parse_repository_name
from moorage.model.principal import Caller, root_arn
from moorage.model.scope import Scope
from moorage.model.seal import SealKey
from moorage.operations.accounts import accounts
from moorage.operations.identity import access_keys, attachments, inline_policies, users
from moorage.operations.images import push
from moorage.operations.repository import policy as repository_policy
from moorage.operations.repository import repositories
from moorage.server.settings import Settings
from moorage.transfer.creating import with_seal_key
from moorage.transfer.put_image import put_image
from moorage.transfer.receive import Body, Receiver
from moorage.transfer.work import Pools


class SeedInvalid(Exception):
    """The file cannot be used; the message says why."""


class _Part(msgspec.Struct, forbid_unknown_fields=True):
    """Members are exactly those named."""


class AccountSeed(_Part):
    """An account with the key of its root."""

    id: str
    name: str = "seeded"
    access_key_id: str = ""
    secret_access_key: str = ""


class UserSeed(_Part):
    """A user, its key and its policies: documents by name, and ARNs of managed ones."""

    name: str
    account_id: str = ""
    access_key_id: str = ""
    secret_access_key: str = ""
    policies: dict[str, Any] = {}
    attached: list[str] = []


class RepositorySeed(_Part):
    """A repository."""

    name: str
    account_id: str = ""
    region: str = ""
    tag_mutability: str = "MUTABLE"
    tags: dict[str, str] = {}
    policy: dict[str, Any] | None = None


class ImageSeed(_Part):
    """An image from an OCI layout on disk. Without `tag` it is pushed by digest."""

    repository: str
    layout: str
    tag: str | None = None
    account_id: str = ""
    region: str = ""


class Seed(_Part):
    """The whole file."""

    accounts: list[AccountSeed] = []
    users: list[UserSeed] = []
    repositories: list[RepositorySeed] = []
    images: list[ImageSeed] = []


def read_seed(path: Path) -> Seed:
    """The seed in a file. Raises SeedInvalid."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Seed)
    except (OSError, msgspec.DecodeError) as error:
        raise SeedInvalid(f"{path}: {error}") from None


class Door(Protocol):
    """What pushes go through: of an application."""

    keys: DataKeys
    pools: Pools
    receiver: Receiver


class Sower:
    """Puts a seed into a fresh installation, by the use cases that everybody else's requests go through."""

    def __init__(self, settings: Settings, db: Database, root_key: RootKey, door: Door, roots: dict[str, str]) -> None:
        self._settings, self._db, self._root_key, self._door = settings, db, root_key, door
        self._roots = roots  # account id to the id of a key of its root

    async def sow(self, seed: Seed, folder: Path) -> None:
        """Everything in the seed. `folder` is what paths in it are relative to. Raises SeedInvalid."""
        try:
            for account in seed.accounts:
                await self._account(account)
            for user in seed.users:
                await self._db.write(self._user, user)
            for repository in seed.repositories:
                await with_seal_key(self._door.keys, partial(self._make_repository, repository))
            for image in seed.images:
                await self._image(image, folder)
        except (DomainError, OSError, KeyError, ValueError, TypeError) as error:
            raise SeedInvalid(f"the seed cannot be used: {type(error).__name__}: {error}") from None

    async def _account(self, account: AccountSeed) -> None:
        given = (account.access_key_id, account.secret_access_key) if account.access_key_id else None

        def make(tx: Transaction) -> str:
            added = accounts.add_account(tx, account.id, account.name)
            return accounts.create_root_key(tx, self._root_key, added, given).access_key_id

        self._roots[account.id] = await self._db.write(make)

    def _root(self, account_id: str) -> Caller:
        owner = account_id or self._settings.account_id
        return Caller(self._roots[owner], owner, owner, root_arn(owner))

    def _scope(self, account_id: str, region: str) -> Scope:
        return Scope.of(region or self._settings.region, account_id or self._settings.account_id)

    def _user(self, tx: Transaction, user: UserSeed) -> None:
        root = self._root(user.account_id)
        users.create_user(tx, root, user.name, "/", None, [])
        if user.access_key_id:
            given = (user.access_key_id, user.secret_access_key)
            access_keys.create_access_key(tx, self._root_key, root, user.name, given)
        for name, document in user.policies.items():
            inline_policies.put_policy(tx, root, "user", user.name, name, json.dumps(document))
        for arn in user.attached:
            attachments.attach_policy(tx, root, "user", user.name, arn)

    async def _make_repository(self, seed: RepositorySeed, seal_key: SealKey | None) -> None:
        await self._db.write(self._repository, seed, seal_key)

    def _repository(self, tx: Transaction, seed: RepositorySeed, seal_key: SealKey | None) -> None:
        root, scope = self._root(seed.account_id), self._scope(seed.account_id, seed.region)
        name = parse_repository_name(seed.name)
        request = repositories.RepositoryRequest(name, tuple(seed.tags.items()), tag_mutability=seed.tag_mutability)
        repositories.create_repository(tx, root, scope, request, seal_key)
        if seed.policy is not None:
            repository_policy.set_repository_policy(tx, root, scope, name, json.dumps(seed.policy), force=True)

    async def _image(self, seed: ImageSeed, folder: Path) -> None:
        layout = folder / seed.layout
        (entry, *others) = json.loads((layout / "index.json").read_text())["manifests"]
        if others:
            raise ValueError(f"{layout} holds several images: one is wanted")
        place = (self._root(seed.account_id), self._scope(seed.account_id, seed.region), parse_repository_name(seed.repository))
        await self._manifest(layout, entry, place, [seed.tag] if seed.tag else [])

    async def _manifest(
        self, layout: Path, descriptor: dict[str, Any], place: tuple[Caller, Scope, RepositoryName], tags: list[str]
    ) -> None:
        data = _blob(layout, descriptor["digest"])
        document = json.loads(data)
        if descriptor.get("mediaType") in media_types.INDEXES:
            for child in document["manifests"]:
                await self._manifest(layout, child, place, [])
        else:
            for part in (document["config"], *document["layers"]):
                digest = parse_digest(part["digest"])
                await self._door.receiver.put_blob(*place, digest, Body.of(_blob(layout, digest)))
        pushed = push.read_push(data, descriptor.get("mediaType"), descriptor["digest"])
        await put_image(self._db, self._door.keys, self._door.pools, *place, pushed, descriptor["digest"], tags)


def _blob(layout: Path, digest: str) -> bytes:
    algorithm, _, name = parse_digest(digest).partition(":")
    return (layout / "blobs" / algorithm / name).read_bytes()
