"""The kinds of which there are jobs in a state, found by stepping from kind to kind in an index."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.sql.selectable import CTE

from moorage.metadata.tables.jobs import jobs


def kinds_in(state: Any) -> CTE:
    """A query of one column, ``kind``, with a NULL at its end. It costs what the kinds do, not what the jobs do.

    Args:
        state: a word of SQL for which there is a partial index that begins with the kind.
    """
    other = jobs.alias("next_kind")
    first = select(func.min(jobs.c.kind).label("kind")).where(jobs.c.state == state).cte("kinds", recursive=True)
    following = select(func.min(other.c.kind)).where(other.c.state == state, other.c.kind > first.c.kind).scalar_subquery()
    return first.union_all(select(following).where(first.c.kind.is_not(None)))
