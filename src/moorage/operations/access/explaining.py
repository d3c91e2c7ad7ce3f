"""Why somebody may do something or not: the decision of `authorize` about stored state, with all that it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from moorage.auth.authorize import Question, decision_about, snapshot_about
from moorage.auth.trust import trust_decision
from moorage.metadata.transaction import ReadTransaction
from moorage.model.errors import MalformedPolicy
from moorage.model.principal import Caller
from moorage.model.scope import Scope
from moorage.operations.access.principals import QuestionInvalid, caller_for, facts_about, federated_caller, is_federated
from moorage.operations.access.questions import Target, action_named, target_for
from moorage.policy.document import Kind
from moorage.policy.evaluate import Decision
from moorage.policy.explain import Explanation, explain
from moorage.policy.parse import parse

_OF_TRUST = frozenset(("sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"))
"""Actions on a role that its trust policy is asked about."""


def explain_access(
    tx: ReadTransaction,
    principal_arn: str,
    action: str,
    resource: str,
    here: Scope,
    context: Mapping[str, str | tuple[str, ...]],
    session_policy: str | None,
    federated_by: str | None = None,
) -> Explanation:
    """The decision about a principal, an action and a resource as they are now, explained.

    Args:
        here: the registry in which a repository's name is meant; its region also for actions without a resource.
        context: condition keys of the request; keys that only a request has and that are not given are absent.
        session_policy: the text of a policy that limits the principal's session.
        federated_by: the ARN of the user or root who called GetFederationToken, of a federated user. What is not told of one
            is assumed, and the explanation says so.

    Raises:
        QuestionInvalid: of a name that names nothing, a session policy that cannot be read.
    """
    if session_policy is not None:
        try:
            parse(session_policy, Kind.SESSION)
        except MalformedPolicy as error:
            raise QuestionInvalid(f"the session policy cannot be read: {error}") from None
    caller, assumed = _caller(tx, principal_arn, () if session_policy is None else (session_policy,), federated_by)
    named = action_named(action)
    _refuse_what_no_policy_decides(caller, named)
    home = replace(here, registry_id=caller.account_id)  # what has no resource is done in one's own account
    target = target_for(tx, named, resource, home if resource == "*" else here)
    return replace(explain(_decide(tx, caller, named, target, dict(context))), assumed=assumed)


def _refuse_what_no_policy_decides(caller: Caller, action: str) -> None:
    """Raise QuestionInvalid for what some callers may never do, whatever policies say. Source: STS, "Comparing credentials"."""
    session = caller.session
    if session is not None and session.kind == "FederatedUser":
        if action.startswith("iam:"):
            raise QuestionInvalid("no federated user may use IAM, whatever policies say")
        if action.startswith("sts:") and action != "sts:GetCallerIdentity":
            raise QuestionInvalid("of STS a federated user may use GetCallerIdentity alone, whatever policies say")
    if action == "sts:AssumeRole" and caller.is_root and (session is None or session.kind == "SessionToken"):
        raise QuestionInvalid("no role can be assumed by an account's root, whatever policies say")


def _caller(
    tx: ReadTransaction, arn: str, session_policies: tuple[str, ...], federated_by: str | None
) -> tuple[Caller, tuple[str, ...]]:
    """Who is asked about, and what had to be assumed of it."""
    if is_federated(arn):
        return federated_caller(tx, arn, federated_by, session_policies)
    if federated_by is not None:
        raise QuestionInvalid(f"{arn} is not the ARN of a federated user: nobody called GetFederationToken for it")
    return caller_for(tx, arn, session_policies), ()


def _decide(
    tx: ReadTransaction, caller: Caller, action: str, target: Target, context: dict[str, str | tuple[str, ...]]
) -> Decision:
    facts = facts_about(target.facts, context)
    if action in _OF_TRUST and target.role is not None:
        decision = trust_decision(tx, caller, snapshot_about(tx, caller), action, target.role, facts)
        if decision is not None:
            return decision
    return decision_about(tx, caller, Question(action, target.scope, target.resource, facts, repository=target.repository))
