"""Managed signing: its configuration."""
