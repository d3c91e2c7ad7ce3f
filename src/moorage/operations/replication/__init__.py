"""Replication: its rules and backfills."""
