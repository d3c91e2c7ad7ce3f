"""What the tests' jobs are about. Apart, so that a process that runs them imports nothing else of the tests."""

from __future__ import annotations

from msgspec import Struct


class Number(Struct, frozen=True):
    """The payload of the tests' jobs."""

    number: int = 0
