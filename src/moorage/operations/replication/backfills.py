"""Backfills: the copying of images that were there before replication was configured.

Source: ECR StartReplicationBackfill, StopReplicationBackfill, ListReplicationBackfills, DescribeReplicationBackfillResults. What
is started here waits, PREPARING, for whoever copies; while nobody does it ends at once, as failed.
"""

from __future__ import annotations

import uuid

from moorage.auth.authorize import Question, authorize
from moorage.metadata.registry import registries, replications
from moorage.metadata.registry.records import Backfill, Destination
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.model import engines
from moorage.model.errors import LimitExceeded
from moorage.model.principal import Caller
from moorage.model.registry_errors import BackfillEnded, BackfillNotFound, BackfillRunning, ConfigurationInvalid
from moorage.model.scope import Scope
from moorage.operations import quotas
from moorage.operations.replication.rules import rules_of

FIRST = (2**63 - 1, "~")
"""Before the newest backfill."""


def start_replication_backfill(tx: Transaction, caller: Caller, scope: Scope, destination: Destination) -> Backfill:
    """Ask for a backfill.

    Raises:
        ConfigurationInvalid: no rule names the destination.
        BackfillRunning: one to that region has not ended.
        LimitExceeded
    """
    authorize(tx, caller, Question("ecr:StartReplicationBackfill", scope, "*"))
    registry = registries.hold(tx, scope)
    if not any(destination in rule.destinations for rule in rules_of(tx, scope)):
        raise ConfigurationInvalid("The destination is not in the replication configuration of the registry")
    running = replications.running_backfills(tx, registry)
    if any(each.destination.region == destination.region for each in running):
        raise BackfillRunning(scope.registry_id, destination.region)
    if len(running) >= (most := quotas.limit(tx, "running_backfills")):
        raise LimitExceeded(f"The maximum number of running replication backfills ({most}) has been reached")
    backfill = Backfill(str(uuid.uuid4()), destination, "PREPARING", None, tx.now, None)
    replications.insert_backfill(tx, registry, backfill)
    if engines.is_absent(engines.REPLICATION):
        replications.end_backfill(tx, backfill.id, "FAILED", engines.NOT_AVAILABLE)
    return backfill


def stop_replication_backfill(tx: Transaction, caller: Caller, scope: Scope, backfill_id: str) -> Backfill:
    """Stop one, at once, since no copy of it runs. Raises BackfillNotFound, BackfillEnded."""
    authorize(tx, caller, Question("ecr:StopReplicationBackfill", scope, "*"))
    registries.hold(tx, scope)
    found = _find(tx, scope, backfill_id)
    if found.ended_at is not None:
        raise BackfillEnded(scope.registry_id, backfill_id)
    replications.end_backfill(tx, found.id, "STOPPED")
    return _find(tx, scope, backfill_id)


def list_replication_backfills(
    tx: ReadTransaction, caller: Caller, scope: Scope, before: tuple[int, str], count: int
) -> tuple[list[Backfill], tuple[int, str] | None]:
    """At most `count`, newest first, after `before`; and the key of the last one if there are more."""
    authorize(tx, caller, Question("ecr:ListReplicationBackfills", scope, "*"))
    registry = registries.find_registry(tx, scope)
    found = [] if registry is None else replications.list_backfills(tx, registry, before, count + 1)
    last = (found[count - 1].started_at, found[count - 1].id) if len(found) > count else None
    return found[:count], last


def describe_replication_backfill_results(tx: ReadTransaction, caller: Caller, scope: Scope, backfill_id: str) -> Backfill:
    """A backfill. It has results of single images only when it has copied some. Raises BackfillNotFound."""
    authorize(tx, caller, Question("ecr:DescribeReplicationBackfillResults", scope, "*"))
    return _find(tx, scope, backfill_id)


def _find(tx: ReadTransaction, scope: Scope, backfill_id: str) -> Backfill:
    registry = registries.find_registry(tx, scope)
    found = None if registry is None else replications.find_backfill(tx, registry, backfill_id.lower())
    if found is None:
        raise BackfillNotFound(scope.registry_id, backfill_id)
    return found
