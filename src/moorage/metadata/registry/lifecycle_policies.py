"""Queries over lifecycle policies and their previews."""

from __future__ import annotations

import json
from collections.abc import Iterable

from sqlalchemy import bindparam, delete, select

from moorage.metadata.registry.records import LifecyclePolicy, Preview, PreviewResult
from moorage.metadata.statements import Statement
from moorage.metadata.tables.lifecycle import lifecycle_policies, lifecycle_preview_results, lifecycle_previews
from moorage.metadata.transaction import ReadTransaction, Transaction

_l, _p, _r = lifecycle_policies.c, lifecycle_previews.c, lifecycle_preview_results.c

_FIND = Statement(
    lambda _: select(_l.document, _l.put_at, _l.last_evaluated_at).where(_l.repository_id == bindparam("repository"))
)
_PUT = Statement(
    lambda insert: (
        lambda it: it.on_conflict_do_update(
            index_elements=["repository_id"], set_={"document": it.excluded.document, "put_at": it.excluded.put_at}
        )
    )(
        insert(lifecycle_policies).values(
            repository_id=bindparam("repository"), document=bindparam("document"), put_at=bindparam("now"), last_evaluated_at=0
        )
    )
)
_DELETE = Statement(lambda _: delete(lifecycle_policies).where(_l.repository_id == bindparam("repository")))
_PREVIEW = Statement(
    lambda _: select(_p.id, _p.document, _p.completed_at, _p.expiring, _p.transitioning).where(
        _p.repository_id == bindparam("repository")
    )
)
_INSERT_PREVIEW = Statement(
    lambda insert: insert(lifecycle_previews).values(
        repository_id=bindparam("repository"),
        id=bindparam("id"),
        document=bindparam("document"),
        completed_at=bindparam("completed_at"),
        expiring=bindparam("expiring"),
        transitioning=bindparam("transitioning"),
    )
)
_INSERT_RESULT = Statement(
    lambda insert: insert(lifecycle_preview_results).values(
        repository_id=bindparam("repository"),
        position=bindparam("position"),
        digest=bindparam("digest"),
        tags=bindparam("tags"),
        pushed_at=bindparam("pushed_at"),
        action=bindparam("action"),
        priority=bindparam("priority"),
        storage_class=bindparam("storage_class"),
    )
)
_RESULTS = Statement(
    lambda _: (
        select(_r.position, _r.digest, _r.tags, _r.pushed_at, _r.action, _r.priority, _r.storage_class)
        .where(_r.repository_id == bindparam("repository"), _r.position > bindparam("after"))
        .order_by(_r.position)
        .limit(bindparam("count"))
    )
)
_DELETE_RESULTS = Statement(lambda _: delete(lifecycle_preview_results).where(_r.repository_id == bindparam("repository")))
_DELETE_PREVIEW = Statement(lambda _: delete(lifecycle_previews).where(_p.repository_id == bindparam("repository")))


def find(tx: ReadTransaction, repository_id: int) -> LifecyclePolicy | None:
    """A repository's policy."""
    row = tx.first(_FIND, repository=repository_id)
    return LifecyclePolicy(*row) if row else None


def put(tx: Transaction, repository_id: int, document: str) -> None:
    """Set or replace a repository's policy; when it was last evaluated stays."""
    tx.run(_PUT, repository=repository_id, document=document, now=tx.now)


def remove(tx: Transaction, repository_id: int) -> None:
    """Take a repository's policy away."""
    tx.run(_DELETE, repository=repository_id)


def find_preview(tx: ReadTransaction, repository_id: int) -> Preview | None:
    """The newest preview of a repository."""
    row = tx.first(_PREVIEW, repository=repository_id)
    return Preview(*row) if row else None


def replace_preview(tx: Transaction, repository_id: int, preview: Preview, results: Iterable[PreviewResult]) -> None:
    """Put a preview in the place of the one before."""
    remove_preview(tx, repository_id)
    tx.run(
        _INSERT_PREVIEW,
        repository=repository_id,
        id=preview.id,
        document=preview.document,
        completed_at=preview.completed_at,
        expiring=preview.expiring,
        transitioning=preview.transitioning,
    )
    tx.run_many(
        _INSERT_RESULT,
        (
            {
                "repository": repository_id,
                "position": result.position,
                "digest": result.digest,
                "tags": json.dumps(result.tags),
                "pushed_at": result.pushed_at,
                "action": result.action,
                "priority": result.priority,
                "storage_class": result.storage_class,
            }
            for result in results
        ),
    )


def results_page(tx: ReadTransaction, repository_id: int, after: int, count: int) -> list[PreviewResult]:
    """At most `count` results of the repository's preview behind position `after`."""
    rows = tx.all(_RESULTS, repository=repository_id, after=after, count=count)
    return [PreviewResult(row[0], row[1], tuple(json.loads(row[2])), *row[3:]) for row in rows]


def remove_preview(tx: Transaction, repository_id: int) -> None:
    """Forget a repository's preview."""
    tx.run(_DELETE_RESULTS, repository=repository_id)
    tx.run(_DELETE_PREVIEW, repository=repository_id)
