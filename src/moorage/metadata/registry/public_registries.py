"""Queries over public registries: their aliases, their marks, and the catalog data of their repositories."""

from __future__ import annotations

from msgspec import Struct
from sqlalchemy import bindparam, delete, select, update

from moorage.metadata.records import Repository
from moorage.metadata.statements import Statement
from moorage.metadata.tables.public import public_aliases, public_registries, repository_catalogs
from moorage.metadata.tables.registries import registries
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.metadata.types import word

_p, _a, _c, _g = public_registries.c, public_aliases.c, repository_catalogs.c, registries.c
_ACCOUNT_OF = Statement(
    lambda _: select(_g.registry_id).join(public_aliases, _a.registry == _g.id).where(_a.alias == bindparam("alias"))
)
_HAS = Statement(
    lambda _: (
        select(_p.registry)
        .join(registries, _g.id == _p.registry)
        .where(_g.partition == bindparam("partition"), _g.region == word(""), _g.registry_id == bindparam("registry_id"))
    )
)
_FIND = Statement(lambda _: select(_p.display_name, _p.is_verified).where(_p.registry == bindparam("registry")))
_ALL = Statement(lambda _: select(_p.registry, _g.registry_id).join(registries, _g.id == _p.registry).order_by(_g.registry_id))
_INSERT = Statement(
    lambda insert: (
        insert(public_registries)
        .values(registry=bindparam("registry"), display_name=None, is_verified=0)
        .on_conflict_do_nothing(index_elements=["registry"])
    )
)
_SET_NAME = Statement(
    lambda _: update(public_registries).where(_p.registry == bindparam("id")).values(display_name=bindparam("new_name"))
)
_SET_VERIFIED = Statement(
    lambda _: update(public_registries).where(_p.registry == bindparam("id")).values(is_verified=bindparam("mark"))
)
_ALIASES = Statement(
    lambda _: (
        select(_a.alias, _a.is_default, _a.created_at)
        .where(_a.registry == bindparam("registry"))
        .order_by(_a.is_default, _a.id.desc())
    )
)
_ADD_ALIAS = Statement(
    lambda insert: (
        insert(public_aliases)
        .values(
            alias=bindparam("alias"), registry=bindparam("registry"), is_default=bindparam("default"), created_at=bindparam("now")
        )
        .on_conflict_do_nothing(index_elements=["alias"])
    )
)
_DROP_ALIAS = Statement(
    lambda _: delete(public_aliases).where(_a.registry == bindparam("owner"), _a.alias == bindparam("name"), _a.is_default == 0)
)
_CATALOG = Statement(lambda _: select(_c.document, _c.logo).where(_c.repository_id == bindparam("repository")))
_PUT_CATALOG = Statement(
    lambda insert: (
        lambda it: it.on_conflict_do_update(
            index_elements=["repository_id"],
            set_={"document": it.excluded.document, "logo": it.excluded.logo, "updated_at": it.excluded.updated_at},
        )
    )(
        insert(repository_catalogs).values(
            repository_id=bindparam("repository"),
            document=bindparam("document"),
            logo=bindparam("logo"),
            updated_at=bindparam("now"),
        )
    )
)


class Alias(Struct, frozen=True):
    """A name of a public registry in paths. `created_at` is in microseconds."""

    name: str
    is_default: bool
    created_at: int


class PublicRegistry(Struct, frozen=True):
    """A public registry. `aliases` begins with the primary one: the newest that was chosen, else the default one."""

    aliases: tuple[Alias, ...]
    display_name: str | None
    is_verified: bool


def account_of_alias(tx: ReadTransaction, alias: str) -> str | None:
    """The account whose public registry has that alias."""
    row = tx.first(_ACCOUNT_OF, alias=alias)
    return str(row[0]) if row else None


def exists(tx: ReadTransaction, partition: str, account_id: str) -> bool:
    """Tell whether the account has used its public registry."""
    return tx.first(_HAS, partition=partition, registry_id=account_id) is not None


def find(tx: ReadTransaction, registry: int) -> PublicRegistry | None:
    """A public registry with its aliases; None before its first use."""
    row = tx.first(_FIND, registry=registry)
    if row is None:
        return None
    aliases = tuple(Alias(entry[0], bool(entry[1]), entry[2]) for entry in tx.all(_ALIASES, registry=registry))
    return PublicRegistry(aliases, row[0], bool(row[1]))


def list_all(tx: ReadTransaction) -> list[tuple[int, str]]:
    """Id and account of every public registry, by account."""
    return [(row[0], row[1]) for row in tx.all(_ALL)]


def insert(tx: Transaction, registry: int) -> None:
    """Make a registry a public one, unless it is."""
    tx.run(_INSERT, registry=registry)


def set_display_name(tx: Transaction, registry: int, name: str | None) -> None:
    """Replace the name that the catalog shows."""
    tx.run(_SET_NAME, id=registry, new_name=name)


def set_verified(tx: Transaction, registry: int, *, is_verified: bool) -> None:
    """Set or take away the mark of a verified account."""
    tx.run(_SET_VERIFIED, id=registry, mark=int(is_verified))


def add_alias(tx: Transaction, registry: int, alias: str, *, is_default: bool) -> bool:
    """Give a registry an alias; False if it is taken."""
    return tx.run(_ADD_ALIAS, alias=alias, registry=registry, default=int(is_default), now=tx.now) == 1


def drop_alias(tx: Transaction, registry: int, alias: str) -> bool:
    """Take an alias away; False if it is none of the registry's own, or its default one."""
    return tx.run(_DROP_ALIAS, owner=registry, name=alias) == 1


def catalog_of(tx: ReadTransaction, repository: Repository) -> tuple[str, bytes | None] | None:
    """A repository's catalog data (JSON) and logo; None if none was ever put."""
    row = tx.first(_CATALOG, repository=repository.id)
    return (row[0], None if row[1] is None else bytes(row[1])) if row else None


def put_catalog(tx: Transaction, repository: Repository, document: str, logo: bytes | None) -> None:
    """Replace a repository's catalog data as a whole."""
    tx.run(_PUT_CATALOG, repository=repository.id, document=document, logo=logo, now=tx.now)
