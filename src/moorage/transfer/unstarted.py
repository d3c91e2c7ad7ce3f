"""Uploads that have no byte yet, in the memory of a server that is alone on its database.

Most are ended by the request that follows: what is small comes whole in it. Then there was never a row, and neither POST nor the
deletion of what it left costs a commit. Any other request has the row written first and goes on from there, as on every node.
A process that is killed forgets them, and the client starts its upload again: nothing of it was there.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

from moorage.metadata.database import Database
from moorage.model import ids
from moorage.model.errors import DigestMismatch
from moorage.model.names import RepositoryName
from moorage.model.principal import Caller
from moorage.model.scope import Scope
from moorage.operations.images import uploads
from moorage.operations.images.uploads import Unstarted

_BOUND = 4096
"""How many are kept; those that come when there are so many get their rows at once."""


class UnstartedUploads:
    """Belongs to the event loop.

    Args:
        alone: no other process serves this database. If one does, every upload has its row from the beginning.
    """

    def __init__(self, db: Database, *, alone: bool) -> None:
        self._db = db
        self._alone = alone
        self._kept: dict[str, Unstarted] = {}
        self._writing = asyncio.Lock()

    async def begin(self, caller: Caller, scope: Scope, name: RepositoryName, algorithm: str) -> str:
        """Start an upload; return its id. Raises what `initiate_layer_upload` raises."""
        if not self._alone or len(self._kept) >= _BOUND:
            # Without a byte it is not worth a sync either: after a power cut the client starts it again.
            return await self._db.write_lightly(uploads.initiate_layer_upload, caller, scope, name, algorithm)
        upload_id = ids.upload_id()
        self._kept[upload_id] = await self._db.lookup(uploads.may_initiate, caller, scope, name, algorithm)
        return upload_id

    @contextlib.contextmanager
    def ending(self, upload_id: str) -> Iterator[Unstarted | None]:
        """Take an upload that a request wants to end, None for one that is not here. An error puts it back, for the client may
        go on; content that is not what it was said to be ends it."""
        taken = self._kept.pop(upload_id, None)
        try:
            yield taken
        except DigestMismatch:
            raise
        except BaseException:
            if taken is not None:
                self._kept[upload_id] = taken
            raise

    async def write_down(self, upload_id: str) -> None:
        """Have the row of an upload there, if it is one of these."""
        if upload_id in self._kept:
            await self._write([upload_id])

    async def flush(self) -> None:
        """Write down all of them."""
        if self._kept:
            await self._write(list(self._kept))

    async def _write(self, upload_ids: list[str]) -> None:
        async with self._writing:  # who asks for one that is being written waits until its row is there
            rows = {upload_id: self._kept[upload_id] for upload_id in upload_ids if upload_id in self._kept}
            if rows:
                await self._db.write_lightly(uploads.write_unstarted, rows)
            for upload_id in rows:
                self._kept.pop(upload_id, None)
