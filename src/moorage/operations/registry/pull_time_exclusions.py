"""Principals whose pulls do not count as the last pull of an image: scanners, mirrors, backups.

Source: ECR RegisterPullTimeUpdateExclusion, DeregisterPullTimeUpdateExclusion, ListPullTimeUpdateExclusions. They are obeyed
where pulls are written down (`usage.pulls.record_pulls`).
"""

from __future__ import annotations

from moorage.auth.authorize import Question, authorize
from moorage.metadata.registry import pull_time_exclusions, registries
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.model.errors import LimitExceeded
from moorage.model.principal import Caller
from moorage.model.registry_errors import ExclusionExists, ExclusionNotFound
from moorage.model.scope import Scope
from moorage.operations import quotas


def register_pull_time_update_exclusion(tx: Transaction, caller: Caller, scope: Scope, arn: str) -> None:
    """Exclude a user or a role, with all sessions of it. Raises ExclusionExists, LimitExceeded."""
    authorize(tx, caller, Question("ecr:RegisterPullTimeUpdateExclusion", scope, "*"))
    registry = registries.hold(tx, scope)
    if not pull_time_exclusions.insert(tx, registry, arn):
        raise ExclusionExists(scope.registry_id, arn)
    if pull_time_exclusions.count_in(tx, registry) > (most := quotas.limit(tx, "pull_time_exclusions")):
        raise LimitExceeded(f"The maximum number of pull time update exclusions ({most}) has been reached")


def deregister_pull_time_update_exclusion(tx: Transaction, caller: Caller, scope: Scope, arn: str) -> None:
    """Let the principal's pulls count again. Raises ExclusionNotFound."""
    authorize(tx, caller, Question("ecr:DeregisterPullTimeUpdateExclusion", scope, "*"))
    if not pull_time_exclusions.remove(tx, registries.hold(tx, scope), arn):
        raise ExclusionNotFound(scope.registry_id, arn)


def list_pull_time_update_exclusions(
    tx: ReadTransaction, caller: Caller, scope: Scope, after: str, count: int
) -> tuple[list[str], str | None]:
    """At most `count` ARNs after `after`, in byte order, and the last one if there are more."""
    authorize(tx, caller, Question("ecr:ListPullTimeUpdateExclusions", scope, "*"))
    registry = registries.find_registry(tx, scope)
    found = [] if registry is None else pull_time_exclusions.list_page(tx, registry, after, count + 1)
    return found[:count], found[count - 1] if len(found) > count else None
