"""Media types of the manifests and layers that registries exchange.

Sources: OCI image-spec 1.1 "Media types"; the Docker image manifest V2 schema 2 specification.
"""

from __future__ import annotations

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
OCTET_STREAM = "application/octet-stream"

IMAGES = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
INDEXES = frozenset({OCI_INDEX, DOCKER_LIST})
MANIFESTS = IMAGES | INDEXES
IMAGE_CONFIGS = frozenset({"application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"})
"""Of manifests that describe something to run; the config of an artifact is of another type."""

_NOT_DISTRIBUTED = ("application/vnd.oci.image.layer.nondistributable.v1.", "application/vnd.docker.image.rootfs.foreign.diff.")


def is_distributed(media_type: str) -> bool:
    """Tell whether a layer of this type has to be in the repository: foreign and non-distributable ones need not."""
    return not media_type.startswith(_NOT_DISTRIBUTED)
