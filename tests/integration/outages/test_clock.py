"""A node whose clock is not the database's says so when it starts, and `moorage doctor` says it too."""

from __future__ import annotations

from pathlib import Path

import pytest

from moorage.testing.server import MoorageServer
from tests import clients
from tests.integration.outages.conftest import until

SAID = "s ahead of the database's: set it by NTP"


@pytest.mark.faketime
def test_a_skew_is_told(postgres_url: str, tmp_path: Path) -> None:
    (library,) = Path(clients.program("faketime")).parent.parent.glob("lib/*/faketime/libfaketime.so.1")
    faked = {"LD_PRELOAD": str(library), "FAKETIME": "+1h", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    with MoorageServer(tmp_path / "data", database_url=postgres_url, environment=faked) as server:
        until(lambda: SAID in server.log, 5)
    assert SAID in server.run("doctor", check=False).stdout


def test_nothing_is_said_of_clocks_that_agree(postgres_url: str, tmp_path: Path) -> None:
    with MoorageServer(tmp_path / "data", database_url=postgres_url) as server:
        assert "clock of this machine" not in server.log
    assert "clock of this machine" not in server.run("doctor", check=False).stdout
