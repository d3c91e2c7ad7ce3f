"""Metering at run time: rates, requests, transfers, pulls."""
