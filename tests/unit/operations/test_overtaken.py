"""Two transactions of PostgreSQL, one of which waits for the other: what it had read before it waited is looked at again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import psycopg
import pytest

from moorage.keys.root_key import RootKey
from moorage.metadata.database import Database
from moorage.metadata.identity import credentials, identities
from moorage.metadata.identity import tags as identity_tags
from moorage.metadata.images import blobs
from moorage.metadata.opening import open_database
from moorage.metadata.records import Repository, Segment
from moorage.metadata.registry.records import Template
from moorage.metadata.transaction import Transaction
from moorage.model import ids
from moorage.model.digest import Digest
from moorage.model.errors import BlobReferenced
from moorage.model.identity_errors import EntityNotFound
from moorage.model.names import parse_repository_name
from moorage.model.principal import Caller
from moorage.model.registry_errors import TemplateNotFound
from moorage.model.scope import Scope
from moorage.operations.accounts import accounts
from moorage.operations.identity import entities, login_profiles, tags, users
from moorage.operations.images import garbage, layers, pull, push, removal, uploads
from moorage.operations.repository import creation_templates
from moorage.operations.wanted_images import WantedImage
from moorage.testing.builders import BuiltImage, digest, image
from moorage.testing.sealed_pushes import SealedPushes

T = TypeVar("T")
SCOPE = Scope.of("us-east-1", "000000000000")
NAME = parse_repository_name("app")
ROOT_KEY = RootKey(bytes(32), "test")
PUSHES = SealedPushes(ROOT_KEY)
_PATIENCE_SECONDS = 20.0


@dataclass
class World:
    db: Database
    url: str
    root: Caller
    repository: Repository

    def write(self, function: Callable[..., T], *args: Any) -> T:
        return self.db.run_write(function, *args)

    def reserved(self, data: bytes, seconds: int = 3600) -> Segment:
        segment = Segment(len(data), ids.storage_key(), b"wrapped")
        self.write(garbage.reserve, [segment.storage_key], seconds)
        return segment

    def put_blob(self, data: bytes) -> None:
        self.write(uploads.put_blob, self.root, SCOPE, NAME, Digest(digest(data)), self.reserved(data), self.repository.seal)

    def putting(self, built: BuiltImage, *tags: str) -> Callable[[Transaction], Any]:
        pushed = push.read_push(built.manifest, built.media_type, None)
        sealed = PUSHES.sealed(self.repository, pushed)
        return lambda tx: push.put_image(tx, self.root, SCOPE, NAME, pushed, sealed, None, tags)

    def push(self, built: BuiltImage, *tags: str) -> None:
        for data in built.blobs.values():
            self.put_blob(data)
        self.write(self.putting(built, *tags))

    def beside(self, first: Callable[[Transaction], Any], second: Callable[..., T], *args: Any) -> Future[T]:
        """Run `second` while `first` has done its work and has not committed, which it does when the other waits or has ended."""
        done, go = threading.Event(), threading.Event()

        def held(tx: Transaction) -> None:
            first(tx)
            done.set()
            assert go.wait(_PATIENCE_SECONDS)

        with ThreadPoolExecutor(2) as pool:
            begun = pool.submit(self.write, held)
            assert done.wait(_PATIENCE_SECONDS) or begun.result()
            other = pool.submit(self.write, second, *args)
            deadline = time.monotonic() + _PATIENCE_SECONDS
            while not other.done() and not self.somebody_waits():
                assert time.monotonic() < deadline
                time.sleep(0.005)
            go.set()
            begun.result()
        return other

    def somebody_waits(self) -> bool:
        with psycopg.connect(self.url) as connection:
            asked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            row = connection.execute(asked.encode()).fetchone()
        return row is not None and row[0] > 0


@pytest.fixture
def world(postgres_url: str) -> Iterator[World]:
    db = open_database(postgres_url)
    made = db.run_write(accounts.ensure_bootstrap, ROOT_KEY, SCOPE.registry_id, "default", None)
    assert made is not None
    root = Caller(made.access_key_id, SCOPE.registry_id, SCOPE.registry_id, "arn:aws:iam::000000000000:root")
    yield World(db, postgres_url, root, PUSHES.create(db, root, SCOPE, NAME))
    db.close()


def test_two_pushes_need_the_same_fresh_blobs(world: World) -> None:
    built = image(1)
    for data in built.blobs.values():
        world.put_blob(data)
    other = image(1, annotations={"other": "manifest"})
    assert set(other.blobs) == set(built.blobs)
    assert world.beside(world.putting(built, "one"), world.putting(other, "two")).result().changed


def test_an_object_goes_live_while_it_is_given_up(world: World) -> None:
    segment = world.reserved(b"late", seconds=-1)
    swept = world.beside(lambda tx: blobs.go_live(tx, segment), garbage.doom_abandoned)
    assert swept.result() == 0
    assert world.db.run_read(garbage.deletable) == []


def test_an_object_is_given_more_time_while_it_is_given_up(world: World) -> None:
    segment = world.reserved(b"slow", seconds=-1)
    later = world.db.run_read(lambda tx: tx.now) + 3_600_000_000
    assert world.beside(lambda tx: blobs.extend(tx, segment.storage_key, later), garbage.doom_abandoned).result() == 0
    assert world.write(blobs.go_live, segment)


def test_a_blob_is_deleted_while_a_push_needs_it(world: World) -> None:
    built = image(1, layers=1)
    for data in built.blobs.values():
        world.put_blob(data)
    deleted = world.beside(world.putting(built, "one"), layers.delete_blob, world.root, SCOPE, NAME, built.layers[0])
    with pytest.raises(BlobReferenced):
        deleted.result()


def test_a_tag_is_deleted_while_it_is_moved(world: World) -> None:
    first, second = image(1), image(2)
    world.push(first, "moving")
    world.push(second)
    wanted = [WantedImage(None, "moving")]
    deleted = world.beside(world.putting(second, "moving"), removal.batch_delete_image, world.root, SCOPE, NAME, wanted)
    assert deleted.result() == ([(second.digest, "moving")], [])
    there = world.db.run_read(lambda tx: pull.batch_get_image(tx, world.root, SCOPE, NAME, [WantedImage(first.digest, None)]))
    assert len(there[1]) == 1


def test_an_image_is_tagged_while_it_is_deleted(world: World) -> None:
    built = image(1)
    world.push(built, "one")
    delete = partial(removal.delete_manifest, caller=world.root, scope=SCOPE, name=NAME, digest=built.digest, tag=None)
    assert world.beside(delete, world.putting(built, "two")).result().changed
    found = world.db.run_read(lambda tx: pull.batch_get_image(tx, world.root, SCOPE, NAME, [WantedImage(None, "two")]))
    assert len(found[1]) == 1


def test_a_template_is_changed_while_it_is_deleted(world: World) -> None:
    template = Template("prefix", ("CREATE_ON_PUSH",))
    world.write(creation_templates.create_repository_creation_template, world.root, SCOPE, template)
    delete = partial(creation_templates.delete_repository_creation_template, caller=world.root, scope=SCOPE, prefix="prefix")
    update = creation_templates.update_repository_creation_template
    changed = world.beside(delete, update, world.root, SCOPE, "prefix", {"description": "new"})
    with pytest.raises(TemplateNotFound):
        changed.result()


def test_a_user_is_tagged_while_it_is_deleted(world: World) -> None:
    made = world.write(users.create_user, world.root, "alice", "/", None, ())
    delete = partial(entities.delete_identity, caller=world.root, kind="user", name="alice")
    tagged = world.beside(delete, tags.tag, world.root, "User", "alice", [("team", "a")])
    with pytest.raises(EntityNotFound):
        tagged.result()
    assert world.db.run_read(identity_tags.tags_of, made.identity.id) == {}


def test_a_password_is_changed_by_its_user_while_its_administrator_asks_for_that(world: World) -> None:
    made = world.write(users.create_user, world.root, "alice", "/", None, ())
    world.write(lambda tx: login_profiles.create_login_profile(tx, world.root, "alice", "old hash", must_reset=True))

    def change(tx: Transaction) -> None:
        assert credentials.lock_profile(tx, made.identity.id) is not None
        credentials.set_password(tx, made.identity.id, "new hash", must_reset=False)

    asked = login_profiles.ProfileChange(must_reset=True)
    world.beside(change, login_profiles.update_login_profile, world.root, "alice", asked).result()
    kept = world.db.run_read(credentials.find_profile, made.identity.id)
    assert kept is not None
    assert (kept.password_hash, kept.must_reset) == ("new hash", True)
    assert world.db.run_read(identities.find_by_id, made.identity.id) is not None
