"""What the answers to pulls rest on, on PostgreSQL: a version that is another one after each commit that may change one.

A single row would make all commits wait for each other, and a sequence counts before the commit that it is counted for. So there
are some rows, of which each transaction writes one, in the message that also commits it: nothing else is locked after it, and
whoever reads all of them in one statement sees exactly what was committed. Values are drawn, not counted, so that a version never
comes back after a failover that lost commits. SQLite has a number for this in its file's header.
"""

from __future__ import annotations

from sqlalchemy import String, cast, func, select

from moorage.metadata.statements import Statement
from moorage.metadata.tables.answers import answer_versions
from moorage.metadata.transaction import ReadTransaction

RAISE = """INSERT INTO answer_versions (slot, version) VALUES (floor(random() * 64), floor(random() * 4611686018427387904))
ON CONFLICT (slot) DO UPDATE SET version = excluded.version"""
"""What a transaction ends with that may change an answer."""

VERSION_COLUMN = select(cast(func.coalesce(func.sum(answer_versions.c.version), 0), String)).scalar_subquery()
"""For statements that look up what an answer is made of: the version that they see."""
_VERSION = Statement(lambda _: select(VERSION_COLUMN))


def version(tx: ReadTransaction) -> str:
    """The present version."""
    row = tx.first(_VERSION)
    assert row is not None
    return str(row[0])
