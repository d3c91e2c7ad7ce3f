"""Pull-through cache rules."""

from __future__ import annotations

from typing import Any

from moorage.metadata.registry.records import PullThroughRule
from moorage.operations.pull_through import rules as pull_through_rules
from moorage.operations.pull_through.rules import NOT_FETCHED, RuleRequest
from moorage.wire.aws.callers import caller_of
from moorage.wire.aws.service import Call, Output, Service
from moorage.wire.aws.services.ecr.context import (
    EcrContext,
    page_size,
    position_of,
    refuse_paging_with,
    scope_of,
    seconds,
)


def register(service: Service, context: EcrContext) -> None:
    """Add the operations to ``Service("ecr")``."""

    @service.operation("CreatePullThroughCacheRule")
    async def create_pull_through_cache_rule(call: Call) -> Output:
        request = RuleRequest(
            call["ecrRepositoryPrefix"],
            call["upstreamRegistryUrl"],
            call.get("upstreamRegistry"),
            call.get("upstreamRepositoryPrefix"),
            call.get("credentialArn"),
            call.get("customRoleArn") or None,
        )
        scope = scope_of(call)
        made = await context.db.write(pull_through_rules.create_pull_through_cache_rule, caller_of(call), scope, request)
        return _shown(made, scope.registry_id, "upstreamRegistryUrl", "upstreamRegistry", "createdAt")

    @service.operation("UpdatePullThroughCacheRule")
    async def update_pull_through_cache_rule(call: Call) -> Output:
        scope = scope_of(call)
        changed = await context.db.write(
            pull_through_rules.update_pull_through_cache_rule,
            caller_of(call),
            scope,
            call["ecrRepositoryPrefix"],
            call.get("credentialArn"),
            call.get("customRoleArn") or None,
        )
        return _shown(changed, scope.registry_id, "updatedAt")

    @service.operation("DeletePullThroughCacheRule")
    async def delete_pull_through_cache_rule(call: Call) -> Output:
        scope, prefix = scope_of(call), call["ecrRepositoryPrefix"]
        gone = await context.db.write(pull_through_rules.delete_pull_through_cache_rule, caller_of(call), scope, prefix)
        return _shown(gone, scope.registry_id, "upstreamRegistryUrl", "createdAt")

    @service.operation("ValidatePullThroughCacheRule")
    async def validate_pull_through_cache_rule(call: Call) -> Output:
        scope, prefix = scope_of(call), call["ecrRepositoryPrefix"]
        found = await context.db.read(pull_through_rules.validate_pull_through_cache_rule, caller_of(call), scope, prefix)
        shown = _shown(found, scope.registry_id, "upstreamRegistryUrl")
        return {**shown, "isValid": False, "failure": NOT_FETCHED}

    @service.operation("DescribePullThroughCacheRules")
    async def describe_pull_through_cache_rules(call: Call) -> Output:
        caller, scope, prefixes = caller_of(call), scope_of(call), call.get("ecrRepositoryPrefixes")
        members = ("upstreamRegistryUrl", "upstreamRegistry", "createdAt", "updatedAt")
        if prefixes is not None:
            refuse_paging_with(call, "ecrRepositoryPrefixes")
            named = await context.db.read(pull_through_rules.describe_named_rules, caller, scope, prefixes)
            return {"pullThroughCacheRules": [_shown(rule, scope.registry_id, *members) for rule in named]}
        binding = f"DescribePullThroughCacheRules|{scope}"
        given = position_of(context, call, binding)
        after = str(given[0]) if given else ""
        page, last = await context.db.read(pull_through_rules.describe_rules_page, caller, scope, after, page_size(call))
        return {
            "pullThroughCacheRules": [_shown(rule, scope.registry_id, *members) for rule in page],
            "nextToken": context.cursors.seal(binding, [last]) if last is not None else None,
        }


def _shown(rule: PullThroughRule, registry_id: str, *members: str) -> dict[str, Any]:
    """A rule in the form of the API: what every answer has, and those of the other members that this one has."""
    more = {
        "upstreamRegistryUrl": rule.upstream_url,
        "upstreamRegistry": rule.upstream_registry,
        "createdAt": seconds(rule.created_at),
        "updatedAt": seconds(rule.updated_at),
    }
    return {
        "ecrRepositoryPrefix": rule.prefix,
        "registryId": registry_id,
        "credentialArn": rule.credential_arn,
        "customRoleArn": rule.role_arn,
        "upstreamRepositoryPrefix": rule.upstream_prefix,
    } | {member: more[member] for member in members}
