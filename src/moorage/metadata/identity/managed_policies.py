"""Queries over customers' managed policies and their versions."""

from __future__ import annotations

from sqlalchemy import bindparam, delete, exists, func, or_, select, update

from moorage.metadata.identity.records import ManagedPolicy, PolicyVersion
from moorage.metadata.statements import Statement
from moorage.metadata.tables.identity import attachments, identities, managed_policies, policy_versions
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.metadata.types import among
from moorage.model.identity import fold

_p, _v = managed_policies.c, policy_versions.c
_COLUMNS = (
    _p.id, _p.account_id, _p.name, _p.path, _p.arn, _p.description, _p.default_version, _p.newest_version, _p.created_at,
    _p.updated_at,
)  # fmt: skip
_BY_ARN = Statement(lambda _: select(*_COLUMNS).where(_p.arn == bindparam("arn")))
_PAGE = Statement(
    lambda _: (
        select(*_COLUMNS)
        .where(
            _p.account_id == bindparam("account"),
            _p.folded_name > bindparam("after"),
            func.substr(_p.path, 1, bindparam("length")) == bindparam("prefix"),
            or_(bindparam("attached") == 0, exists().where(attachments.c.policy_arn == _p.arn)),
            or_(
                bindparam("bounding") == 0,
                exists().where(identities.c.account_id == _p.account_id, identities.c.boundary_arn == _p.arn),
            ),
        )
        .order_by(_p.folded_name)
        .limit(bindparam("count"))
    )
)
_COUNT = Statement(lambda _: select(func.count()).select_from(managed_policies).where(_p.account_id == bindparam("account")))
_INSERT = Statement(
    lambda insert: (
        insert(managed_policies)
        .values(
            id=bindparam("id"),
            account_id=bindparam("account"),
            name=bindparam("name"),
            folded_name=bindparam("folded"),
            path=bindparam("path"),
            arn=bindparam("arn"),
            description=bindparam("description"),
            default_version=bindparam("version"),
            newest_version=bindparam("version"),
            created_at=bindparam("now"),
            updated_at=bindparam("now"),
        )
        .on_conflict_do_nothing(index_elements=["account_id", "folded_name"])
    )
)
_SET_VERSIONS = Statement(
    lambda _: (
        update(managed_policies)
        .where(_p.id == bindparam("policy"))
        .values(
            default_version=bindparam("new_default"), newest_version=bindparam("new_newest"), updated_at=bindparam("new_time")
        )
    )
)
_DELETE = Statement(lambda _: delete(managed_policies).where(_p.id == bindparam("policy")))
_VERSIONS = Statement(
    lambda _: (
        select(_v.version, _v.document, _v.created_at).where(_v.policy_id == bindparam("policy")).order_by(_v.version.desc())
    )
)
_DEFAULTS = Statement(
    lambda _: (
        select(_p.arn, _v.version, _v.document, _v.created_at)
        .join_from(managed_policies, policy_versions, (_v.policy_id == _p.id) & (_v.version == _p.default_version))
        .where(among(_p.arn, "arns"))
    )
)
_IN_USE = Statement(
    lambda _: (
        select(func.count())
        .select_from(managed_policies)
        .join(policy_versions, _v.policy_id == _p.id)
        .where(_p.account_id == bindparam("account"))
    )
)
_INSERT_VERSION = Statement(
    lambda insert: insert(policy_versions).values(
        policy_id=bindparam("policy"), version=bindparam("version"), document=bindparam("document"), created_at=bindparam("now")
    )
)
_DELETE_VERSION = Statement(
    lambda _: delete(policy_versions).where(_v.policy_id == bindparam("policy"), _v.version == bindparam("number"))
)


def find(tx: ReadTransaction, account_id: str, arn: str) -> ManagedPolicy | None:
    """A policy of the account by its ARN, to the letter."""
    row = tx.first(_BY_ARN, arn=arn)
    return ManagedPolicy(*row) if row and row[1] == account_id else None


def list_page(
    tx: ReadTransaction, account_id: str, prefix: str, after: str, count: int, *, attached: bool = False, bounding: bool = False
) -> list[ManagedPolicy]:
    """Policies below the path `prefix`, by folded name, after the folded name `after`.

    Args:
        attached: only those attached to something.
        bounding: only those that are somebody's boundary.
    """
    rows = tx.all(
        _PAGE,
        account=account_id,
        prefix=prefix,
        length=len(prefix),
        after=after,
        count=count,
        attached=int(attached),
        bounding=int(bounding),
    )
    return [ManagedPolicy(*row) for row in rows]


def count_in(tx: ReadTransaction, account_id: str) -> int:
    """How many policies the account has."""
    row = tx.first(_COUNT, account=account_id)
    assert row is not None
    return int(row[0])


def count_versions(tx: ReadTransaction, account_id: str) -> int:
    """How many versions all policies of the account have together."""
    row = tx.first(_IN_USE, account=account_id)
    assert row is not None
    return int(row[0])


def insert(tx: Transaction, policy: ManagedPolicy, document: str) -> bool:
    """Add a policy with its first version; False if the name is taken."""
    inserted = tx.run(
        _INSERT,
        id=policy.id,
        account=policy.account_id,
        name=policy.name,
        folded=fold(policy.name),
        path=policy.path,
        arn=policy.arn,
        description=policy.description,
        version=policy.default_version,
        now=policy.created_at,
    )
    if inserted == 1:
        insert_version(tx, policy, policy.default_version, document)
    return inserted == 1


def insert_version(tx: Transaction, policy: ManagedPolicy, version: int, document: str) -> None:
    """Add a version; `set_versions` makes it known."""
    tx.run(_INSERT_VERSION, policy=policy.id, version=version, document=document, now=tx.now)


def set_versions(tx: Transaction, policy: ManagedPolicy, default: int, newest: int) -> None:
    """Say which version counts, and which number was given last."""
    tx.run(_SET_VERSIONS, policy=policy.id, new_default=default, new_newest=newest, new_time=tx.now)


def versions_of(tx: ReadTransaction, policy: ManagedPolicy) -> list[PolicyVersion]:
    """A policy's versions, newest first."""
    return [PolicyVersion(*row) for row in tx.all(_VERSIONS, policy=policy.id)]


def default_versions(tx: ReadTransaction, arns: list[str]) -> dict[str, PolicyVersion]:
    """The versions that count, by ARN of the policy."""
    return {row[0]: PolicyVersion(*row[1:]) for row in tx.all(_DEFAULTS, arns=arns)}


def delete_version(tx: Transaction, policy: ManagedPolicy, version: int) -> bool:
    """Delete a version; False if there is none of that number."""
    return tx.run(_DELETE_VERSION, policy=policy.id, number=version) == 1


def remove(tx: Transaction, policy: ManagedPolicy) -> None:
    """Delete a policy of which one version is left."""
    tx.run(_DELETE_VERSION, policy=policy.id, number=policy.default_version)
    tx.run(_DELETE, policy=policy.id)
