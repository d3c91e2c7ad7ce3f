"""Pushes, deletes and the collection of blobs at the same time, with time that flies: no acknowledged image lacks a layer.

``SOAK_SECONDS`` makes it longer: ``make soak``.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable

from moorage.metadata.images import manifests
from moorage.metadata.transaction import ReadTransaction
from moorage.model import limits
from moorage.model.errors import DomainError, ImageNotFound, LayersNotFound, UploadBusy
from moorage.operations.images import garbage, layers, push, removal
from moorage.testing.builders import BuiltImage, image

from .test_garbage import NAME, PUSHES, SCOPE, World, world

assert world is not None

SECONDS = float(os.environ.get("SOAK_SECONDS", "4"))
_IMAGES = 12


class Soak:
    """What runs at the same time, until the time is over or something went wrong."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.until = time.monotonic() + SECONDS
        self.errors: list[BaseException] = []
        self.pushed = 0
        self.refused = 0
        self.collected = 0

    def run(self, work: Callable[[random.Random], None], seed: int) -> threading.Thread:
        def again() -> None:
            draw = random.Random(seed)
            try:
                while time.monotonic() < self.until and not self.errors:
                    work(draw)
            except BaseException as error:
                self.errors.append(error)

        thread = threading.Thread(target=again)
        thread.start()
        return thread

    def push(self, draw: random.Random) -> None:
        """As a client does: layers that are not there, then the manifest; once more from the beginning if one has gone."""
        built, tag = image(draw.randrange(_IMAGES), layers=2), f"v{draw.randrange(4)}"
        try:
            for data_digest, data in built.blobs.items():
                if not self.world.holds(data_digest):
                    self.world.put_blob(data)
            pushed = push.read_push(built.manifest, built.media_type, None)
            sealed = PUSHES.sealed(self.world.repository(NAME), pushed)
            self.world.db.run_write(push.put_image, self.world.caller, SCOPE, NAME, pushed, sealed, None, [tag])
            self.pushed += 1
        except (LayersNotFound, UploadBusy):
            self.refused += 1  # collected, or overdue, before the push named it: the client is told

    def delete(self, draw: random.Random) -> None:
        built: BuiltImage = image(draw.randrange(_IMAGES), layers=2)
        try:
            self.world.db.run_write(removal.delete_manifest, self.world.caller, SCOPE, NAME, built.digest, None)
        except ImageNotFound:
            pass
        except DomainError as error:
            raise AssertionError(f"a delete was refused: {error}") from error

    def collect(self, draw: random.Random) -> None:
        self.world.wait(limits.BLOB_GRACE_SECONDS * draw.random())
        self.collected += self.world.db.run_write(garbage.check_links)
        self.world.db.run_write(garbage.doom_abandoned)
        keys = self.world.deletable()
        if keys:
            self.world.db.run_write(garbage.forget, keys)


def test_no_image_loses_a_layer(world: World) -> None:
    soak = Soak(world)
    works = [soak.push, soak.push, soak.push, soak.delete, soak.collect, soak.collect]
    threads = [soak.run(work, seed) for seed, work in enumerate(works)]
    for thread in threads:
        thread.join(SECONDS + 60)
        assert not thread.is_alive()
    assert soak.errors == []
    assert soak.pushed > 3
    assert soak.collected > 3

    repository = world.repository(NAME)

    def look(tx: ReadTransaction) -> list[str]:
        lost = []
        for number in range(_IMAGES):
            built = image(number, layers=2)
            if manifests.find_by_digest(tx, repository.id, built.digest) is not None:
                states, _, _ = layers.batch_check_layer_availability(tx, world.caller, SCOPE, NAME, list(built.blobs))
                lost += [state.digest for state in states if state.size_bytes is None]
        return lost

    assert world.db.run_read(look) == []
