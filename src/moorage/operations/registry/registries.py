"""Where a registry is, who gets in, and what is in it. Source: OCI `_catalog`; the addressing of this server."""

from __future__ import annotations

from moorage.auth.authorize import Question, authorize, check_status
from moorage.metadata.registry import registries, repositories
from moorage.metadata.transaction import ReadTransaction
from moorage.model.principal import Caller
from moorage.model.scope import Scope


def find_address(tx: ReadTransaction, scope: Scope) -> str | None:
    """The loopback address of a registry that has repositories."""
    return registries.address_of_used(tx, scope)


def scope_at(tx: ReadTransaction, address: str) -> Scope | None:
    """The registry that a loopback address was given to."""
    return registries.find_by_address(tx, address)


def all_addresses(tx: ReadTransaction) -> list[tuple[Scope, str]]:
    """Every private registry that has repositories, with its loopback address."""
    return registries.list_used(tx)


def used_regions(tx: ReadTransaction) -> list[str]:
    """The regions in which private registries have repositories."""
    return sorted({scope.region for scope, _ in registries.list_used(tx)})


def log_in(tx: ReadTransaction, caller: Caller) -> None:
    """What ``GET /v2/`` asks: do these credentials count? Raises NotAuthenticated."""
    check_status(tx, caller)


def catalog(tx: ReadTransaction, caller: Caller, scope: Scope, after: str, count: int) -> tuple[list[str], bool]:
    """At most `count` names of repositories after `after` in byte order, and whether there are more."""
    authorize(tx, caller, Question("ecr:DescribeRepositories", scope, scope.repository_arn("*")))
    if count == 0:
        return [], False
    found = [repository.name for repository in repositories.list_page(tx, scope, after, count + 1)]
    return [str(name) for name in found[:count]], len(found) > count
