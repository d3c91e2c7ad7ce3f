"""How many statements each hot path takes: what is added to one is added on purpose."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from moorage.metadata.statements import Statement
from moorage.metadata.transaction import Cursor, ReadTransaction
from moorage.operations.images import layers, listing, pull, push, uploads
from moorage.operations.registry import registries
from moorage.operations.wanted_images import WantedImage
from moorage.testing.builders import image

from .test_garbage import NAME, PUSHES, SCOPE, World, world

assert world is not None

EVERY = ("ANY", "ANY")


@pytest.fixture
def count(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Callable[[], Any]], int]]:
    """Counts the statements of whatever is called."""
    executed: list[Statement] = []
    execute = ReadTransaction._execute

    def counted(tx: ReadTransaction, statement: Statement, parameters: dict[str, Any]) -> Cursor:
        executed.append(statement)
        return execute(tx, statement, parameters)

    monkeypatch.setattr(ReadTransaction, "_execute", counted)

    def of(work: Callable[[], Any]) -> int:
        executed.clear()
        work()
        return len(executed)

    yield of


def test_pulls(world: World, count: Callable[[Callable[[], Any]], int]) -> None:
    built = image(1)
    world.push(built, "v1")
    db, caller = world.db, world.caller
    blob = next(iter(built.blobs))

    def warm(work: Callable[[], Any]) -> int:
        work()  # policies of an account are read once for each of its epochs
        return count(work)

    pulled = db.run_read(pull.get_image, caller, SCOPE, NAME, None, "v1")
    assert warm(lambda: db.run_read(pull.get_image, caller, SCOPE, NAME, None, "v1")) == 1
    assert warm(lambda: db.run_read(pull.get_image, caller, SCOPE, NAME, built.digest, None)) == 1
    assert warm(lambda: db.run_read(pull.sealed_payload, pulled.repository, pulled.image)) == 1
    assert warm(lambda: db.run_read(registries.log_in, caller)) == 1
    assert warm(lambda: db.run_read(layers.get_blob, caller, SCOPE, NAME, blob)) == 3
    for asked in ([blob], list(built.blobs)):  # one more for each layer: its media type is that of a manifest that names it
        states = db.run_read(layers.batch_check_layer_availability, caller, SCOPE, NAME, asked)
        assert len(states[0]) == len(asked)
        assert warm(lambda: db.run_read(layers.batch_check_layer_availability, caller, SCOPE, NAME, asked)) == 5 + len(asked)  # noqa: B023
    wanted = [WantedImage(None, "v1")]
    assert warm(lambda: db.run_read(pull.batch_get_image, caller, SCOPE, NAME, wanted)) == 3


def test_lists_cost_the_same_for_many_images_as_for_one(world: World, count: Callable[[Callable[[], Any]], int]) -> None:
    def listed() -> tuple[int, int]:
        db, caller = world.db, world.caller
        return (
            count(lambda: db.run_read(listing.list_images_page, caller, SCOPE, NAME, EVERY, None, 100)),
            count(lambda: db.run_read(listing.describe_images_page, caller, SCOPE, NAME, EVERY, listing.FIRST, 100)),
        )

    world.push(image(1), "v1")
    listed()
    one = listed()
    for number in range(2, 12):
        world.push(image(number), f"v{number}")
    assert listed() == one
    assert max(one) <= 6


def test_pushes(world: World, count: Callable[[Callable[[], Any]], int]) -> None:
    first = image(1)
    world.push(first, "v1")
    built, db, caller = image(2), world.db, world.caller
    for data in built.blobs.values():
        world.put_blob(data)
    pushed = push.read_push(built.manifest, built.media_type, None)
    sealed = PUSHES.sealed(world.repository(NAME), pushed)

    def put(*tags: str) -> Callable[[], Any]:
        return lambda: db.run_write(push.put_image, caller, SCOPE, NAME, pushed, sealed, None, list(tags))

    assert (count(put("v2")), count(put("v2")), count(put("v1"))) == PUSH_COUNTS
    assert count(lambda: db.run_write(uploads.initiate_layer_upload, caller, SCOPE, NAME, "sha256")) == 4


PUSH_COUNTS = (18, 6, 11)
"""A new image with a new tag, the same again, an image that is there under a tag that moves."""
