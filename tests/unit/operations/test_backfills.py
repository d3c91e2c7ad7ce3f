"""Backfills that run: how many there may be, and how they are stopped. Whoever copies images makes them run."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from moorage.keys.root_key import RootKey
from moorage.metadata.database import Database
from moorage.metadata.opening import open_database
from moorage.metadata.registry import registries, replications
from moorage.metadata.registry.records import Backfill, Destination, ReplicationRule
from moorage.metadata.transaction import Transaction
from moorage.model.errors import LimitExceeded
from moorage.model.principal import Caller, root_arn
from moorage.model.registry_errors import BackfillEnded, BackfillRunning
from moorage.model.scope import Scope
from moorage.operations.accounts import accounts
from moorage.operations.replication.backfills import (
    FIRST,
    list_replication_backfills,
    start_replication_backfill,
    stop_replication_backfill,
)
from moorage.operations.replication.rules import put_replication_configuration

SCOPE, OTHER = Scope.of("us-east-1", "000000000000"), "111111111111"
DESTINATIONS = tuple(Destination(f"eu-west-{number}", OTHER) for number in range(1, 13))


@dataclass
class Copying:
    """A registry whose rules name twelve destinations, and its root."""

    db: Database
    caller: Caller

    def run(self, destination: Destination) -> Backfill:
        """A backfill that has begun."""
        backfill = Backfill(str(uuid.uuid4()), destination, "PREPARING", None, 1, None)

        def insert(tx: Transaction) -> None:
            replications.insert_backfill(tx, registries.ensure_registry(tx, SCOPE), backfill)

        self.db.run_write(insert)
        return backfill


@pytest.fixture
def copying(tmp_path: Path) -> Iterator[Copying]:
    db = open_database(f"sqlite:///{tmp_path / 'm.db'}")
    made = db.run_write(accounts.ensure_bootstrap, RootKey(bytes(32), "test"), SCOPE.registry_id, "default", None)
    assert made is not None
    caller = Caller(made.access_key_id, SCOPE.registry_id, SCOPE.registry_id, root_arn(SCOPE.registry_id))
    db.run_write(put_replication_configuration, caller, SCOPE, (ReplicationRule(DESTINATIONS, None, None),))
    yield Copying(db, caller)
    db.close()


def test_one_for_each_region_and_ten_in_all(copying: Copying) -> None:
    for destination in DESTINATIONS[:10]:
        copying.run(destination)
    with pytest.raises(BackfillRunning):
        copying.db.run_write(start_replication_backfill, copying.caller, SCOPE, DESTINATIONS[0])
    with pytest.raises(LimitExceeded):
        copying.db.run_write(start_replication_backfill, copying.caller, SCOPE, DESTINATIONS[10])


def test_one_that_runs_can_be_stopped_once(copying: Copying) -> None:
    backfill = copying.run(DESTINATIONS[0])
    stopped = copying.db.run_write(stop_replication_backfill, copying.caller, SCOPE, backfill.id)
    assert (stopped.status, stopped.failure_code) == ("STOPPED", None)
    assert stopped.ended_at is not None
    with pytest.raises(BackfillEnded):
        copying.db.run_write(stop_replication_backfill, copying.caller, SCOPE, backfill.id)
    found, _ = copying.db.run_read(list_replication_backfills, copying.caller, SCOPE, FIRST, 10)
    assert [each.status for each in found] == ["STOPPED"]
