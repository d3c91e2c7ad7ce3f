"""The policy of a registry as a whole. Which actions it is asked about is an account setting.

Source: ECR PutRegistryPolicy, GetRegistryPolicy, DeleteRegistryPolicy; ECR User Guide, "Private registry permissions".

What is remembered of a registry's policy counts for one epoch of its account, so each change raises it.
"""

from __future__ import annotations

from moorage.auth.authorize import Question, authorize
from moorage.auth.snapshots import REGISTRY_POLICY_SCOPE
from moorage.metadata.identity import identities
from moorage.metadata.registry import documents as registry_documents
from moorage.metadata.registry import registries
from moorage.metadata.registry.documents import POLICY
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.model.errors import MalformedPolicy, RegistryPolicyNotFound
from moorage.model.principal import Caller
from moorage.model.scope import Scope
from moorage.operations.identity import policy_documents
from moorage.operations.registry import account_settings
from moorage.operations.registry.account_settings import V1
from moorage.policy.document import Kind
from moorage.policy.evaluate import is_within_v1


def put_registry_policy(tx: Transaction, caller: Caller, scope: Scope, text: str) -> None:
    """Set or replace the policy. Raises MalformedPolicy: also for actions that its scope does not let it speak of."""
    authorize(tx, caller, Question("ecr:PutRegistryPolicy", scope, "*"))
    identities.touch(tx, scope.registry_id)
    policy, bindings = policy_documents.read(tx, text, Kind.REGISTRY)
    if account_settings.value_of(tx, scope, REGISTRY_POLICY_SCOPE) == V1 and not is_within_v1(policy):
        raise MalformedPolicy("Syntax errors in policy.", "registry", "it names actions that only scope V2 knows")
    registry_documents.put(tx, registries.hold(tx, scope), POLICY, text, bindings)


def get_registry_policy(tx: ReadTransaction, caller: Caller, scope: Scope) -> str:
    """The policy's text. Raises RegistryPolicyNotFound."""
    authorize(tx, caller, Question("ecr:GetRegistryPolicy", scope, "*"))
    return _text(tx, scope)


def delete_registry_policy(tx: Transaction, caller: Caller, scope: Scope) -> str:
    """Take the policy away; return its text. Raises RegistryPolicyNotFound."""
    authorize(tx, caller, Question("ecr:DeleteRegistryPolicy", scope, "*"))
    identities.touch(tx, scope.registry_id)
    text = _text(tx, scope)
    registry_documents.remove(tx, registries.hold(tx, scope), POLICY)
    return text


def _text(tx: ReadTransaction, scope: Scope) -> str:
    stored = registry_documents.find(tx, scope, POLICY)
    if stored is None:
        raise RegistryPolicyNotFound(scope.registry_id)
    return policy_documents.shown(tx, *stored)
