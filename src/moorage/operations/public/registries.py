"""Public registries: made on first use, named by aliases. Source: ECR Public DescribeRegistries, GetRegistryCatalogData,
PutRegistryCatalogData.

Every registry has a default alias, chosen at random. The server's operator gives it others (`aliases`): what AWS does by a
request that somebody approves is here one step, so an alias is never pending or rejected.
"""

from __future__ import annotations

from moorage.auth.authorize import Question, authorize
from moorage.metadata.registry import public_registries, registries
from moorage.metadata.registry.public_registries import PublicRegistry
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.model import ids
from moorage.model.principal import Caller
from moorage.model.scope import Scope, is_account_id


def ensure(tx: Transaction, scope: Scope) -> int:
    """The id of a public registry, made on first use with its default alias. Its account must exist."""
    registry = registries.find_registry(tx, scope)
    known = public_registries.find(tx, registry) if registry is not None else None
    if registry is not None and known is not None and known.aliases:
        return registry
    registry = registries.hold(tx, scope)
    known = public_registries.find(tx, registry)
    if known is None or not known.aliases:
        public_registries.insert(tx, registry)
        while not public_registries.add_alias(tx, registry, ids.public_alias(), is_default=True):
            pass  # taken: there are more than 2 * 10^12
    return registry


def describe_registries(tx: Transaction, caller: Caller, scope: Scope) -> PublicRegistry:
    """The caller's public registry, made now if it was never used."""
    authorize(tx, caller, Question("ecr:DescribeRegistries", scope, scope.registry_arn))
    return _found(tx, ensure(tx, scope))


def get_registry_catalog_data(tx: ReadTransaction, caller: Caller, scope: Scope) -> str | None:
    """The name that the catalog shows for the registry; None: it was never set."""
    authorize(tx, caller, Question("ecr:GetRegistryCatalogData", scope, scope.registry_arn))
    registry = registries.find_registry(tx, scope)
    known = public_registries.find(tx, registry) if registry is not None else None
    return known.display_name if known is not None else None


def put_registry_catalog_data(tx: Transaction, caller: Caller, scope: Scope, display_name: str | None) -> None:
    """Replace the name that the catalog shows; None takes it away."""
    authorize(tx, caller, Question("ecr:PutRegistryCatalogData", scope, scope.registry_arn))
    public_registries.set_display_name(tx, ensure(tx, scope), display_name)


def account_of(tx: ReadTransaction, named: str) -> str | None:
    """The account of a public registry that is named by an alias or by its account; None for one that was never used."""
    if not is_account_id(named):
        return public_registries.account_of_alias(tx, named)
    return named if public_registries.exists(tx, Scope.public(named).partition, named) else None


def primary_alias(tx: ReadTransaction, scope: Scope) -> str | None:
    """The alias under which a registry shows itself; None before its first use."""
    registry = registries.find_registry(tx, scope)
    known = public_registries.find(tx, registry) if registry is not None else None
    return known.aliases[0].name if known is not None and known.aliases else None


def _found(tx: ReadTransaction, registry: int) -> PublicRegistry:
    known = public_registries.find(tx, registry)
    assert known is not None, "a registry that was just made"
    return known
