"""What tests of sessions work with."""

from __future__ import annotations

import pytest

from moorage.testing.server import KeyPair, MoorageServer
from tests.security.roles import Roles


@pytest.fixture
def roles(server: MoorageServer, account: KeyPair) -> Roles:
    return Roles(server, account)
