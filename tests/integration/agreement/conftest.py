"""A server whose images are back from the archive at once, so that the model needs no clock."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from moorage.testing.server import MoorageServer
from tests.conftest import Pool

AT_ONCE = ("--activation-seconds", "0")


@pytest.fixture
def server(pool: Pool, stack: str) -> Iterator[MoorageServer]:
    """The session's server of the stack for these tests; a test that makes it log a traceback fails."""
    shared: MoorageServer = pool.get(f"modelled {stack}", lambda: pool.new_server(stack, options=AT_ONCE))
    since = shared.log_size()
    yield shared
    shared.require_clean_log(since)
