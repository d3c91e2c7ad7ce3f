"""Repositories: create, describe, delete, and the mutability of their tags. Source: the operations of the same names of ECR."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from moorage.auth.authorize import Question, authorize
from moorage.metadata.records import Repository
from moorage.metadata.registry import registries, repositories, seals
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.model.errors import (
    KeyUnusable,
    LimitExceeded,
    ParameterInvalid,
    RepositoryExists,
    RepositoryNotEmpty,
    RepositoryNotFound,
)
from moorage.model.names import RepositoryName
from moorage.model.principal import NO_FACTS, Caller
from moorage.model.scope import Scope
from moorage.model.seal import AES256, SealKey
from moorage.operations import quotas
from moorage.operations.authorized import locked_repository_for
from moorage.operations.images.tag_mutability import MUTABLE, check_filters
from moorage.operations.repository.resource_tags import about_tags, check_tags
from moorage.operations.seals import SealKeyMissing

NO_KMS = "encryption with KMS keys is not available in this version of Moorage: use encryptionType AES256"


@dataclass(frozen=True, slots=True)
class RepositoryRequest:
    """What CreateRepository can say; defaults are ECR's."""

    name: RepositoryName
    tags: Sequence[tuple[str, str]] = ()
    tag_mutability: str = MUTABLE
    mutability_filters: Sequence[str] | None = None
    scan_on_push: bool = False
    encryption_type: str = AES256
    kms_key: str | None = None


def create_repository(
    tx: Transaction, caller: Caller, scope: Scope, request: RepositoryRequest, seal_key: SealKey | None = None
) -> Repository:
    """Create a repository, and with its first one the registry.

    Args:
        seal_key: becomes what seals the registry, if it has nothing yet.

    Raises:
        SealKeyMissing: it has nothing yet, and no `seal_key` was given.
        ParameterInvalid, TooManyTags, TagKeyInvalid: the request contradicts itself.
        RepositoryExists, LimitExceeded
        KeyUnusable: encryption with a KMS key is asked for, which this version does not have.
    """
    arn = scope.repository_arn(request.name)
    facts = about_tags(request.tags) if request.tags else NO_FACTS
    authorize(tx, caller, Question("ecr:CreateRepository", scope, arn, facts))
    if request.tags:
        authorize(tx, caller, Question("ecr:TagResource", scope, arn, facts))
    return make_repository(tx, scope, request, seal_key)


def make_repository(tx: Transaction, scope: Scope, request: RepositoryRequest, seal_key: SealKey | None = None) -> Repository:
    """`create_repository` for those who have found that the caller may."""
    tags = check_tags(request.tags)
    filters = check_filters(request.tag_mutability, request.mutability_filters)
    if request.encryption_type == AES256 and request.kms_key is not None:
        raise ParameterInvalid(
            "encryptionConfiguration.kmsKey", "KMS key can only be specified when encryptionType is KMS or KMS_DSSE"
        )
    registry = registries.hold(tx, scope)  # so that the quota that is counted below still holds at the commit
    seal = seals.find_own(tx, registry, AES256)
    if seal is None:
        if seal_key is None:
            raise SealKeyMissing(AES256)
        seal = seals.ensure_own(tx, registry, AES256, seal_key)  # of two that are first at once the other may have made it
    inserted = repositories.insert(
        tx,
        registry,
        request.name,
        tag_mutability=request.tag_mutability,
        filters=filters,
        scan_on_push=request.scan_on_push,
        encryption_type=AES256,
        kms_key=None,
        seal=seal,
    )
    if not inserted:
        raise RepositoryExists(scope.registry_id, request.name)
    most = quotas.limit(tx, "public_repositories" if scope.is_public else "repositories")
    if repositories.count_in(tx, registry) > most:
        raise LimitExceeded(
            f"The maximum number of repositories ({most}) in the registry with id '{scope.registry_id}' has been reached"
        )
    if request.encryption_type != AES256:
        # Last, so that everything else that is wrong is told first; what was made goes with the transaction.
        raise KeyUnusable(NO_KMS, "UnsupportedOperationException")
    repository = repositories.find(tx, scope, request.name)
    assert repository is not None
    repositories.put_resource_tags(tx, repository, tags)
    return repository


def delete_repository(tx: Transaction, caller: Caller, scope: Scope, name: RepositoryName, *, force: bool) -> Repository:
    """Delete a repository. The name is free at once; what was in it goes in batches afterwards.

    Raises:
        RepositoryNotFound
        RepositoryNotEmpty: it has images and `force` is not set. Layers and open uploads alone do not count.
    """
    repository = locked_repository_for(tx, caller, "ecr:DeleteRepository", scope, name, share=False)
    if not force and repositories.has_images(tx, repository):
        raise RepositoryNotEmpty(scope.registry_id, name)
    repositories.mark_deleted(tx, repository)
    return repository


def describe_named(tx: ReadTransaction, caller: Caller, scope: Scope, names: Sequence[RepositoryName]) -> list[Repository]:
    """The repositories of that name, in byte order. Raises RepositoryNotFound for the first that is missing."""
    found = repositories.find_named(tx, scope, list(names))
    for name in names:
        arn = scope.repository_arn(name)
        authorize(tx, caller, Question("ecr:DescribeRepositories", scope, arn, repository=found.get(name)))
    for name in names:
        if name not in found:
            raise RepositoryNotFound(scope.registry_id, name)
    return [found[name] for name in sorted(found)]


def describe_page(
    tx: ReadTransaction, caller: Caller, scope: Scope, after: str, count: int
) -> tuple[list[Repository], str | None]:
    """At most `count` repositories whose names come after `after`, and the last name if there are more."""
    authorize(tx, caller, Question("ecr:DescribeRepositories", scope, scope.repository_arn("*")))
    found = repositories.list_page(tx, scope, after, count + 1)
    return found[:count], found[count - 1].name if len(found) > count else None


def put_image_tag_mutability(
    tx: Transaction, caller: Caller, scope: Scope, name: RepositoryName, mode: str, filters: Sequence[str] | None
) -> tuple[str, ...]:
    """Replace mode and filters; return the filters. Later pushes obey them, earlier ones stay."""
    repository = locked_repository_for(tx, caller, "ecr:PutImageTagMutability", scope, name, share=False)
    checked = check_filters(mode, filters)
    repositories.set_mutability(tx, repository, mode, checked)
    return checked
