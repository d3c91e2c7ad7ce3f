"""Lifecycle policies of repositories, stored and shown.

Source: ECR PutLifecyclePolicy, GetLifecyclePolicy, DeleteLifecyclePolicy.

Nothing runs them yet, so none has ever been evaluated: whoever does sets `last_evaluated_at`, and acts by `lifecycle.select`.
"""

from __future__ import annotations

from moorage.lifecycle.parse import parse_lifecycle_policy
from moorage.metadata.records import Repository
from moorage.metadata.registry import lifecycle_policies
from moorage.metadata.registry.records import LifecyclePolicy
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.model.names import RepositoryName
from moorage.model.principal import Caller
from moorage.model.registry_errors import LifecyclePolicyNotFound
from moorage.model.scope import Scope
from moorage.operations.authorized import locked_repository_for, repository_for


def put_lifecycle_policy(tx: Transaction, caller: Caller, scope: Scope, name: RepositoryName, text: str) -> None:
    """Set or replace a repository's policy. Raises RepositoryNotFound, ParameterInvalid (what is wrong with the text)."""
    repository = locked_repository_for(tx, caller, "ecr:PutLifecyclePolicy", scope, name, share=False)
    parse_lifecycle_policy(text)
    lifecycle_policies.put(tx, repository.id, text)


def get_lifecycle_policy(tx: ReadTransaction, caller: Caller, scope: Scope, name: RepositoryName) -> LifecyclePolicy:
    """A repository's policy. Raises RepositoryNotFound, LifecyclePolicyNotFound."""
    return policy_of(tx, repository_for(tx, caller, "ecr:GetLifecyclePolicy", scope, name))


def delete_lifecycle_policy(tx: Transaction, caller: Caller, scope: Scope, name: RepositoryName) -> LifecyclePolicy:
    """Take the policy away; return it. Raises RepositoryNotFound, LifecyclePolicyNotFound."""
    repository = locked_repository_for(tx, caller, "ecr:DeleteLifecyclePolicy", scope, name, share=False)
    found = policy_of(tx, repository)
    lifecycle_policies.remove(tx, repository.id)
    return found


def policy_of(tx: ReadTransaction, repository: Repository) -> LifecyclePolicy:
    """The policy of a repository that was found for its caller. Raises LifecyclePolicyNotFound."""
    found = lifecycle_policies.find(tx, repository.id)
    if found is None:
        raise LifecyclePolicyNotFound(repository.scope.registry_id, repository.name)
    return found
