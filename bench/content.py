"""What is pushed and pulled: large blobs that differ, small images, many manifests of one image."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass

MIB = 1024 * 1024
_SUFFIX_BYTES = 16
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
_CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
_LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"


def digest_of(data: bytes) -> str:
    """The sha256 digest of some bytes."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


@dataclass(frozen=True, slots=True)
class Blob:
    """A blob that shares all but its last bytes with others, so that many different ones cost the memory of one."""

    digest: str
    start: memoryview
    suffix: bytes

    @property
    def size(self) -> int:
        """Length in bytes."""
        return len(self.start) + len(self.suffix)

    def parts(self, begin: int = 0, end: int | None = None) -> list[memoryview]:
        """Content from `begin` to `end`, not copied."""
        stop = self.size if end is None else min(end, self.size)
        edge = len(self.start)
        found = []
        if begin < edge:
            found.append(self.start[begin : min(stop, edge)])
        if stop > edge:
            found.append(memoryview(self.suffix)[max(0, begin - edge) : stop - edge])
        return found


class BlobMaker:
    """Makes blobs of one size, each different, in no time: the digest goes on from the state after the common part."""

    def __init__(self, size: int) -> None:
        base = bytearray(size - _SUFFIX_BYTES)
        for begin in range(0, len(base), MIB):
            end = min(begin + MIB, len(base))
            base[begin:end] = os.urandom(end - begin)
        self._base = memoryview(bytes(base))
        self._state = hashlib.sha256(self._base)

    def make(self) -> Blob:
        """The next blob."""
        suffix = os.urandom(_SUFFIX_BYTES)
        hasher = self._state.copy()
        hasher.update(suffix)
        return Blob("sha256:" + hasher.hexdigest(), self._base, suffix)


@dataclass(frozen=True, slots=True)
class SmallImage:
    """An image of a few KiB: its blobs (layers, then the config) and its manifest."""

    blobs: tuple[tuple[str, bytes], ...]
    manifest: bytes
    digest: str


def small_image(layers: int = 3, layer_bytes: int = 4096) -> SmallImage:
    """An image with random layers: no two are alike."""
    blobs = [os.urandom(layer_bytes) for _ in range(layers)]
    named = [(digest_of(data), data) for data in blobs]
    config = json.dumps(
        {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [d for d, _ in named]}}
    ).encode()
    manifest = manifest_of(named, config)
    return SmallImage((*named, (digest_of(config), config)), manifest, digest_of(manifest))


def manifest_of(layers: list[tuple[str, bytes]], config: bytes, note: str = "") -> bytes:
    """A manifest; `note` becomes an annotation, so that many different ones can be made of the same blobs."""
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": {"mediaType": _CONFIG_TYPE, "digest": digest_of(config), "size": len(config)},
        "layers": [{"mediaType": _LAYER_TYPE, "digest": digest, "size": len(data)} for digest, data in layers],
        **({"annotations": {"org.opencontainers.image.ref.name": note}} if note else {}),
    }
    return json.dumps(document).encode()


def manifests_of(image: SmallImage, count: int) -> Iterator[tuple[str, bytes]]:
    """Tags with manifests, all different and all of one image's blobs."""
    *layers, (_, config) = image.blobs
    for number in range(count):
        tag = f"tag-{number:06d}"
        yield tag, manifest_of(list(layers), config, tag)
