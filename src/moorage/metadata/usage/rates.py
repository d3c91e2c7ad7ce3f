"""Queries over token buckets, over counts of requests, and over what was sent to those without a login."""

from __future__ import annotations

from sqlalchemy import bindparam, delete, select

from moorage.metadata.statements import Statement
from moorage.metadata.tables.rates import anonymous_transfers, rate_buckets, request_counts
from moorage.metadata.transaction import ReadTransaction, Transaction

_b, _c, _t = rate_buckets.c, request_counts.c, anonymous_transfers.c

_ADD_BUCKET = Statement(
    lambda insert: (
        insert(rate_buckets)
        .values(name=bindparam("name"), full_at=bindparam("full_at"))
        .on_conflict_do_nothing(index_elements=["name"])
    )
)
_LOCK_BUCKET = Statement(lambda _: select(_b.full_at).where(_b.name == bindparam("name")).with_for_update())
_SET_BUCKET = Statement(
    lambda insert: (lambda it: it.on_conflict_do_update(index_elements=["name"], set_={"full_at": it.excluded.full_at}))(
        insert(rate_buckets).values(name=bindparam("name"), full_at=bindparam("full_at"))
    )
)
_DROP_FULL = Statement(lambda _: delete(rate_buckets).where(_b.full_at < bindparam("before")))
_HAS_FULL = Statement(lambda _: select(_b.name).where(_b.full_at < bindparam("before")).limit(1))
_COUNT = Statement(
    lambda insert: (
        lambda it: it.on_conflict_do_update(
            index_elements=["account_id", "region", "operation", "period", "begin_at"],
            set_={"calls": _c.calls + it.excluded.calls, "throttles": _c.throttles + it.excluded.throttles},
        )
    )(
        insert(request_counts).values(
            account_id=bindparam("account"),
            region=bindparam("region"),
            operation=bindparam("operation"),
            period=bindparam("seconds"),
            begin_at=bindparam("begin"),
            calls=bindparam("more_calls"),
            throttles=bindparam("more_throttles"),
        )
    )
)
_COUNTS = Statement(
    lambda _: (
        select(_c.begin_at, _c.calls, _c.throttles)
        .where(
            _c.account_id == bindparam("account"),
            _c.region == bindparam("region"),
            _c.operation == bindparam("operation"),
            _c.period == bindparam("seconds"),
            _c.begin_at >= bindparam("since"),
            _c.begin_at < bindparam("until"),
        )
        .order_by(_c.begin_at)
    )
)
_DROP_COUNTS = Statement(
    lambda _: delete(request_counts).where(_c.period == bindparam("seconds"), _c.begin_at < bindparam("before"))
)
_HAS_COUNTS = Statement(
    lambda _: select(_c.period).where(_c.period == bindparam("seconds"), _c.begin_at < bindparam("before")).limit(1)
)
_SEND = Statement(
    lambda insert: (
        lambda it: it.on_conflict_do_update(
            index_elements=["month", "place"], set_={"sent_bytes": _t.sent_bytes + it.excluded.sent_bytes}
        ).returning(_t.sent_bytes)
    )(
        insert(anonymous_transfers).values(
            month=bindparam("of_month"), place=bindparam("at_place"), sent_bytes=bindparam("more_bytes")
        )
    )
)
_SENT = Statement(lambda _: select(_t.sent_bytes).where(_t.month == bindparam("of_month"), _t.place == bindparam("at_place")))
_HAS_SENT = Statement(lambda _: select(_t.month).where(_t.month < bindparam("of_month")).limit(1))
_DROP_SENT = Statement(lambda _: delete(anonymous_transfers).where(_t.month < bindparam("of_month")))


def lock_bucket(tx: Transaction, name: str) -> int:
    """When a bucket is full, holding its row; for one that nobody has taken from it is now."""
    row = tx.first(_LOCK_BUCKET, name=name)
    if row is None and tx.dialect != "sqlite":
        # A row that is not there cannot be locked: of several nodes one adds it, and the others wait for that one.
        tx.run(_ADD_BUCKET, name=name, full_at=tx.now)
        row = tx.first(_LOCK_BUCKET, name=name)
    return tx.now if row is None else int(row[0])


def set_bucket(tx: Transaction, name: str, full_at: int) -> None:
    """Change a bucket that is locked."""
    tx.run(_SET_BUCKET, name=name, full_at=full_at)


def drop_full_buckets(tx: Transaction, before: int) -> int:
    """Forget buckets that were full before a time, in microseconds; return how many."""
    return tx.run(_DROP_FULL, before=before)


def has_full_buckets(tx: ReadTransaction, before: int) -> bool:
    """Whether `drop_full_buckets` would forget any."""
    return tx.first(_HAS_FULL, before=before) is not None


def count(
    tx: Transaction, account_id: str, region: str, operation: str, seconds: int, begin: int, calls: int, throttles: int
) -> None:
    """Add to the count of a period of so many `seconds`, which begins at `begin`."""
    tx.run(
        _COUNT,
        account=account_id,
        region=region,
        operation=operation,
        seconds=seconds,
        begin=begin,
        more_calls=calls,
        more_throttles=throttles,
    )


def counts(
    tx: ReadTransaction, account_id: str, region: str, operation: str, seconds: int, since: int, until: int
) -> list[tuple[int, int, int]]:
    """(beginning, calls, throttles) of the periods in which there were any, from `since` to before `until`."""
    place = {"account": account_id, "region": region, "operation": operation}
    return [(row[0], row[1], row[2]) for row in tx.all(_COUNTS, **place, seconds=seconds, since=since, until=until)]


def drop_counts(tx: Transaction, seconds: int, before: int) -> int:
    """Forget counts of periods of `seconds` that began before a time."""
    return tx.run(_DROP_COUNTS, seconds=seconds, before=before)


def has_counts(tx: ReadTransaction, seconds: int, before: int) -> bool:
    """Whether `drop_counts` would forget any."""
    return tx.first(_HAS_COUNTS, seconds=seconds, before=before) is not None


def add_sent(tx: Transaction, month: str, place: str, more: int) -> int:
    """Add to what was sent to a place in a month; return the sum. Bytes."""
    row = tx.first(_SEND, of_month=month, at_place=place, more_bytes=more)
    assert row is not None, "an upsert returns its row"
    return int(row[0])


def sent(tx: ReadTransaction, month: str, place: str) -> int:
    """Bytes that were sent to a place in a month."""
    row = tx.first(_SENT, of_month=month, at_place=place)
    return 0 if row is None else int(row[0])


def has_sent(tx: ReadTransaction, month: str) -> bool:
    """Whether `drop_sent` would forget any."""
    return tx.first(_HAS_SENT, of_month=month) is not None


def drop_sent(tx: Transaction, month: str) -> int:
    """Forget what was sent in months before this one."""
    return tx.run(_DROP_SENT, of_month=month)
