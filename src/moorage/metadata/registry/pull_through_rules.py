"""Queries over pull-through cache rules."""

from __future__ import annotations

from sqlalchemy import bindparam, delete, func, select, update

from moorage.metadata.registry.records import PullThroughRule
from moorage.metadata.statements import Statement
from moorage.metadata.tables.settings import pull_through_rules
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.metadata.types import among

_r = pull_through_rules.c
_COLUMNS = (
    _r.prefix, _r.upstream_url, _r.upstream_registry, _r.upstream_prefix, _r.credential_arn, _r.role_arn, _r.created_at,
    _r.updated_at,
)  # fmt: skip
_HERE = _r.registry == bindparam("registry")

_AMONG = Statement(lambda _: select(*_COLUMNS).where(_HERE, among(_r.prefix, "prefixes")))
_PAGE = Statement(
    lambda _: select(*_COLUMNS).where(_HERE, _r.prefix > bindparam("after")).order_by(_r.prefix).limit(bindparam("count"))
)
_COUNT = Statement(lambda _: select(func.count()).select_from(pull_through_rules).where(_HERE))
_INSERT = Statement(
    lambda insert: (
        insert(pull_through_rules)
        .values(
            registry=bindparam("registry"),
            prefix=bindparam("prefix"),
            upstream_url=bindparam("upstream_url"),
            upstream_registry=bindparam("upstream_registry"),
            upstream_prefix=bindparam("upstream_prefix"),
            credential_arn=bindparam("credential_arn"),
            role_arn=bindparam("role_arn"),
            created_at=bindparam("created_at"),
            updated_at=bindparam("updated_at"),
        )
        .on_conflict_do_nothing()
    )
)
_SET_CREDENTIALS = Statement(
    lambda _: (
        update(pull_through_rules)
        .where(_r.registry == bindparam("of_registry"), _r.prefix == bindparam("of_prefix"))
        .values(credential_arn=bindparam("new_credential"), role_arn=bindparam("new_role"), updated_at=bindparam("now"))
    )
)
_DELETE = Statement(lambda _: delete(pull_through_rules).where(_HERE, _r.prefix == bindparam("of_prefix")))


def find_among(tx: ReadTransaction, registry: int, prefixes: list[str]) -> dict[str, PullThroughRule]:
    """Those of the rules that exist, by prefix."""
    return {row[0]: PullThroughRule(*row) for row in tx.all(_AMONG, registry=registry, prefixes=prefixes)}


def find(tx: ReadTransaction, registry: int, prefix: str) -> PullThroughRule | None:
    """A rule by its prefix."""
    return find_among(tx, registry, [prefix]).get(prefix)


def list_page(tx: ReadTransaction, registry: int, after: str, count: int) -> list[PullThroughRule]:
    """At most `count` rules whose prefixes come after `after` in byte order."""
    return [PullThroughRule(*row) for row in tx.all(_PAGE, registry=registry, after=after, count=count)]


def count_in(tx: ReadTransaction, registry: int) -> int:
    """How many rules a registry has."""
    row = tx.first(_COUNT, registry=registry)
    assert row is not None
    return int(row[0])


def insert(tx: Transaction, registry: int, rule: PullThroughRule) -> bool:
    """Add a rule; False if its prefix has one."""
    inserted = tx.run(
        _INSERT,
        registry=registry,
        prefix=rule.prefix,
        upstream_url=rule.upstream_url,
        upstream_registry=rule.upstream_registry,
        upstream_prefix=rule.upstream_prefix,
        credential_arn=rule.credential_arn,
        role_arn=rule.role_arn,
        created_at=rule.created_at,
        updated_at=rule.updated_at,
    )
    return inserted == 1


def set_credentials(tx: Transaction, registry: int, prefix: str, credential_arn: str | None, role_arn: str | None) -> bool:
    """Replace what a rule logs in with; False if there is none."""
    new = {"new_credential": credential_arn, "new_role": role_arn, "now": tx.now}
    return tx.run(_SET_CREDENTIALS, of_registry=registry, of_prefix=prefix, **new) == 1


def remove(tx: Transaction, registry: int, prefix: str) -> bool:
    """Take a rule away; False if there is none."""
    return tx.run(_DELETE, registry=registry, of_prefix=prefix) == 1
