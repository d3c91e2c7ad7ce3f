"""Pushes of manifests: sealed between two transactions, the second of which checks that it was for the right repository."""

from __future__ import annotations

from collections.abc import Sequence

from moorage.keys.data_keys import DataKeys
from moorage.metadata.database import Database, DatabaseUnavailable
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
    for _ in range(ROUNDS):
        repository = await db.lookup(push.may_put_image, caller, scope, name, pushed, claimed, new_tags)
        sealed: SealedPayload | KeyUnusable | None = None
        if repository is not None:
            try:
                sealed = await seal_payload(keys, pools, repository, pushed.digest, pushed.data)
            except KeyUnusable as unusable:  # told where its turn is: what else is wrong with the push comes first
                sealed = unusable
        try:
            return await db.write(push.put_image, caller, scope, name, pushed, sealed, claimed, new_tags)
        except SealOvertaken:
            continue
    raise DatabaseUnavailable("the repository is deleted and created again all the time")
