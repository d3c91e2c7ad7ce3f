"""The smallest registry-like application on moorage's HTTP server: what `byte_path.py` measures, without metadata and rights.

Usage: python bench/byte_path_server.py FOLDER PORT FRAME_KIB THREADS {handover|plain|stock}

GET /sealed/NAME, /file/NAME, /hot/NAME; PUT or PATCH /upload/NAME (hashed, sealed, synced); GET /manifest.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from pathlib import Path

import uvicorn
import uvloop
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from moorage.server.http_terms import HttpTerms
from moorage.server.run import serve
from moorage.transfer.handover import Receive, Scope, Send, receive_into, send_source
from moorage.transfer.hot_blobs import HotBlobs, OpenSource
from moorage.transfer.pools import Pool

KEY = AESGCM(bytes(32))
TAG_BYTES = 16
MANIFEST = b'{"schemaVersion":2,"padding":"%b"}' % (b"a" * 980)


def nonce(frame: int) -> bytes:
    return frame.to_bytes(12, "big")


SPARE: list[tuple[memoryview, memoryview]] = []
"""Buffers for frames that no source uses: new ones would cost more (page faults) than opening the frame."""


class SealedFile:
    """AES-256-GCM frames in a file, opened into one reused buffer."""

    def __init__(self, path: Path, frame_bytes: int) -> None:
        self._descriptor = os.open(path, os.O_RDONLY)
        self._frame_bytes = frame_bytes
        stored = os.fstat(self._descriptor).st_size
        self.size = stored - TAG_BYTES * -(-stored // (frame_bytes + TAG_BYTES))
        self._sealed = memoryview(b"")
        self._opened = memoryview(b"")
        self._frame = -1
        self._length = 0

    def view(self, offset: int) -> memoryview:
        if offset >= self.size:
            return memoryview(b"")
        if not self._sealed:
            try:
                self._sealed, self._opened = SPARE.pop()
            except IndexError:
                self._sealed = memoryview(bytearray(self._frame_bytes + TAG_BYTES))
                self._opened = memoryview(bytearray(self._frame_bytes))
        frame, within = divmod(offset, self._frame_bytes)
        if frame != self._frame:
            count = os.preadv(self._descriptor, [self._sealed], frame * (self._frame_bytes + TAG_BYTES))
            self._length = count - TAG_BYTES
            KEY.decrypt_into(nonce(frame), self._sealed[:count], None, self._opened[: self._length])
            self._frame = frame
        return self._opened[within : self._length]

    def descriptor(self) -> int | None:
        return None

    def close(self) -> None:
        os.close(self._descriptor)
        if self._sealed:
            SPARE.append((self._sealed, self._opened))


class PlainFile:
    """A file as it is."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDONLY)
        self.size = os.fstat(self._descriptor).st_size

    def view(self, offset: int) -> memoryview:
        return memoryview(os.pread(self._descriptor, 1 << 20, offset))

    def descriptor(self) -> int | None:
        return self._descriptor

    def close(self) -> None:
        os.close(self._descriptor)


class SealingFile:
    """Hashes, seals and writes; `finish` syncs file and folder."""

    def __init__(self, path: Path, frame_bytes: int) -> None:
        self._path = path
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        self.hasher = hashlib.sha256()
        self._plain = memoryview(bytearray(frame_bytes))
        self._sealed = memoryview(bytearray(frame_bytes + TAG_BYTES))
        self._filled = 0
        self._frame = 0

    def buffer(self) -> memoryview:
        return self._plain[self._filled :]

    def advance(self, count: int) -> None:
        self.hasher.update(self._plain[self._filled : self._filled + count])
        self._filled += count
        if self._filled == len(self._plain):
            self._write_frame()

    def finish(self) -> None:
        if self._filled:
            self._write_frame()
        os.fsync(self._descriptor)
        os.close(self._descriptor)
        folder = os.open(self._path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)

    def _write_frame(self) -> None:
        sealed = self._sealed[: self._filled + TAG_BYTES]
        KEY.encrypt_into(nonce(self._frame), self._plain[: self._filled], None, sealed)
        os.write(self._descriptor, sealed)
        self._frame += 1
        self._filled = 0


class Application:
    """The ASGI callable."""

    def __init__(self, folder: Path, pool: Pool, frame_bytes: int) -> None:
        self._folder = folder
        self._pool = pool
        self._frame_bytes = frame_bytes
        self._hot = HotBlobs()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        path: str = scope["path"]
        if path == "/manifest":
            await self._reply(send, 200, MANIFEST, b"application/vnd.oci.image.manifest.v1+json")
        elif scope["method"] == "GET":
            await self._get(scope, send, *path[1:].split("/"))
        else:
            sink = SealingFile(self._folder / f"{path.rpartition('/')[2]}.upload", self._frame_bytes)
            if await receive_into(scope, receive, sink):
                await self._pool.run(sink.finish)
                await self._reply(send, 201, sink.hasher.hexdigest().encode(), b"text/plain")

    async def _get(self, scope: Scope, send: Send, kind: str, name: str) -> None:
        sealed = self._folder / f"{name}.{self._frame_bytes}.sealed"
        source: OpenSource
        if kind == "file":
            source = PlainFile(self._folder / name)
        elif kind == "hot":
            source = self._hot.open(name, lambda: SealedFile(sealed, self._frame_bytes), 1 << 40)
        else:
            source = SealedFile(sealed, self._frame_bytes)
        with contextlib.closing(source):
            start, stop, status = 0, source.size, 200
            for field, value in scope["headers"]:
                if field == b"range":
                    first, last = value[6:].split(b"-")
                    start, stop, status = int(first), int(last) + 1, 206
            headers = [(b"content-length", b"%d" % (stop - start)), (b"content-type", b"application/octet-stream")]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send_source(scope, send, source, start, stop)

    async def _reply(self, send: Send, status: int, body: bytes, media_type: bytes) -> None:
        headers = [
            (b"content-type", media_type),
            (b"content-length", b"%d" % len(body)),
            (b"docker-content-digest", b"sha256:" + b"0" * 64),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def main() -> None:
    folder, port, frame_kib, threads, way = sys.argv[1:]
    pool = Pool("bytes", int(threads))
    application = Application(Path(folder), pool, int(frame_kib) * 1024)
    if way == "stock":
        uvicorn.run(application, port=int(port), http="httptools", log_level="error", access_log=False, lifespan="off")
    else:
        uvloop.run(serve(application, terms=HttpTerms(pool, handover=way == "handover"), host="127.0.0.1", port=int(port)))


if __name__ == "__main__":
    main()
