"""Find, authorise, and only then say that it is not there: how every use case about a repository begins.

The repository's policy and tags take part in the decision, so it is looked up first; whoever may not do what it asks learns
nothing of the outcome.
"""

from __future__ import annotations

from collections.abc import Sequence

from moorage.auth.authorize import Question, authorize
from moorage.metadata.records import Repository
from moorage.metadata.registry import repositories
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.model.errors import RepositoryNotFound
from moorage.model.names import RepositoryName
from moorage.model.principal import NO_FACTS, Caller, RequestFacts
from moorage.model.scope import Scope


def repository_for(
    tx: ReadTransaction,
    caller: Caller,
    action: str,
    scope: Scope,
    name: RepositoryName,
    *,
    facts: RequestFacts = NO_FACTS,
    also: Sequence[str] = (),
) -> Repository:
    """The repository, if the caller may do `action`, and what is in `also`, on it.

    Raises:
        AccessDenied, NotAuthenticated, RepositoryNotFound
    """
    repository = repositories.find(tx, scope, name)
    for each in (*also, action):
        authorize(tx, caller, Question(each, scope, scope.repository_arn(name), facts, repository=repository))
    if repository is None:
        raise RepositoryNotFound(scope.registry_id, name)
    return repository


def locked_repository_for(
    tx: Transaction,
    caller: Caller,
    action: str,
    scope: Scope,
    name: RepositoryName,
    *,
    share: bool,
    facts: RequestFacts = NO_FACTS,
    also: Sequence[str] = (),
) -> Repository:
    """`repository_for`, holding its row: alone to change it, with `share` so that nobody deletes it under a push."""
    repository = repositories.lock(tx, scope, name, share=share)
    for each in (*also, action):
        authorize(tx, caller, Question(each, scope, scope.repository_arn(name), facts, repository=repository))
    if repository is None:
        raise RepositoryNotFound(scope.registry_id, name)
    return repository
