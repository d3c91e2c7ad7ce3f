"""An installation opened for one command."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from moorage.server.settings import Loaded

if TYPE_CHECKING:
    from moorage.server.installation import Installation


@contextmanager
def opened(loaded: Loaded) -> Iterator[Installation]:
    """The installation, which must be there. Raises InstallationError, which the program tells."""
    from moorage.server.installation import open_installation

    installation = open_installation(loaded.settings, os.environ, may_create=False)
    try:
        yield installation
    finally:
        installation.close()
