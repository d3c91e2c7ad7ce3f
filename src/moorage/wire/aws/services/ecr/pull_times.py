"""Principals whose pulls leave the time of an image's last pull alone."""

from __future__ import annotations

from moorage.operations.registry import pull_time_exclusions
from moorage.wire.aws.callers import caller_of
from moorage.wire.aws.service import Call, Output, Service
from moorage.wire.aws.services.ecr.context import EcrContext, page_size, position_of, scope_of


def register(service: Service, context: EcrContext) -> None:
    """Add the operations to ``Service("ecr")``."""

    @service.operation("RegisterPullTimeUpdateExclusion")
    async def register_pull_time_update_exclusion(call: Call) -> Output:
        arn = call["principalArn"]
        await context.db.write(pull_time_exclusions.register_pull_time_update_exclusion, caller_of(call), scope_of(call), arn)
        return {"principalArn": arn, "createdAt": round(context.clock(), 3)}

    @service.operation("DeregisterPullTimeUpdateExclusion")
    async def deregister_pull_time_update_exclusion(call: Call) -> Output:
        arn = call["principalArn"]
        await context.db.write(pull_time_exclusions.deregister_pull_time_update_exclusion, caller_of(call), scope_of(call), arn)
        return {"principalArn": arn}

    @service.operation("ListPullTimeUpdateExclusions")
    async def list_pull_time_update_exclusions(call: Call) -> Output:
        scope = scope_of(call)
        binding = f"ListPullTimeUpdateExclusions|{scope}"
        given = position_of(context, call, binding)
        after = str(given[0]) if given else ""
        found, last = await context.db.read(
            pull_time_exclusions.list_pull_time_update_exclusions, caller_of(call), scope, after, page_size(call)
        )
        return {
            "pullTimeUpdateExclusions": found,
            "nextToken": context.cursors.seal(binding, [last]) if last is not None else None,
        }
