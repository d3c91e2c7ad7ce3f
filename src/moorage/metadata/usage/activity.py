"""Queries over what principals did, and over the last use of keys. Written in batches, in the order of their keys."""

from __future__ import annotations

from sqlalchemy import bindparam, select, update

from moorage.metadata.statements import Statement
from moorage.metadata.tables.identity import identities, principal_activity
from moorage.metadata.tables.registries import access_keys
from moorage.metadata.transaction import ReadTransaction, Transaction

_p, _k = principal_activity.c, access_keys.c

_ADD = Statement(
    lambda insert: (
        lambda it: it.on_conflict_do_update(
            index_elements=["principal_id", "action", "resource"],
            set_={"last_at": it.excluded.last_at, "region": it.excluded.region, "uses": _p.uses + it.excluded.uses},
        )
    )(
        insert(principal_activity).values(
            principal_id=bindparam("principal"),
            action=bindparam("action"),
            resource=bindparam("resource"),
            account_id=bindparam("account"),
            region=bindparam("region"),
            first_at=bindparam("first"),
            last_at=bindparam("last"),
            uses=bindparam("count"),
        )
    )
)
_OF = Statement(
    lambda _: (
        select(_p.action, _p.resource, _p.region, _p.first_at, _p.last_at, _p.uses)
        .where(_p.principal_id == bindparam("principal"), _p.last_at >= bindparam("since"))
        .order_by(_p.action, _p.resource)
        .limit(bindparam("count"))
    )
)
_KEY_USED = Statement(
    lambda _: (
        update(access_keys)
        .where(_k.id == bindparam("key"))
        .values(last_used_at=bindparam("at"), last_used_service=bindparam("service"), last_used_region=bindparam("used_region"))
    )
)
_ROLE_USED = Statement(
    lambda _: (
        update(identities)
        .where(identities.c.id == bindparam("role"))
        .values(last_used_at=bindparam("at"), last_used_region=bindparam("used_region"))
    )
)


def add(
    tx: Transaction, principal_id: str, action: str, resource: str, account_id: str, region: str, first: int, last: int, uses: int
) -> None:
    """Count uses of an action on a resource by a principal. Times are microseconds."""
    tx.run(
        _ADD,
        principal=principal_id,
        action=action,
        resource=resource,
        account=account_id,
        region=region,
        first=first,
        last=last,
        count=uses,
    )


def of_principal(tx: ReadTransaction, principal_id: str, since: int, count: int) -> list[tuple[str, str, str, int, int, int]]:
    """At most `count` of (action, resource, region, first and last time, uses), those used since `since`."""
    return [
        (row[0], row[1], row[2], row[3], row[4], row[5]) for row in tx.all(_OF, principal=principal_id, since=since, count=count)
    ]


def key_used(tx: Transaction, access_key_id: str, at: int, service: str, region: str) -> None:
    """Note the last use of a long-term key."""
    tx.run(_KEY_USED, key=access_key_id, at=at, service=service, used_region=region)


def role_used(tx: Transaction, role_id: str, at: int, region: str) -> None:
    """Note the last use of a role by one of its sessions."""
    tx.run(_ROLE_USED, role=role_id, at=at, used_region=region)
