"""Point a tag at an image, with a line of the tag's history that says who did it and why."""

from __future__ import annotations

from typing import Literal

from moorage.metadata.images import tags
from moorage.metadata.records import Repository
from moorage.metadata.transaction import Transaction
from moorage.model.digest import Digest
from moorage.model.errors import TagImmutable
from moorage.model.names import Tag
from moorage.operations.images.tag_mutability import is_mutable

Reason = Literal["push", "rollback", "promotion", "replication", "lifecycle"]
"""Why a tag was moved, as the history keeps it."""


def point(tx: Transaction, repository: Repository, tag: Tag, manifest_id: int, digest: Digest, by: str, reason: Reason) -> bool:
    """Point a tag at a manifest; False if it does already. Raises TagImmutable.

    Args:
        by: the ARN of whoever does it.
    """
    while (target := tags.lock_target(tx, repository.id, tag)) is None:
        # A tag that is not there cannot be locked: of several pushes one adds it, the others look again at what it set.
        if tags.add(tx, repository.id, tag, manifest_id, digest, by, reason):
            return True
    if target[1] == digest:
        return False
    if not is_mutable(repository.tag_mutability, repository.mutability_filters, tag):
        raise TagImmutable(repository.scope.registry_id, repository.name, tag)
    tags.move(tx, repository.id, tag, manifest_id, digest, target[1], by, reason)
    return True
