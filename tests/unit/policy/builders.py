"""Principals, texts and requests for the tests of policies."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from moorage.policy.compile import EMPTY, PolicySet, Source, compile_policy
from moorage.policy.context import RequestContext, Value, given, tags
from moorage.policy.document import Kind
from moorage.policy.evaluate import Decision, Policies, RegistryScope, Request, decide
from moorage.policy.parse import parse
from moorage.policy.principals import Principal

A, B = "111111111111", "222222222222"
R = f"arn:aws:ecr:us-east-1:{A}:repository/app"
RB = f"arn:aws:ecr:us-east-1:{B}:repository/app"
PULL = "ecr:BatchGetImage"

U_ARN = f"arn:aws:iam::{A}:user/u"
V_ARN = f"arn:aws:iam::{A}:user/v"
R_ARN = f"arn:aws:iam::{A}:role/r"
S_ARN = f"arn:aws:sts::{A}:assumed-role/r/ci"
ROOT_A = f"arn:aws:iam::{A}:root"
U = Principal.user(U_ARN, "AIDAUUUUUUUUUUUUUUUUU")
V = Principal.user(V_ARN, "AIDAVVVVVVVVVVVVVVVVV")
S = Principal.session(R_ARN, "AROARRRRRRRRRRRRRRRRR", "ci")
BU = Principal.user(f"arn:aws:iam::{B}:user/u", "AIDABBBBBBBBBBBBBBBBB")
IDS = {U_ARN: U.unique_id, V_ARN: V.unique_id, R_ARN: S.role_id, S_ARN: S.role_id, BU.arn: BU.unique_id}


def repository(name: str, account: str = A) -> str:
    """A repository's ARN."""
    return f"arn:aws:ecr:us-east-1:{account}:repository/{name}"


def allow(action: Any = None, resource: Any = None, **others: Any) -> dict[str, Any]:
    """An Allow statement; elements that are None are left out."""
    return statement("Allow", action, resource, **others)


def deny(action: Any = None, resource: Any = None, **others: Any) -> dict[str, Any]:
    """A Deny statement."""
    return statement("Deny", action, resource, **others)


def statement(effect: str, action: Any = None, resource: Any = None, **others: Any) -> dict[str, Any]:
    """A statement; `condition` and `principal` may be given in lower case."""
    given_elements = {"Effect": effect, "Action": action, "Resource": resource, **others}
    renamed = {{"condition": "Condition", "principal": "Principal"}.get(k, k): v for k, v in given_elements.items()}
    return {name: value for name, value in renamed.items() if value is not None}


def document(*statements: Mapping[str, Any], version: str | None = "2012-10-17") -> str:
    """The text of a policy."""
    head = {} if version is None else {"Version": version}
    return json.dumps({**head, "Statement": list(statements)})


def policy_set(
    kind: Kind, *statements: Mapping[str, Any], version: str | None = "2012-10-17", source: Source | None = None
) -> PolicySet:
    """A set of one policy, whose principals are bound to those of this module."""
    parsed = parse(document(*statements, version=version), kind)
    return PolicySet([compile_policy(parsed, source or Source("p"), bindings=IDS)])


def identity(*statements: Mapping[str, Any], version: str | None = "2012-10-17") -> PolicySet:
    """Identity policies."""
    return policy_set(Kind.IDENTITY, *statements, version=version)


def boundary(*statements: Mapping[str, Any]) -> PolicySet:
    """A permissions boundary."""
    return policy_set(Kind.BOUNDARY, *statements)


def session(*statements: Mapping[str, Any]) -> PolicySet:
    """A session policy."""
    return policy_set(Kind.SESSION, *statements)


def on_repository(*statements: Mapping[str, Any]) -> PolicySet:
    """A repository policy."""
    return policy_set(Kind.REPOSITORY, *statements)


def on_registry(*statements: Mapping[str, Any]) -> PolicySet:
    """A registry policy."""
    return policy_set(Kind.REGISTRY, *statements)


def trust(*statements: Mapping[str, Any]) -> PolicySet:
    """A role's trust policy."""
    return policy_set(Kind.TRUST, *statements)


def ask(
    principal: Principal,
    action: str,
    resource: str = R,
    *,
    identity: PolicySet = EMPTY,
    boundary: PolicySet | None = None,
    session: PolicySet | None = None,
    resource_policy: PolicySet = EMPTY,
    registry: PolicySet = EMPTY,
    scope: str = "V2",
    service_control: Sequence[PolicySet] = (),
    keys: Mapping[str, Value] | None = None,
    resource_tags: Mapping[str, str] | None = None,
    principal_tags: Mapping[str, str] | None = None,
    request_tags: Mapping[str, str] | None = None,
    owner: str | None = None,
) -> Decision:
    """Decide a request; the resource's account is the one in its ARN, or the caller's."""
    account = owner or (resource.split(":")[4] if resource != "*" else principal.account)
    values: dict[str, Any] = given(keys or {})
    if request_tags is not None:
        values["aws:tagkeys"] = tuple(request_tags)
    families = {
        "aws:resourcetag/": tags(resource_tags or {}),
        "aws:principaltag/": tags(principal_tags or {}),
        "aws:requesttag/": tags(request_tags or {}),
    }
    context = RequestContext(principal, values, families)
    policies = Policies(identity, boundary, session, resource_policy, registry, RegistryScope(scope), tuple(service_control))
    return decide(Request(principal, action, resource, account, context), policies)


def verdict(decision: Decision) -> str:
    """``allow``, or ``explicit deny`` and ``implicit deny`` with the kind of policy in brackets."""
    if decision.allowed:
        return "allow"
    kind = {
        "identity-based policy": "identity",
        "resource-based policy": "resource",
        "permissions boundary": "boundary",
        "session policy": "session",
        "service control policy": "scp",
        "resource control policy": "rcp",
    }[decision.decided_by.value if decision.decided_by else ""]
    return f"{'explicit' if decision.outcome.value == 'explicitDeny' else 'implicit'} deny ({kind})"
