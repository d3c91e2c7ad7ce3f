"""Layers for the bearer of a signed link (GetDownloadUrlForLayer): no other credentials, one blob, one hour."""

from __future__ import annotations

import re

from moorage.auth.presigned import LinkRefused, check_query
from moorage.metadata.database import Database
from moorage.model.clock import Clock
from moorage.operations.images import layers
from moorage.transfer.send import Sender
from moorage.wire.blob_response import SANDBOX, send_blob
from moorage.wire.http import Request, Response, Send

_PATH = re.compile(r"/layers/([0-9]{1,18})/((?:sha256|sha512):[0-9a-f]{64,128})")
_TEXT = (b"content-type", b"text/plain; charset=utf-8")


class LayerLinks:
    """Serves ``/layers/<repository id>/<digest>?<signature>``."""

    def __init__(self, db: Database, sender: Sender, key: bytes, clock: Clock) -> None:
        self._db, self._sender, self._key, self._clock = db, sender, key, clock

    async def __call__(self, request: Request, send: Send) -> None:
        """Answer one request; whatever is wrong with a link is told alike."""
        match = _PATH.fullmatch(request.path)
        if match is None or request.method not in {"GET", "HEAD"}:
            await Response(404, b"not found\n", [_TEXT]).send(send, head=request.method == "HEAD")
            return
        repository_id, digest = match.groups()
        try:
            check_query(
                self._key,
                request.scope["query_string"].decode("latin-1"),
                path=request.path,
                repository_id=repository_id,
                digest=digest,
                now=self._clock(),
            )
        except LinkRefused as error:
            await Response(403, f"{error}\n".encode(), [_TEXT]).send(send, head=request.method == "HEAD")
            return
        blob = await self._db.lookup(layers.get_presigned_blob, int(repository_id), digest)
        if blob is None:
            await Response(404, b"not found\n", [_TEXT]).send(send, head=request.method == "HEAD")
            return
        await send_blob(self._sender, request, send, blob, SANDBOX)
