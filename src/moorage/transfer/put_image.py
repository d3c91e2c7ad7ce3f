"""Pushes of manifests: sealed between two transactions, the second of which checks that it was for the right repository."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from moorage.keys.data_keys import DataKeys
from moorage.metadata.database import Database, DatabaseUnavailable
from moorage.metadata.records import Repository
from moorage.model.errors import KeyUnusable
from moorage.model.names import RepositoryName
from moorage.model.principal import Caller
from moorage.model.scope import Scope
from moorage.operations.images import push
from moorage.operations.images.push import Pushed, PutOutcome, SealedPayload
from moorage.operations.seals import SealOvertaken
from moorage.transfer.payloads import seal_payload
from moorage.transfer.work import Pools

ROUNDS = 5
"""How often it is sealed at most: each time somebody has deleted the repository and created it again meanwhile."""
_KNOWN = 1024


class KnownRepositories:
    """Repositories as the last push has found them. Belongs to the event loop.

    A guess that spares a look-up: `put_image` checks in its transaction that it sealed for the right one. Good enough for a
    provider that answers at once; on behalf of whom another one is asked has to be decided first.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[Scope, RepositoryName], Repository] = {}

    def find(self, scope: Scope, name: RepositoryName) -> Repository | None:
        """The repository, if one is known by that name."""
        return self._kept.get((scope, name))

    def keep(self, repository: Repository) -> None:
        """Remember what seals a repository."""
        if len(self._kept) >= _KNOWN:
            self._kept.clear()
        self._kept[repository.scope, repository.name] = replace(repository, policy=None, policy_bindings=None)

    def forget(self, scope: Scope, name: RepositoryName) -> None:
        """It was another one."""
        self._kept.pop((scope, name), None)


async def put_image(
    db: Database,
    keys: DataKeys,
    pools: Pools,
    caller: Caller,
    scope: Scope,
    name: RepositoryName,
    pushed: Pushed,
    claimed: str | None,
    new_tags: Sequence[str],
) -> PutOutcome:
    """`operations.images.push.put_image` with the manifest's bytes sealed for it. Raises what that raises."""
    known = db.memory.of(KnownRepositories)
    for _ in range(ROUNDS):
        repository = known.find(scope, name)
        if repository is None or not keys.answers_at_once(repository.seal):
            repository = await db.lookup(push.may_put_image, caller, scope, name, pushed, claimed, new_tags)
            if repository is not None:
                known.keep(repository)
        sealed: SealedPayload | KeyUnusable | None = None
        if repository is not None:
            try:
                sealed = await seal_payload(keys, pools, repository, pushed.digest, pushed.data)
            except KeyUnusable as unusable:  # told where its turn is: what else is wrong with the push comes first
                sealed = unusable
        try:
            return await db.write(push.put_image, caller, scope, name, pushed, sealed, claimed, new_tags)
        except SealOvertaken:
            known.forget(scope, name)
    raise DatabaseUnavailable("the repository is deleted and created again all the time")
