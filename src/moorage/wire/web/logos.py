"""Logos of public repositories: the images behind `logoUrl`, for everybody."""

from __future__ import annotations

from moorage.metadata.database import Database
from moorage.model.errors import NameInvalid
from moorage.model.names import parse_repository_name
from moorage.operations.public.repositories import logo_of
from moorage.wire.blob_response import SANDBOX
from moorage.wire.http import NOSNIFF, BadRequest, Request, Response, Send

_KINDS = ((b"\x89PNG\r\n\x1a\n", b"image/png"), (b"\xff\xd8\xff", b"image/jpeg"), (b"GIF8", b"image/gif"))
_TEXT = (b"content-type", b"text/plain; charset=utf-8")


class Logos:
    """Answers ``GET /logos/<account or alias>/<repository>``."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def __call__(self, request: Request, send: Send) -> None:
        """Answer one request."""
        is_head = request.method == "HEAD"
        if request.method not in {"GET", "HEAD"}:
            await Response(405, b"method not allowed\n", [_TEXT, (b"allow", b"GET, HEAD")]).send(send)
            return
        try:
            owner, _, rest = request.path.removeprefix("/logos/").partition("/")
            logo = await self._db.read(logo_of, owner, parse_repository_name(rest))
        except (BadRequest, NameInvalid):
            logo = None
        if logo is None:
            await Response(404, b"404 page not found\n", [_TEXT]).send(send, head=is_head)
            return
        headers = [
            (b"content-type", _kind_of(logo)),
            NOSNIFF,
            SANDBOX,
            (b"cache-control", b"public, max-age=300"),
        ]
        await Response(200, logo, headers).send(send, head=is_head)


def _kind_of(logo: bytes) -> bytes:
    for magic, kind in _KINDS:
        if logo.startswith(magic):
            return kind
    return b"application/octet-stream"
