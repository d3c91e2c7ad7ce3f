"""Blobs to responses: ranges of sealed segments, handed to the server's byte path."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from moorage.keys.data_keys import DataKeys
from moorage.metadata.records import Blob
from moorage.storage.blob_store import BlobStore
from moorage.transfer.handover import send_source
from moorage.transfer.hot_blobs import HotBlobs
from moorage.transfer.segments import PieceKeys, PiecesReader, open_keys, open_small

_FEW = 8
"""Segments whose keys are opened together, whatever range of them is asked for: then the blob can be kept in memory."""


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Bytes from `start` up to, not including, `stop`."""

    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class OpenedBlob:
    """A blob and the keys to as much of it as is wanted."""

    blob: Blob
    keys: PieceKeys
    wanted: ByteRange


class Sender:
    """Sends blobs. Belongs to the event loop; reading and opening happens in the byte pool."""

    def __init__(self, store: BlobStore, keys: DataKeys, hot: HotBlobs) -> None:
        self._store, self._keys, self._hot = store, keys, hot

    async def small(self, blob: Blob) -> bytes | None:
        """The content of a blob that lies in the database; None for any other. Raises StorageCorrupt, KeyUnusable."""
        if len(blob.segments) != 1 or blob.segments[0].content is None:
            return None
        opened = await open_keys(self._keys, blob.seal, blob.segments)
        return open_small(blob.segments[0], opened[0])

    async def open(self, blob: Blob, wanted: ByteRange) -> OpenedBlob:
        """A blob that may be sent: its keys are asked for each time, also when its bytes are in memory.

        Raises StorageCorrupt, KeyUnusable: nothing has been answered yet.
        """
        if wanted.start >= wanted.stop:  # of an empty blob, which may have no segments at all
            return OpenedBlob(blob, {}, wanted)
        places = range(len(blob.segments)) if len(blob.segments) <= _FEW else _touched(blob, wanted)
        return OpenedBlob(blob, await open_keys(self._keys, blob.seal, blob.segments, places), wanted)

    async def send(self, scope: Any, send: Any, status: int, headers: list[tuple[bytes, bytes]], opened: OpenedBlob) -> None:
        """Answer with a range of a blob.

        Nothing is read before the first byte is due. Content that fails authentication ends the connection instead of
        the response, so that no client takes it for whole.
        """
        blob, wanted = opened.blob, opened.wanted
        length = wanted.stop - wanted.start
        headers.append((b"content-length", b"%d" % length))
        if not length:
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
            return
        if len(opened.keys) == len(blob.segments):
            source = self._hot.open(blob.segments[0].storage_key, lambda: self._reader(opened), length)
        else:
            source = self._reader(opened)
        try:
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send_source(scope, send, source, wanted.start, wanted.stop)
        finally:
            source.close()

    def _reader(self, opened: OpenedBlob) -> PiecesReader:
        return PiecesReader(self._store, opened.blob.segments, opened.keys)


def _touched(blob: Blob, wanted: ByteRange) -> list[int]:
    """The places of the segments that a range, which is not empty, has bytes of."""
    ends = accumulate(segment.size_bytes for segment in blob.segments)
    return [place for place, end in enumerate(ends) if end > wanted.start and end - blob.segments[place].size_bytes < wanted.stop]
