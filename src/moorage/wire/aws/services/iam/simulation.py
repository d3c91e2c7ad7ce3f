"""The policy simulator."""

from __future__ import annotations

from typing import Any

from moorage.operations.identity import simulation
from moorage.operations.identity.simulated_context import ContextEntry
from moorage.operations.identity.simulation import Simulated, Simulation
from moorage.policy.explain import Origin
from moorage.wire.aws.callers import caller_of
from moorage.wire.aws.service import Call, Output, Service
from moorage.wire.aws.services.iam.context import IamContext


def register(service: Service, context: IamContext) -> None:
    """Add the operations to ``Service("iam")``."""

    @service.operation("SimulateCustomPolicy")
    async def simulate_custom_policy(call: Call) -> Output:
        after, count = context.page_asked(call)
        page = await context.db.read(simulation.simulate_custom_policy, caller_of(call), _asked(call), after, count)
        return {"EvaluationResults": [_result(found) for found in page.items], **context.page_shown(call, page)}

    @service.operation("SimulatePrincipalPolicy")
    async def simulate_principal_policy(call: Call) -> Output:
        after, count = context.page_asked(call)
        source = call["PolicySourceArn"]
        page = await context.db.read(simulation.simulate_principal_policy, caller_of(call), source, _asked(call), after, count)
        return {"EvaluationResults": [_result(found) for found in page.items], **context.page_shown(call, page)}

    @service.operation("GetContextKeysForCustomPolicy")
    async def get_context_keys_for_custom_policy(call: Call) -> Output:
        texts = call["PolicyInputList"]
        return {
            "ContextKeyNames": await context.db.read(simulation.context_keys_for_custom_policy, caller_of(call), texts),
        }

    @service.operation("GetContextKeysForPrincipalPolicy")
    async def get_context_keys_for_principal_policy(call: Call) -> Output:
        source, texts = call["PolicySourceArn"], call.get("PolicyInputList") or ()
        names = await context.db.read(simulation.context_keys_for_principal_policy, caller_of(call), source, texts)
        return {"ContextKeyNames": names}


def _asked(call: Call) -> Simulation:
    excluded, inline = set(), []
    for entry in call.get("PolicyExclusionList") or ():
        excluded |= {entry[member] for member in ("PolicyType", "PolicyArn") if entry.get(member)}
        if found := entry.get("InlinePolicyIdentifier"):
            inline.append((found["PolicyName"], found["AttachmentType"], found["AttachmentName"]))
    return Simulation(
        actions=call["ActionNames"],
        resources=call.get("ResourceArns") or (),
        policies=call.get("PolicyInputList") or (),
        boundary=call.get("PermissionsBoundaryPolicyInputList"),
        service_control=[
            level.get("ServiceControlPolicyInputList") or () for level in call.get("OrderedOrganizationPolicyInputList") or ()
        ],
        resource_policy=call.get("ResourcePolicy"),
        resource_owner=call.get("ResourceOwner"),
        caller_arn=call.get("CallerArn"),
        context=[
            ContextEntry(
                entry.get("ContextKeyName") or "", entry.get("ContextKeyValues") or (), entry.get("ContextKeyType") or ""
            )
            for entry in call.get("ContextEntries") or ()
        ],
        excluded=frozenset(excluded),
        excluded_inline=inline,
    )


def _result(found: Simulated) -> dict[str, Any]:
    """A result. What is missing of the context stands with the resource, if the simulation names resources."""
    explanation = found.explanation
    missing = list(explanation.missing_keys)
    common: dict[str, Any] = {"MatchedStatements": [_statement(each) for each in explanation.matched]}
    if found.details is not None:
        common["EvalDecisionDetails"] = {name: outcome.value for name, outcome in found.details.items()}
    if explanation.allowed_by_boundary is not None:
        common["PermissionsBoundaryDecisionDetail"] = {"AllowedByPermissionsBoundary": explanation.allowed_by_boundary}
    decision = explanation.decision.outcome.value
    result = {
        "EvalActionName": found.action,
        "EvalResourceName": found.resource,
        "EvalDecision": decision,
        **common,
        "MissingContextValues": missing if found.resource == "*" else [],
    }
    if found.allowed_by_organization is not None:
        result["OrganizationsDecisionDetail"] = {"AllowedByOrganizations": found.allowed_by_organization}
    if found.resource != "*":
        result["ResourceSpecificResults"] = [
            {
                "EvalResourceName": found.resource,
                "EvalResourceDecision": decision,
                **common,
                "MissingContextValues": missing,
            }
        ]
    return result


def _statement(where: Origin) -> dict[str, Any]:
    """A managed policy goes by its name, as any other."""
    span = where.span
    return {
        "SourcePolicyId": where.policy_id.rpartition("/")[2] if where.policy_type.endswith("managed") else where.policy_id,
        "SourcePolicyType": where.policy_type,
        "StartPosition": {"Line": span.start_line, "Column": span.start_column},
        "EndPosition": {"Line": span.end_line, "Column": span.end_column},
    }
