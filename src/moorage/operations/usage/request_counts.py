"""Counts of requests, written down for those who ask later: the periods are those of CloudWatch, which has minutes for longer.

Source: CloudWatch, "Usage metrics": namespace ``AWS/Usage``, metric CallCount; "Metrics retention" for periods of an hour.
"""

from __future__ import annotations

from collections.abc import Mapping

from moorage.events.request_counts import Counts
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.metadata.usage import rates
from moorage.model.rates import RequestKey

_SECOND = 1_000_000
_DAY = 24 * 3600
KEPT = {60: _DAY, 300: 15 * _DAY, 3600: 455 * _DAY}
"""By the length of periods: how long they are kept. Seconds."""


def record_requests(tx: Transaction, counted: Mapping[RequestKey, Counts]) -> None:
    """Add requests to the periods that it is now."""
    now = tx.now // _SECOND
    for (account, region, operation), (calls, throttles) in sorted(counted.items()):
        for period in KEPT:
            rates.count(tx, account, region, operation, period, now - now % period, calls, throttles)


def requests_counted(tx: ReadTransaction, key: RequestKey, period: int, since: int, until: int) -> list[tuple[int, int, int]]:
    """(beginning, requests, throttled requests) for each period in which there were requests.

    Args:
        period: 60, 300 or 3600 seconds.
        since: the first beginning that counts, and `until` the first that does not, in seconds since the epoch.
    """
    return rates.counts(tx, *key, period, since, until)


def has_old_requests(tx: ReadTransaction) -> bool:
    """Whether `forget_requests` would delete any."""
    now = tx.now // _SECOND
    return any(rates.has_counts(tx, period, now - seconds) for period, seconds in KEPT.items())


def forget_requests(tx: Transaction) -> int:
    """Delete counts that have been kept for long enough; return how many."""
    now = tx.now // _SECOND
    return sum(rates.drop_counts(tx, period, now - seconds) for period, seconds in KEPT.items())
