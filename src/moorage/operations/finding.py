"""Authorise, then find: the first two lines of every use case about a repository, in the order that discloses nothing."""

from __future__ import annotations

from moorage.auth.authorize import authorize
from moorage.metadata import repositories
from moorage.metadata.records import Repository
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.model.errors import RepositoryNotFound
from moorage.model.names import RepositoryName
from moorage.model.principal import Caller
from moorage.model.scope import Scope


def repository_for(tx: ReadTransaction, caller: Caller, action: str, scope: Scope, name: RepositoryName) -> Repository:
    """The repository, if the caller may do `action` on it. Raises AccessDenied, NotAuthenticated, RepositoryNotFound."""
    authorize(tx, caller, action, scope, scope.repository_arn(name))
    repository = repositories.find(tx, scope, name)
    if repository is None:
        raise RepositoryNotFound(scope.registry_id, name)
    return repository


def locked_repository_for(
    tx: Transaction, caller: Caller, action: str, scope: Scope, name: RepositoryName, *, share: bool
) -> Repository:
    """`repository_for`, holding its row: alone to change it, with `share` so that nobody deletes it under a push."""
    authorize(tx, caller, action, scope, scope.repository_arn(name))
    repository = repositories.lock(tx, scope, name, share=share)
    if repository is None:
        raise RepositoryNotFound(scope.registry_id, name)
    return repository
