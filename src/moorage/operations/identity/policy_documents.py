"""Policies of repositories and registries on their way in and out: who is named in them, and by which unique id.

A principal is bound when the policy is set. Whoever gets its name later is somebody else, and of one that is gone the unique id
is shown instead of the ARN, as ECR does.
"""

from __future__ import annotations

import json

from moorage.metadata.registry import registries
from moorage.metadata.transaction import ReadTransaction
from moorage.operations.identity.principals import present_arn, unique_id_of
from moorage.policy.document import Kind, Policy
from moorage.policy.jsontext import replace_principals
from moorage.policy.parse import parse
from moorage.policy.principals import bind_principals


def read(tx: ReadTransaction, text: str, kind: Kind) -> tuple[Policy, str]:
    """The parsed policy, and as JSON the unique ids of those whom it names. Raises MalformedPolicy, PrincipalNotFound."""
    policy = parse(text, kind)
    bound = bind_principals(
        policy, lambda arn: unique_id_of(tx, arn), has_account=lambda account: registries.account_exists(tx, account)
    )
    return policy, json.dumps(bound)


def shown(tx: ReadTransaction, text: str, bindings: str | None) -> str:
    """A stored policy as it was given, but for its principals: users go by their present names, and for principals that are gone
    their unique ids stand."""
    bound: dict[str, str] = json.loads(bindings or "{}")
    return replace_principals(text, {arn: present_arn(tx, arn, unique_id) or unique_id for arn, unique_id in bound.items()})
