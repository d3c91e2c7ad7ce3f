"""Repositories and manifests without a server, for those who call the use cases themselves: what needs a key gets it first."""

from __future__ import annotations

import asyncio

from moorage.keys.data_keys import DataKeys
from moorage.keys.local_keyring import LocalKeyring
from moorage.keys.root_key import RootKey
from moorage.metadata.database import Database
from moorage.metadata.records import Repository
from moorage.model.names import RepositoryName
from moorage.model.principal import Caller
from moorage.model.scope import Scope
from moorage.model.seal import AES256, SealKey
from moorage.operations.images.push import Pushed, SealedPayload
from moorage.operations.repository import repositories
from moorage.operations.repository.repositories import RepositoryRequest
from moorage.transfer.payloads import seal_payload
from moorage.transfer.work import Pools


class SealedPushes:
    """Seals under the registries' own keys. What is not asynchronous is for threads without an event loop."""

    def __init__(self, root_key: RootKey) -> None:
        self._provider = LocalKeyring(root_key)
        self._pools = Pools(remote=False)

    def keys(self) -> DataKeys:
        """Data keys, for one event loop."""
        return DataKeys({AES256: self._provider})

    def seal_key(self) -> SealKey:
        """What `create_repository` takes for the first repository of a registry."""
        return asyncio.run(self._provider.new_seal_key(""))

    def create(self, db: Database, caller: Caller, scope: Scope, name: RepositoryName) -> Repository:
        """A new repository."""
        return db.run_write(repositories.create_repository, caller, scope, RepositoryRequest(name), self.seal_key())

    async def seal(self, repository: Repository, pushed: Pushed) -> SealedPayload:
        """What `put_image` takes."""
        return await seal_payload(self.keys(), self._pools, repository, pushed.digest, pushed.data)

    def sealed(self, repository: Repository, pushed: Pushed) -> SealedPayload:
        """`seal` for one."""
        return asyncio.run(self.seal(repository, pushed))
