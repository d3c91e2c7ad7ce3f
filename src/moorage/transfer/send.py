"""Blobs to responses: ranges of sealed pieces, handed to the server's byte path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from moorage.keys.registry_keys import LocalKeyring
from moorage.metadata.records import Blob
from moorage.storage.blob_store import BlobStore
from moorage.transfer.handover import send_source
from moorage.transfer.hot_blobs import HotBlobs
from moorage.transfer.pieces import PiecesReader, open_small


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Bytes from `start` up to, not including, `stop`."""

    start: int
    stop: int


class Sender:
    """Sends blobs. Belongs to the event loop; reading and opening happens in the byte pool."""

    def __init__(self, store: BlobStore, keyring: LocalKeyring, hot: HotBlobs) -> None:
        self._store, self._keyring, self._hot = store, keyring, hot

    def small(self, blob: Blob) -> bytes | None:
        """The content of a blob that lies in the database; None for any other. Raises StorageCorrupt."""
        if len(blob.pieces) != 1 or blob.pieces[0].content is None:
            return None
        return open_small(self._keyring, blob.seal, blob.pieces[0])

    async def send(
        self, scope: Any, send: Any, status: int, headers: list[tuple[bytes, bytes]], blob: Blob, wanted: ByteRange
    ) -> None:
        """Answer with a range of a blob.

        Nothing is read before the first byte is due. Content that fails authentication ends the connection instead of
        the response, so that no client takes it for whole.
        """
        length = wanted.stop - wanted.start
        headers.append((b"content-length", b"%d" % length))
        if not length:  # an empty blob, which may have no pieces at all
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
            return
        source = self._hot.open(blob.pieces[0].storage_key, lambda: self._reader(blob), length)
        try:
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send_source(scope, send, source, wanted.start, wanted.stop)
        finally:
            source.close()

    def _reader(self, blob: Blob) -> PiecesReader:
        return PiecesReader(self._store, self._keyring, blob.seal, blob.pieces)
