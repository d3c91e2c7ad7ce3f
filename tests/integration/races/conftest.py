"""A server with small quotas, so that many at once reach them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from moorage.testing.server import KeyPair, MoorageServer, make_client
from tests.conftest import Pool
from tests.integration.races.together import CALLERS

LIMIT = 3
_LIMITED = ("repositories", "creation_templates", "pull_through_rules", "pull_time_exclusions", "tags_per_image",
            "images_per_repository", "running_backfills", "public_repositories")  # fmt: skip


@pytest.fixture
def server(pool: Pool, stack: str) -> Iterator[MoorageServer]:
    """A server of these tests; one that logs a traceback, or whose transactions locked each other out, fails them."""
    limits = ",".join(f"{name}={LIMIT}" for name in _LIMITED)
    shared: MoorageServer = pool.get(f"races {stack}", lambda: pool.new_server(stack, environment={"MOORAGE_LIMITS": limits}))
    since = shared.log_size()
    yield shared
    shared.require_clean_log(since)


@pytest.fixture
def client_of(server: MoorageServer, account: KeyPair) -> Iterator[Callable[[str], Any]]:
    """boto3 as root of the test's own account, with a connection for each caller that is open already."""
    made = []

    def make(service: str) -> Any:
        client = make_client(server.endpoint, service, account)
        client.meta.account_id = account.account_id
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()


assert CALLERS > LIMIT
