"""Serve until a named point is reached, and die there: ``python -m tests.crash.points POINT serve ...``.

The points are functions of the server, before they are called or after they have returned; the server itself knows nothing of it.
Within a transaction the end of its function is before its commit.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from moorage.cli.main import main

BEFORE, AFTER = "before", "after"

POINTS = {
    "a small blob is stored, its row is not written": ("operations.images.uploads:put_blob", BEFORE),
    "a small blob's row is written, not committed": ("operations.images.uploads:put_blob", AFTER),
    "an upload's segment is stored, its row is not written": ("operations.images.uploads:commit_segment", BEFORE),
    "an upload's segment is written, not committed": ("operations.images.uploads:commit_segment", AFTER),
    "an upload's segment is committed, nobody was told": ("transfer.receive:Receiver.append", AFTER),
    "an upload is complete, not committed": ("operations.images.uploads:complete_layer_upload", AFTER),
    "an upload is committed, nobody was told": ("transfer.receive:Receiver.complete", AFTER),
    "a manifest is sealed, its row is not written": ("operations.images.push:put_image", BEFORE),
    "a manifest is written, not committed": ("operations.images.push:put_image", AFTER),
    "a manifest is committed, nobody was told": ("wire.oci.manifests:put_image", AFTER),
    "an image is removed, not committed": ("operations.images.removal:delete_manifest", AFTER),
    "an image's removal is committed, nobody was told": ("wire.oci.manifests:delete", AFTER),
}
"""Where the server dies, in the order in which a push and a delete come by."""


def arm(point: str) -> None:
    """Have this process die at a point."""
    (module, path), when = POINTS[point][0].split(":"), POINTS[point][1]
    *owners, name = path.split(".")
    owner: Any = importlib.import_module(f"moorage.{module}")
    for each in owners:
        owner = getattr(owner, each)
    setattr(owner, name, _deadly(getattr(owner, name), when))


def _deadly(function: Callable[..., Any], when: str) -> Callable[..., Any]:
    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def waited_for(*args: Any, **kwargs: Any) -> Any:
            if when == BEFORE:
                die()
            result = await function(*args, **kwargs)
            die()
            return result

        return waited_for

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        if when == BEFORE:
            die()
        result = function(*args, **kwargs)
        die()
        return result

    return called


if __name__ == "__main__":
    arm(sys.argv[1])
    main(sys.argv[2:])
