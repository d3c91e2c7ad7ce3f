"""What public repositories have beside the others: catalog data. Source: ECR Public CreateRepository, GetRepositoryCatalogData,
PutRepositoryCatalogData, DescribeImageTags."""

from __future__ import annotations

import msgspec

from moorage.metadata.images import manifests
from moorage.metadata.records import Image, Repository
from moorage.metadata.registry import public_registries, repositories
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.model.names import RepositoryName
from moorage.model.principal import Caller
from moorage.model.scope import Scope
from moorage.model.seal import SealKey
from moorage.operations.authorized import locked_repository_for, repository_for
from moorage.operations.public import registries
from moorage.operations.repository.repositories import RepositoryRequest
from moorage.operations.repository.repositories import create_repository as create_any_repository


class CatalogData(msgspec.Struct, frozen=True):
    """What a catalog says of a repository. None: nothing was said.

    Architectures and operating systems may have any name; a catalog finds only those that it knows. Texts are markdown.
    """

    description: str | None = None
    architectures: tuple[str, ...] | None = None
    operating_systems: tuple[str, ...] | None = None
    about_text: str | None = None
    usage_text: str | None = None


class Catalog(msgspec.Struct, frozen=True):
    """Catalog data with the logo, an image of whatever kind was put."""

    data: CatalogData = CatalogData()
    logo: bytes | None = None


def create_repository(
    tx: Transaction,
    caller: Caller,
    scope: Scope,
    request: RepositoryRequest,
    catalog: Catalog | None,
    seal_key: SealKey | None = None,
) -> Repository:
    """Create a public repository, and its registry with the first one. Raises what creating any repository raises."""
    created = create_any_repository(tx, caller, scope, request, seal_key)
    registries.ensure(tx, scope)
    if catalog is not None:
        _put(tx, created, catalog)
    return created


def get_repository_catalog_data(tx: ReadTransaction, caller: Caller, scope: Scope, name: RepositoryName) -> Catalog:
    """The catalog data of a repository; empty where none was ever put, as Terraform's provider relies on.

    Raises:
        RepositoryNotFound
    """
    return _get(tx, repository_for(tx, caller, "ecr:GetRepositoryCatalogData", scope, name)) or Catalog()


def put_repository_catalog_data(tx: Transaction, caller: Caller, scope: Scope, name: RepositoryName, catalog: Catalog) -> None:
    """Replace the whole of a repository's catalog data: what is not given is gone. Raises RepositoryNotFound."""
    _put(tx, locked_repository_for(tx, caller, "ecr:PutRepositoryCatalogData", scope, name, share=False), catalog)


def logo_of(tx: ReadTransaction, named: str, name: RepositoryName) -> bytes | None:
    """The logo of a public repository, for everybody; `named` is its registry's account or alias."""
    account_id = registries.account_of(tx, named)
    repository = repositories.find(tx, Scope.public(account_id), name) if account_id is not None else None
    found = _get(tx, repository) if repository is not None else None
    return found.logo if found is not None else None


def describe_image_tags_page(
    tx: ReadTransaction, caller: Caller, scope: Scope, name: RepositoryName, after: tuple[int, str], count: int
) -> tuple[list[tuple[str, int, Image]], tuple[int, str] | None]:
    """At most `count` tags (name, time of tagging, image), the one set last first; and where the page ended if there are more."""
    repository = repository_for(tx, caller, "ecr:DescribeImageTags", scope, name)
    found = manifests.newest_tags(tx, repository.id, after, count + 1)
    more = (found[count - 1][1], found[count - 1][0]) if len(found) > count else None
    return found[:count], more


def _put(tx: Transaction, repository: Repository, catalog: Catalog) -> None:
    public_registries.put_catalog(tx, repository, msgspec.json.encode(catalog.data).decode(), catalog.logo)


def _get(tx: ReadTransaction, repository: Repository) -> Catalog | None:
    stored = public_registries.catalog_of(tx, repository)
    return None if stored is None else Catalog(msgspec.json.decode(stored[0].encode(), type=CatalogData), stored[1])
