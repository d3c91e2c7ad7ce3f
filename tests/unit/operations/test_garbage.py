"""Sweeps, with the clock in hand: what is due goes, what is needed stays, and nothing is deleted before its row says so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import select

from moorage.keys.root_key import RootKey
from moorage.metadata.database import Database
from moorage.metadata.images import blobs
from moorage.metadata.opening import open_database
from moorage.metadata.records import Repository, Segment
from moorage.metadata.registry import repositories as found_repositories
from moorage.metadata.registry.records import Destination, ReplicationRule
from moorage.metadata.statements import Statement
from moorage.metadata.tables.lifecycle import lifecycle_policies, lifecycle_preview_results, lifecycle_previews
from moorage.metadata.tables.settings import image_replications
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.model import ids, limits
from moorage.model.digest import Digest
from moorage.model.errors import LayersNotFound, UploadNotFound
from moorage.model.names import RepositoryName, parse_repository_name
from moorage.model.principal import Caller
from moorage.model.scope import Scope
from moorage.operations.accounts import accounts
from moorage.operations.images import garbage, layers, push, removal, uploads
from moorage.operations.replication import rules as replication
from moorage.operations.repository import lifecycle, lifecycle_preview, repositories
from moorage.operations.usage.pulls import record_pulls
from moorage.testing.builders import BuiltImage, digest, image
from moorage.testing.sealed_pushes import SealedPushes

SCOPE = Scope.of("us-east-1", "000000000000")
NAME = parse_repository_name("app")
OTHER = parse_repository_name("other")
ROOT_KEY = RootKey(bytes(32), "test")
PUSHES = SealedPushes(ROOT_KEY)
EMPTIED = (lifecycle_policies, lifecycle_previews, lifecycle_preview_results, image_replications)


@dataclass
class World:
    """A database whose time stands still until it is moved."""

    db: Database
    caller: Caller
    now: list[float]

    def wait(self, seconds: float) -> None:
        self.now[0] += seconds

    def put_blob(self, data: bytes, name: str = NAME) -> str:
        """Make a blob's rows as the byte path does; return the key of its object."""
        key = ids.storage_key()
        self.db.run_write(garbage.reserve, [key], 3600)
        segment = Segment(len(data), key, b"wrapped")
        into = parse_repository_name(name)
        self.db.run_write(uploads.put_blob, self.caller, SCOPE, into, Digest(digest(data)), segment, self.repository(into).seal)
        return key

    def push(self, built: BuiltImage, tag: str) -> dict[str, str]:
        keys = {name: self.put_blob(data) for name, data in built.blobs.items()}
        pushed = push.read_push(built.manifest, built.media_type, None)
        sealed = PUSHES.sealed(self.repository(NAME), pushed)
        self.db.run_write(push.put_image, self.caller, SCOPE, NAME, pushed, sealed, None, [tag])
        return keys

    def repository(self, name: RepositoryName) -> Repository:
        found = self.db.run_read(found_repositories.find, SCOPE, name)
        assert found is not None
        return found

    def holds(self, data_digest: str) -> bool:
        def look(tx: ReadTransaction) -> bool:
            states, _, _ = layers.batch_check_layer_availability(tx, self.caller, SCOPE, NAME, [data_digest])
            return states[0].size_bytes is not None

        return self.db.run_read(look)

    def deletable(self) -> list[str]:
        return self.db.run_read(garbage.deletable)


@pytest.fixture(params=["sqlite", "postgresql"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    url = f"sqlite:///{tmp_path / 'm.db'}" if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))
    now = [1_700_000_000.0]
    db = open_database(url, lambda: now[0])
    made = db.run_write(accounts.ensure_bootstrap, ROOT_KEY, SCOPE.registry_id, "default", None)
    assert made is not None
    caller = Caller(made.access_key_id, SCOPE.registry_id, SCOPE.registry_id, "arn:aws:iam::000000000000:root")
    for name in (NAME, OTHER):
        PUSHES.create(db, caller, SCOPE, name)
    yield World(db, caller, now)
    db.close()


def test_a_blob_that_no_image_names_goes_after_the_grace(world: World) -> None:
    key = world.put_blob(b"lonely")
    world.wait(limits.BLOB_GRACE_SECONDS - 1)
    world.db.run_write(garbage.check_links)
    assert world.holds(digest(b"lonely"))
    world.wait(2)
    world.db.run_write(garbage.check_links)
    assert not world.holds(digest(b"lonely"))
    assert world.deletable() == []
    world.wait(limits.DOOM_SECONDS)
    assert world.deletable() == [key]
    world.db.run_write(garbage.forget, [key])
    assert world.deletable() == []


