"""Pulls of images, written down: how many, and when the last one was."""

from __future__ import annotations

from moorage.metadata.identity import identities
from moorage.metadata.images import manifests
from moorage.metadata.registry import pull_time_exclusions
from moorage.metadata.transaction import ReadTransaction, Transaction


def record_pulls(tx: Transaction, pulls: dict[tuple[int, str], tuple[int, int]]) -> None:
    """Add pulls of manifests: id and who pulled -> (time of the last one, how many).

    The pulls of those whom a registry excludes (`pull_time_exclusions`) are counted and leave the time of the last one alone.
    """
    excluded = pull_time_exclusions.of_manifests(tx, sorted({manifest_id for manifest_id, _ in pulls}))
    for (manifest_id, principal_id), (at, count) in sorted(pulls.items()):
        is_excluded = manifest_id in excluded and _arn_of(tx, principal_id) in excluded[manifest_id]
        manifests.count_pulls(tx, manifest_id, 0 if is_excluded else at, count)


def _arn_of(tx: ReadTransaction, principal_id: str) -> str | None:
    """The ARN of a user or a role, whose sessions have its id; None for a root and for one that is gone."""
    found = identities.find_by_id(tx, principal_id)
    return found.arn if found is not None else None
