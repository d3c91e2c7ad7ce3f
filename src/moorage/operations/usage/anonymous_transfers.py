"""How much was sent to those without a login, by the month of UTC and by what stands for a client.

Source: ECR Public User Guide, "service quotas": 500 GB a month for unauthenticated customers.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.metadata.usage import rates


def record_sent(tx: Transaction, month: str, sent: Mapping[str, int]) -> dict[str, int]:
    """Add bytes by place; return the sums of these places, those of all nodes."""
    return {place: rates.add_sent(tx, month, place, more) for place, more in sorted(sent.items())}


def sent_to(tx: ReadTransaction, month: str, place: str) -> int:
    """Bytes that all nodes have written down for a place."""
    return rates.sent(tx, month, place)


def month_of(micros: int) -> str:
    """The month of UTC, as 2026-06."""
    return datetime.fromtimestamp(micros / 1_000_000, UTC).strftime("%Y-%m")


def has_old_months(tx: ReadTransaction) -> bool:
    """Whether `forget_old_months` would delete any."""
    return rates.has_sent(tx, month_of(tx.now))


def forget_old_months(tx: Transaction) -> int:
    """Delete what was counted before this month; return how many rows went."""
    return rates.drop_sent(tx, month_of(tx.now))
