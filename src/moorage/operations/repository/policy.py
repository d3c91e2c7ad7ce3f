"""Policies of repositories. Source: ECR SetRepositoryPolicy, GetRepositoryPolicy, DeleteRepositoryPolicy."""

from __future__ import annotations

from msgspec.structs import replace

from moorage.auth.authorize import Question, decision_for
from moorage.metadata.records import Repository
from moorage.metadata.registry import repositories
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.model.errors import ParameterInvalid, RepositoryPolicyNotFound
from moorage.model.names import RepositoryName
from moorage.model.principal import Caller
from moorage.model.scope import Scope
from moorage.operations.authorized import locked_repository_for, repository_for
from moorage.operations.identity import policy_documents
from moorage.policy.document import Kind

SET = "ecr:SetRepositoryPolicy"
_LOCK_OUT = "The policy would prevent you from setting another policy in the future. Use force to set it"


def set_repository_policy(tx: Transaction, caller: Caller, scope: Scope, name: RepositoryName, text: str, *, force: bool) -> None:
    """Replace a repository's policy.

    Raises:
        RepositoryNotFound
        MalformedPolicy: PrincipalNotFound if it names somebody who does not exist.
        ParameterInvalid: under it the caller could not set another one, and `force` is not set.
    """
    repository = locked_repository_for(tx, caller, SET, scope, name, share=False)
    _, bindings = policy_documents.read(tx, text, Kind.PUBLIC_REPOSITORY if scope.is_public else Kind.REPOSITORY)
    under_it = replace(repository, policy=text, policy_bindings=bindings)
    if not force and not decision_for(tx, caller, Question(SET, scope, repository.arn, repository=under_it)).allowed:
        raise ParameterInvalid("PolicyText", _LOCK_OUT)
    repositories.set_policy(tx, repository, text, bindings)


def get_repository_policy(tx: ReadTransaction, caller: Caller, scope: Scope, name: RepositoryName) -> str:
    """The policy's text. Raises RepositoryNotFound, RepositoryPolicyNotFound."""
    return _text(tx, repository_for(tx, caller, "ecr:GetRepositoryPolicy", scope, name))


def delete_repository_policy(tx: Transaction, caller: Caller, scope: Scope, name: RepositoryName) -> str:
    """Take the policy away; return its text. Raises RepositoryNotFound, RepositoryPolicyNotFound."""
    repository = locked_repository_for(tx, caller, "ecr:DeleteRepositoryPolicy", scope, name, share=False)
    text = _text(tx, repository)
    repositories.set_policy(tx, repository, None, None)
    return text


def _text(tx: ReadTransaction, repository: Repository) -> str:
    if repository.policy is None:
        raise RepositoryPolicyNotFound(repository.scope.registry_id, repository.name)
    return policy_documents.shown(tx, repository.policy, repository.policy_bindings)