def test_a_blob_that_an_image_names_stays_for_ever(world: World) -> None:
    built = image(1)
    world.push(built, "v1")
    for _ in range(3):
        world.wait(10 * limits.BLOB_GRACE_SECONDS)
        world.db.run_write(garbage.check_links)
    assert all(world.holds(name) for name in built.blobs)
    assert world.deletable() == []


def test_deleting_an_image_frees_its_blobs_but_not_those_of_its_neighbour(world: World) -> None:
    first, second = image(1), image(2)
    world.push(first, "one")
    world.push(second, "two")
    world.db.run_write(removal.delete_manifest, world.caller, SCOPE, NAME, first.digest, None)
    world.wait(limits.BLOB_GRACE_SECONDS + 1)
    world.db.run_write(garbage.check_links)
    assert not any(world.holds(name) for name in first.blobs)
    assert all(world.holds(name) for name in second.blobs)


def test_a_blob_of_two_repositories_goes_only_from_the_one(world: World) -> None:
    key = world.put_blob(b"shared")
    mounted = world.db.run_write(uploads.mount_blob, world.caller, SCOPE, OTHER, Digest(digest(b"shared")), NAME)
    assert mounted
    world.db.run_write(layers.delete_blob, world.caller, SCOPE, NAME, digest(b"shared"))
    world.wait(limits.DOOM_SECONDS + 1)
    assert not world.holds(digest(b"shared"))
    assert world.deletable() == []
    world.db.run_write(layers.delete_blob, world.caller, SCOPE, OTHER, digest(b"shared"))
    world.wait(limits.DOOM_SECONDS + 1)
    assert world.deletable() == [key]


def test_the_second_copy_of_a_blob_is_doomed_and_the_first_one_serves(world: World) -> None:
    first, second = world.put_blob(b"twice"), world.put_blob(b"twice", OTHER)
    assert world.deletable() == [second]
    assert first not in world.deletable()


def test_an_answer_that_a_push_relies_on_is_kept_true(world: World) -> None:
    world.put_blob(b"nearly due")
    world.wait(limits.BLOB_GRACE_SECONDS - 60)

    def head(tx: ReadTransaction) -> tuple[int, bool]:
        repository, _, renew = layers.head_blob(tx, world.caller, SCOPE, NAME, digest(b"nearly due"))
        return repository.id, renew

    repository_id, renew = world.db.run_read(head)
    assert renew
    world.db.run_write(layers.renew_blob, repository_id, digest(b"nearly due"))
    world.wait(120)
    world.db.run_write(garbage.check_links)
    assert world.holds(digest(b"nearly due"))


def test_a_push_that_comes_after_the_collector_is_told_what_is_missing(world: World) -> None:
    built = image(3)
    for data in built.blobs.values():
        world.put_blob(data)
    world.wait(limits.BLOB_GRACE_SECONDS + 1)
    world.db.run_write(garbage.check_links)
    pushed = push.read_push(built.manifest, built.media_type, None)
    sealed = PUSHES.sealed(world.repository(NAME), pushed)
    with pytest.raises(LayersNotFound) as missing:
        world.db.run_write(push.put_image, world.caller, SCOPE, NAME, pushed, sealed, None, ["v1"])
    assert set(missing.value.digests) == set(built.blobs)


def test_an_upload_without_progress_expires_and_leaves_nothing(world: World) -> None:
    upload_id = world.db.run_write(uploads.initiate_layer_upload, world.caller, SCOPE, NAME, "sha256")
    key = ids.storage_key()
    world.db.run_write(garbage.reserve, [key], 3600)
    grant = world.db.run_write(uploads.begin_segment, world.caller, SCOPE, NAME, upload_id, 0, 5)
    world.db.run_write(uploads.commit_segment, grant, Segment(5, key, b"wrapped"), None)
    world.wait(limits.UPLOAD_LIFE_SECONDS + 1)
    with pytest.raises(UploadNotFound):
        world.db.run_read(uploads.find_upload, world.caller, SCOPE, NAME, upload_id)
    assert world.db.run_write(garbage.expire_uploads) == 1
    assert world.deletable() == [key]


