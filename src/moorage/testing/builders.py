"""Small images made without docker: for tests, the demo and the benchmark."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import random
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moorage.model import media_types

_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_CONFIG = "application/vnd.oci.image.config.v1+json"


@dataclass(frozen=True, slots=True)
class BuiltImage:
    """An image in memory. `blobs` maps digests to content: layers and config."""

    manifest: bytes
    media_type: str
    blobs: dict[str, bytes]
    config: str

    @property
    def digest(self) -> str:
        """The manifest's digest."""
        return digest(self.manifest)

    @property
    def layers(self) -> list[str]:
        """Digests of the layers, in order."""
        return [layer["digest"] for layer in json.loads(self.manifest)["layers"]]


def digest(data: bytes, algorithm: str = "sha256") -> str:
    """The digest of some bytes."""
    return f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"


def layer(name: str, content: bytes) -> tuple[bytes, str]:
    """A gzipped tar with one file, and the digest of the uncompressed tar (its diff id). The same input gives the same bytes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    raw = buffer.getvalue()
    return gzip.compress(raw, compresslevel=1, mtime=0), digest(raw)


def image(seed: int = 0, *, layers: int = 2, layer_bytes: int = 1024, docker: bool = False, **extra: Any) -> BuiltImage:
    """An image for linux/amd64 whose content depends on `seed` alone.

    Args:
        layer_bytes: random bytes in each layer's file.
        docker: Docker schema 2 instead of OCI.
        extra: further members of the manifest, such as `subject`, `artifactType`, `annotations`.
    """
    source = random.Random(seed)  # noqa: S311  # repeatable content, no secret
    built = [layer(f"file-{seed}-{index}", source.randbytes(layer_bytes)) for index in range(layers)]
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Cmd": ["/file"]},
            "rootfs": {"type": "layers", "diff_ids": [diff_id for _, diff_id in built]},
            "history": [{"created_by": f"seed {seed}"} for _ in built],
        }
    ).encode()
    blobs = {digest(data): data for data, _ in built} | {digest(config): config}
    layer_type = media_types.DOCKER_LAYER if docker else _LAYER
    config_type = "application/vnd.docker.container.image.v1+json" if docker else _CONFIG
    media_type = media_types.DOCKER_MANIFEST if docker else media_types.OCI_MANIFEST
    manifest = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": {"mediaType": config_type, "digest": digest(config), "size": len(config)},
        "layers": [{"mediaType": layer_type, "digest": digest(data), "size": len(data)} for data, _ in built],
        **extra,
    }
    return BuiltImage(json.dumps(manifest).encode(), media_type, blobs, digest(config))


def index(children: list[BuiltImage], *, docker: bool = False, **extra: Any) -> bytes:
    """An image index (or a Docker manifest list) of images."""
    document = {
        "schemaVersion": 2,
        "mediaType": media_types.DOCKER_LIST if docker else media_types.OCI_INDEX,
        "manifests": [
            {
                "mediaType": child.media_type,
                "digest": child.digest,
                "size": len(child.manifest),
                "platform": {"os": "linux", "architecture": "amd64" if position == 0 else f"riscv{position}"},
            }
            for position, child in enumerate(children)
        ],
        **extra,
    }
    return json.dumps(document).encode()


def write_layout(built: BuiltImage, folder: Path, tag: str = "latest") -> Path:
    """Write an OCI image layout, the form that skopeo and others read as ``oci:FOLDER:TAG``."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    for name, data in {**built.blobs, built.digest: built.manifest}.items():
        (blobs / name.partition(":")[2]).write_bytes(data)
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    entry = {
        "mediaType": built.media_type,
        "digest": built.digest,
        "size": len(built.manifest),
        "annotations": {"org.opencontainers.image.ref.name": tag},
    }
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    return folder
