"""The use cases: plain functions of a transaction, shared by both planes."""
