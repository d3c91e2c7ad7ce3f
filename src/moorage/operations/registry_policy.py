"""The policy of a registry as a whole, and which actions it is asked about.

Source: ECR PutRegistryPolicy, GetRegistryPolicy, DeleteRegistryPolicy, GetAccountSetting and PutAccountSetting
(``REGISTRY_POLICY_SCOPE``); ECR User Guide, "Private registry permissions".

What is remembered of a registry's policy counts for one epoch of its account, so each change raises it.
"""

from __future__ import annotations

from moorage.auth.authorize import authorize
from moorage.auth.snapshots import REGISTRY_POLICY_SCOPE
from moorage.metadata import identities, registries, registry_documents
from moorage.metadata.registry_documents import POLICY
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.model.errors import MalformedPolicy, RegistryPolicyNotFound, SettingInvalid
from moorage.model.principal import Caller, RequestFacts
from moorage.model.scope import Scope
from moorage.operations import policy_documents
from moorage.policy.document import Kind
from moorage.policy.evaluate import is_within_v1
from moorage.policy.parse import parse

V1, V2 = "V1", "V2"


def put_registry_policy(tx: Transaction, caller: Caller, scope: Scope, text: str) -> None:
    """Set or replace the policy. Raises MalformedPolicy: also for actions that its scope does not let it speak of."""
    authorize(tx, caller, "ecr:PutRegistryPolicy", scope, "*")
    identities.touch(tx, scope.registry_id)
    policy, bindings = policy_documents.read(tx, text, Kind.REGISTRY)
    if _scope_of(tx, scope) == V1 and not is_within_v1(policy):
        raise MalformedPolicy("Syntax errors in policy.", "registry", "it names actions that only scope V2 knows")
    registry_documents.put(tx, registries.ensure_registry(tx, scope), POLICY, text, bindings)


def get_registry_policy(tx: ReadTransaction, caller: Caller, scope: Scope) -> str:
    """The policy's text. Raises RegistryPolicyNotFound."""
    authorize(tx, caller, "ecr:GetRegistryPolicy", scope, "*")
    return _text(tx, scope)


def delete_registry_policy(tx: Transaction, caller: Caller, scope: Scope) -> str:
    """Take the policy away; return its text. Raises RegistryPolicyNotFound."""
    authorize(tx, caller, "ecr:DeleteRegistryPolicy", scope, "*")
    identities.touch(tx, scope.registry_id)
    text = _text(tx, scope)
    registry_documents.remove(tx, registries.ensure_registry(tx, scope), POLICY)
    return text


def get_policy_scope(tx: ReadTransaction, caller: Caller, scope: Scope) -> str:
    """The value of REGISTRY_POLICY_SCOPE: V2 where it was never set."""
    authorize(tx, caller, "ecr:GetAccountSetting", scope, "*", _about_setting())
    return _scope_of(tx, scope)


def put_policy_scope(tx: Transaction, caller: Caller, scope: Scope, value: str) -> None:
    """Set REGISTRY_POLICY_SCOPE. Raises SettingInvalid: also for V1 while the policy has actions that only V2 knows."""
    authorize(tx, caller, "ecr:PutAccountSetting", scope, "*", _about_setting())
    identities.touch(tx, scope.registry_id)
    if value not in {V1, V2}:
        raise SettingInvalid(value, "V1 or V2")
    stored = registry_documents.find(tx, scope, POLICY)
    if value == V1 and stored is not None and not is_within_v1(parse(stored[0], Kind.REGISTRY)):
        raise SettingInvalid(value, "the registry policy has actions that V1 does not know")
    registry_documents.put_setting(tx, registries.ensure_registry(tx, scope), REGISTRY_POLICY_SCOPE, value)


def _about_setting() -> RequestFacts:
    return RequestFacts(extra={"ecr:accountsetting": REGISTRY_POLICY_SCOPE})


def _scope_of(tx: ReadTransaction, scope: Scope) -> str:
    return registry_documents.setting(tx, scope, REGISTRY_POLICY_SCOPE) or V2


def _text(tx: ReadTransaction, scope: Scope) -> str:
    stored = registry_documents.find(tx, scope, POLICY)
    if stored is None:
        raise RegistryPolicyNotFound(scope.registry_id)
    return policy_documents.shown(tx, *stored)
