"""How many requests are let through, how many were made, and how much was sent to those without a login."""

from __future__ import annotations

from sqlalchemy import Column, Index

from moorage.metadata.tables.schema import table
from moorage.metadata.types import Number, String

# A bucket that is full has no row, or one that may be deleted: see `model.token_bucket`.
rate_buckets = table(
    "rate_buckets",
    Column("name", String, primary_key=True),
    Column("full_at", Number, nullable=False),
    Index(None, "full_at"),
)

# `period` is in seconds; a request is counted in a row of each period.
request_counts = table(
    "request_counts",
    Column("account_id", String, primary_key=True),
    Column("region", String, primary_key=True),
    Column("operation", String, primary_key=True),
    Column("period", Number, primary_key=True),
    Column("begin_at", Number, primary_key=True),
    Column("calls", Number, nullable=False),
    Column("throttles", Number, nullable=False),
    Index(None, "period", "begin_at"),
)

anonymous_transfers = table(
    "anonymous_transfers",
    Column("month", String, primary_key=True),  # such as 2026-06
    Column("place", String, primary_key=True),  # an address, of IPv6 a network
    Column("sent_bytes", Number, nullable=False),
)