def test_a_key_whose_writer_never_came_back_can_never_go_live_again(world: World) -> None:
    key = ids.storage_key()
    world.db.run_write(garbage.reserve, [key], 60)
    assert world.db.run_write(garbage.doom_abandoned) == 0
    world.wait(61)
    assert world.db.run_write(garbage.doom_abandoned) == 1
    assert world.deletable() == [key]
    assert not world.db.run_write(blobs.go_live, Segment(1, key, b""))


def test_bytes_under_a_key_that_the_sweep_has_forgotten_are_deleted_again(world: World) -> None:
    key = ids.storage_key()
    world.db.run_write(garbage.reserve, [key], 60)
    world.wait(61)
    world.db.run_write(garbage.doom_abandoned)
    world.db.run_write(garbage.forget, [key])
    assert not world.db.run_write(uploads.keep_key, key)
    world.db.run_write(uploads.give_up, key)
    world.db.run_write(garbage.doom_abandoned)
    assert world.deletable() == [key]


def test_a_long_upload_keeps_its_key(world: World) -> None:
    key = ids.storage_key()
    world.db.run_write(garbage.reserve, [key], 3600)
    for _ in range(10):
        world.wait(3000)
        assert world.db.run_write(uploads.keep_key, key)
        assert world.db.run_write(garbage.doom_abandoned) == 0
    assert world.db.run_write(blobs.go_live, Segment(1, key, b""))
    world.db.run_write(uploads.give_up, key)
    assert world.deletable() == []


def test_a_deleted_repository_is_gone_at_once_and_its_content_in_time(world: World) -> None:
    keys = world.push(image(4), "v1")
    world.db.run_write(uploads.initiate_layer_upload, world.caller, SCOPE, NAME, "sha256")
    world.db.run_write(repositories.delete_repository, world.caller, SCOPE, NAME, force=True)
    PUSHES.create(world.db, world.caller, SCOPE, NAME)
    assert not any(world.holds(name) for name in image(4).blobs)
    while world.db.run_write(garbage.purge_deleted_repository):
        pass
    world.wait(limits.DOOM_SECONDS + 1)
    assert sorted(world.deletable()) == sorted(keys.values())


def test_pulls_of_images_that_are_gone_are_not_counted(world: World) -> None:
    def gone(tx: Transaction) -> None:
        record_pulls(tx, {(999_999, "AIDAEXAMPLE"): (tx.now, 3)})

    world.db.run_write(gone)


LIFECYCLE = (
    '{"rules":[{"rulePriority":1,"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":1},'
    '"action":{"type":"expire"}}]}'
)


def test_a_repository_is_purged_with_all_that_it_was_set_to(world: World) -> None:
    destination = Destination("eu-west-1", "123456789012")
    rules = (ReplicationRule((destination,)),)
    world.db.run_write(replication.put_replication_configuration, world.caller, SCOPE, rules)
    world.push(image(1), "v1")
    world.push(image(2), "v2")
    world.db.run_write(lifecycle.put_lifecycle_policy, world.caller, SCOPE, NAME, LIFECYCLE)
    taken = world.db.run_read(lifecycle_preview.snapshot, world.caller, SCOPE, NAME, None)
    preview, results = lifecycle_preview.evaluated(taken)
    assert len(results) == 1
    world.db.run_write(lifecycle_preview.keep, world.caller, SCOPE, NAME, preview, results)
    world.db.run_write(repositories.delete_repository, world.caller, SCOPE, NAME, force=True)
    while world.db.run_write(garbage.purge_deleted_repository):
        pass

    def left(tx: ReadTransaction) -> list[object]:
        return [tx.all(Statement(partial(lambda of, _: select(of).limit(1), table))) for table in EMPTIED]

    assert world.db.run_read(left) == [[]] * len(EMPTIED)


def test_a_preview_ends_after_a_day(world: World) -> None:
    world.push(image(1), "v1")
    taken = world.db.run_read(lifecycle_preview.snapshot, world.caller, SCOPE, NAME, LIFECYCLE)
    world.db.run_write(lifecycle_preview.keep, world.caller, SCOPE, NAME, *lifecycle_preview.evaluated(taken))
    for seconds, status in ((24 * 3600, "COMPLETE"), (1, "EXPIRED")):
        world.wait(seconds)
        page = world.db.run_read(lifecycle_preview.get_preview_page, world.caller, SCOPE, NAME, "ANY", None, 100)
        assert page.status == status
