"""Replication: PutReplicationConfiguration, DescribeImageReplicationStatus, and the four operations of backfills."""

from __future__ import annotations

from typing import Any

from moorage.metadata.registry.records import Backfill, Destination, ReplicationRule
from moorage.operations.replication import backfills as replication_backfills
from moorage.operations.replication import rules as replication
from moorage.wire.aws.callers import caller_of
from moorage.wire.aws.service import Call, Output, Service
from moorage.wire.aws.services.ecr.context import (
    EcrContext,
    image_of,
    name_of,
    page_size,
    position_of,
    scope_of,
    seconds,
    shown_image,
)

_BACKFILLS_PER_PAGE = 25
_STARTED = ("replicationBackfillId", "destination", "status", "startedAt")


def register(service: Service, context: EcrContext) -> None:
    """Add the operations to ``Service("ecr")``."""

    @service.operation("PutReplicationConfiguration")
    async def put_replication_configuration(call: Call) -> Output:
        rules = tuple(_rule(given) for given in call["replicationConfiguration"]["rules"])
        await context.db.write(replication.put_replication_configuration, caller_of(call), scope_of(call), rules)
        return {"replicationConfiguration": {"rules": [shown_rule(rule) for rule in rules]}}

    @service.operation("DescribeImageReplicationStatus")
    async def describe_image_replication_status(call: Call) -> Output:
        name, wanted = name_of(call), image_of(call)
        image, found = await context.db.read(
            replication.describe_image_replication_status, caller_of(call), scope_of(call), name, wanted
        )
        return {
            "repositoryName": name,
            "imageId": shown_image(image, wanted),
            "replicationStatuses": [
                {**shown_destination(each.destination), "status": each.status, "failureCode": each.failure_code} for each in found
            ],
        }

    @service.operation("StartReplicationBackfill")
    async def start_replication_backfill(call: Call) -> Output:
        scope, destination = scope_of(call), _destination(call["destination"])
        made = await context.db.write(replication_backfills.start_replication_backfill, caller_of(call), scope, destination)
        shown = _shown(made)
        return {"registryId": scope.registry_id, **{member: shown[member] for member in _STARTED}}

    @service.operation("StopReplicationBackfill")
    async def stop_replication_backfill(call: Call) -> Output:
        scope, backfill_id = scope_of(call), call["replicationBackfillId"]
        ended = await context.db.write(replication_backfills.stop_replication_backfill, caller_of(call), scope, backfill_id)
        shown = _shown(ended)

        return {"registryId": scope.registry_id, **{member: shown[member] for member in _STARTED}}

    @service.operation("ListReplicationBackfills")
    async def list_replication_backfills(call: Call) -> Output:
        scope = scope_of(call)
        binding = f"ListReplicationBackfills|{scope}"
        given = position_of(context, call, binding)
        before: Any = tuple(given) if given else replication_backfills.FIRST
        found, more = await context.db.read(
            replication_backfills.list_replication_backfills,
            caller_of(call),
            scope,
            before,
            page_size(call, _BACKFILLS_PER_PAGE),
        )
        return {
            "registryId": scope.registry_id,
            "backfills": [_shown(each) for each in found],
            "nextToken": context.cursors.seal(binding, more) if more is not None else None,
        }

    @service.operation("DescribeReplicationBackfillResults")
    async def describe_replication_backfill_results(call: Call) -> Output:
        scope, backfill_id = scope_of(call), call["replicationBackfillId"]
        position_of(context, call, f"DescribeReplicationBackfillResults|{scope}|{backfill_id}|{call.get('resultStatusFilter')}")
        found = await context.db.read(
            replication_backfills.describe_replication_backfill_results, caller_of(call), scope, backfill_id
        )
        return {"registryId": scope.registry_id, **_shown(found), "results": []}


def _destination(given: dict[str, str]) -> Destination:
    return Destination(given["region"], given["registryId"])


def _rule(given: dict[str, Any]) -> ReplicationRule:
    filters, deletes = given.get("repositoryFilters"), given.get("deleteReplication")
    return ReplicationRule(
        tuple(_destination(each) for each in given["destinations"]),
        None if filters is None else tuple(each["filter"] for each in filters),
        None if deletes is None else deletes["enabled"],
    )


def shown_rule(rule: ReplicationRule) -> dict[str, Any]:
    """A rule in the form of the API: what was not given is not there."""
    filters = None
    if rule.prefixes is not None:
        filters = [{"filter": prefix, "filterType": "PREFIX_MATCH"} for prefix in rule.prefixes]
    return {
        "destinations": [shown_destination(each) for each in rule.destinations],
        "repositoryFilters": filters,
        "deleteReplication": None if rule.deletes is None else {"enabled": rule.deletes},
    }


def shown_destination(destination: Destination) -> dict[str, Any]:
    """A destination in the form of the API."""
    return {"region": destination.region, "registryId": destination.registry_id}


def _shown(backfill: Backfill) -> dict[str, Any]:
    return {
        "replicationBackfillId": backfill.id,
        "destination": shown_destination(backfill.destination),
        "status": backfill.status,
        "failureCode": backfill.failure_code,
        "startedAt": seconds(backfill.started_at),
        "endedAt": None if backfill.ended_at is None else seconds(backfill.ended_at),
    }
