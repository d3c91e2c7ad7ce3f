"""Leases of tokens: how processes and nodes share one bucket. See `model.token_bucket`, `auth.rates`."""

from __future__ import annotations

from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.metadata.usage import rates
from moorage.model.token_bucket import SKEW_MICROS, Rate, take, wait_micros


def lease_tokens(tx: Transaction, bucket: str, rate: Rate, wanted: int, returned: int) -> tuple[int, int]:
    """Take up to `wanted` tokens out of a bucket.

    Args:
        returned: tokens of an earlier lease that were not spent.

    Returns:
        How many there were, and, if fewer than wanted, microseconds until there is another one.
    """
    before = rates.lock_bucket(tx, bucket)
    full_at, taken = take(before, rate, tx.now, wanted, returned)
    if taken or full_at < before:
        rates.set_bucket(tx, bucket, full_at)
    return taken, 0 if taken == wanted else wait_micros(full_at, rate, tx.now)


def has_full_buckets(tx: ReadTransaction) -> bool:
    """Whether `forget_full_buckets` would delete any."""
    return rates.has_full_buckets(tx, tx.now - 2 * SKEW_MICROS)


def forget_full_buckets(tx: Transaction) -> int:
    """Delete the rows of buckets that are full on every node; return how many."""
    return rates.drop_full_buckets(tx, tx.now - 2 * SKEW_MICROS)
