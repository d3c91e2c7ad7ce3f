"""Two nodes on one PostgreSQL, one of them with a clock that is an hour ahead: leases and sweeps go by the database's."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from moorage.keys.root_key import RootKey
from moorage.metadata.images import blobs
from moorage.metadata.opening import open_database
from moorage.metadata.postgresql import PostgresDatabase
from moorage.metadata.records import Segment
from moorage.metadata.registry import repositories as found_repositories
from moorage.metadata.server_clock import ServerClock
from moorage.model import ids
from moorage.model.digest import Digest
from moorage.model.errors import UploadBusy
from moorage.model.names import parse_repository_name
from moorage.model.principal import Caller
from moorage.model.scope import Scope
from moorage.model.token_bucket import Rate
from moorage.operations.accounts import accounts
from moorage.operations.images import garbage, uploads
from moorage.operations.usage import rates
from moorage.server.clock_skew import told_skew
from moorage.testing.builders import digest
from moorage.testing.sealed_pushes import SealedPushes

SCOPE = Scope.of("us-east-1", "000000000000")
NAME = parse_repository_name("app")
HOUR = 3600.0


@dataclass
class Nodes:
    """The node whose clock is right, the one whose clock is not, and who calls both."""

    right: PostgresDatabase
    ahead: PostgresDatabase
    caller: Caller


def ahead() -> float:
    return time.time() + HOUR


@pytest.fixture(params=[ahead, lambda: time.time() - HOUR], ids=["ahead", "behind"])
def nodes(request: pytest.FixtureRequest, postgres_url: str) -> Iterator[Nodes]:
    clock: Callable[[], float] = request.param
    open_database(postgres_url).close()
    right, wrong = PostgresDatabase(postgres_url, time.time), PostgresDatabase(postgres_url, clock, machine_clock=clock)
    root_key = RootKey(bytes(32), "test")
    made = right.run_write(accounts.ensure_bootstrap, root_key, SCOPE.registry_id, "default", None)
    assert made is not None
    caller = Caller(made.access_key_id, SCOPE.registry_id, SCOPE.registry_id, "arn:aws:iam::000000000000:root")
    SealedPushes(root_key).create(right, caller, SCOPE, NAME)
    yield Nodes(right, wrong, caller)
    right.close()
    wrong.close()


def test_an_upload_that_is_written_is_nobody_elses(nodes: Nodes) -> None:
    upload = nodes.right.run_write(uploads.initiate_layer_upload, nodes.caller, SCOPE, NAME, "sha256")
    grant = nodes.right.run_write(uploads.begin_segment, nodes.caller, SCOPE, NAME, upload, 0, None)
    with pytest.raises(UploadBusy):
        nodes.ahead.run_write(uploads.begin_segment, nodes.caller, SCOPE, NAME, upload, 0, None)
    nodes.ahead.run_write(garbage.expire_uploads)
    segment = Segment(3, ids.storage_key(), b"wrapped")
    nodes.right.run_write(garbage.reserve, [segment.storage_key], 3600)
    assert nodes.right.run_write(uploads.commit_segment, grant, segment, None) == 3
    theirs = nodes.ahead.run_write(uploads.begin_segment, nodes.caller, SCOPE, NAME, upload, 3, None)
    with pytest.raises(UploadBusy):
        nodes.right.run_write(uploads.begin_segment, nodes.caller, SCOPE, NAME, upload, 3, None)
    assert theirs.epoch == grant.epoch + 1


def test_what_is_written_is_not_swept(nodes: Nodes) -> None:
    key = ids.storage_key()
    nodes.right.run_write(garbage.reserve, [key], 600)
    assert nodes.ahead.run_write(garbage.doom_abandoned) == 0
    assert nodes.right.run_write(uploads.keep_key, key)
    data = b"pushed, and named by nothing yet"
    repository = nodes.right.run_read(found_repositories.find, SCOPE, NAME)
    assert repository is not None
    segment = Segment(len(data), key, b"wrapped")
    nodes.right.run_write(uploads.put_blob, nodes.caller, SCOPE, NAME, Digest(digest(data)), segment, repository.seal)
    assert nodes.ahead.run_write(garbage.check_links) == 0
    assert nodes.right.run_read(blobs.size_of, repository.id, digest(data)) is not None


def test_a_bucket_is_the_same_on_both(nodes: Nodes) -> None:
    rate = Rate(1, 4)
    taken = nodes.right.run_write(rates.lease_tokens, "bucket", rate, 3, 0)[0]
    taken += nodes.ahead.run_write(rates.lease_tokens, "bucket", rate, 3, 0)[0]
    assert taken in {4, 5}  # one may have come meanwhile


def test_the_skew_is_told(nodes: Nodes) -> None:
    nodes.ahead.run_read(lambda tx: None)
    assert abs(abs(nodes.ahead.clock_ahead_seconds) - HOUR) < 5
    told = told_skew(nodes.ahead)
    assert told is not None
    assert "the clock of this machine is 3" in told
    assert told_skew(nodes.right) is None


def test_small_differences_are_left_alone_and_time_does_not_jump() -> None:
    machine = [1000.0]
    clock = ServerClock(lambda: machine[0], lambda: machine[0])
    clock.compare(1_000_030_000, 1_000_000_000, 1_000_000_000)
    assert clock.now() == 1_000_000_000
    clock.compare(1_000_900_000, 1_000_000_000, 1_001_800_000)  # the answer took long: it says nothing
    assert clock.now() == 1_000_000_000
    clock.compare(997_000_000, 1_000_000_000, 1_000_000_000)
    assert clock.now() == 997_000_000
    assert clock.ahead_seconds == 3.0
    machine[0] += 5
    assert clock.now() == 1_002_000_000
    clock.compare(1_002_040_000, 1_005_000_000, 1_005_000_000)
    assert clock.now() == 1_002_000_000


def test_a_test_that_moves_time_moves_it(postgres_url: str) -> None:
    """Only the machine's clock is corrected: a clock that was given stands where it is put."""
    now = [1_700_000_000.0]
    db = open_database(postgres_url, lambda: now[0])
    try:
        assert db.run_read(lambda tx: tx.now) == 1_700_000_000_000_000
        now[0] += HOUR
        assert db.run_read(lambda tx: tx.now) == 1_700_003_600_000_000
    finally:
        db.close()
