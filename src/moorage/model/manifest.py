"""Manifests: exact bytes in, what they name out.

Sources: OCI image-spec 1.1 "Image Manifest", "Image Index", "Descriptor"; Docker image manifest V2 schema 2. The bytes
themselves are never re-serialised: the digest is theirs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from moorage.model import limits, media_types
from moorage.model.digest import Digest, is_digest
from moorage.model.errors import ManifestInvalid, ManifestTypeMissing

_Size = Annotated[int, msgspec.Meta(ge=0, lt=2**62)]
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}")


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A reference to content: what it is, which, how many bytes."""

    media_type: str
    digest: Digest
    size: int
    must_exist: bool = True
    """False for layers that are fetched from elsewhere (foreign, non-distributable)."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the registry needs to know of a manifest of any kind."""

    media_type: str
    config: Descriptor | None
    layers: tuple[Descriptor, ...]
    children: tuple[Descriptor, ...]
    subject: Digest | None
    artifact_type: str | None
    """What a referrers listing shows: the manifest's `artifactType`, else the config's media type of an image manifest."""
    annotations: dict[str, str]

    @property
    def is_index(self) -> bool:
        """True for an image index and a Docker manifest list."""
        return self.media_type in media_types.INDEXES

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        """Config and layers, in this order, with the same digest listed as often as it is named."""
        return ((self.config,) if self.config else ()) + self.layers

    @property
    def content_size(self) -> int:
        """Config and layers in bytes, each digest once."""
        return sum({blob.digest: blob.size for blob in self.blobs if blob.must_exist}.values())


class _Descriptor(msgspec.Struct, rename="camel"):
    media_type: str
    digest: str
    size: _Size
    urls: list[str] | None = None


class _Subject(msgspec.Struct, rename="camel"):
    media_type: str
    digest: str
    size: _Size


class _Document(msgspec.Struct, rename="camel"):
    schema_version: int
    media_type: str | None = None
    artifact_type: str | None = None
    config: _Descriptor | None = None
    layers: list[_Descriptor] | None = None
    manifests: list[_Descriptor] | None = None
    subject: _Subject | None = None
    annotations: dict[str, str] | None = None
    # Members that make the same bytes readable as something else; see `_refuse_mixed_kinds`.
    fs_layers: Any = msgspec.field(default=None, name="fsLayers")
    blobs: Any = None


_decoder = msgspec.json.Decoder(_Document)


def parse_manifest(data: bytes, declared: str | None, *, by_shape: bool = True) -> Manifest:
    """Parse and check the exact bytes of a manifest.

    Args:
        data: what arrived; at most `limits.MANIFEST_BYTES`, which the wire enforces while reading.
        declared: the Content-Type (without parameters) or `imageManifestMediaType`; None when the client did not say.
        by_shape: tell a type that nobody says by the members that are there, as the distribution specification has it. False is
            PutImage's rule: somebody has to say it, body or client.

    Raises:
        ManifestTypeMissing: nobody says the type, and it is not to be told by shape.
        ManifestInvalid: not JSON, an unsupported kind, a declared type other than the body's, a body of two kinds at once.
    """
    try:
        document = _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ManifestInvalid("Invalid JSON syntax", f"the manifest is not valid: {error}") from None
    if not (by_shape or declared or document.media_type):
        raise ManifestTypeMissing("no media type")
    media_type = _media_type(document, declared, may_be_untold=not by_shape)
    if document.schema_version != 2:
        raise ManifestInvalid("Invalid JSON syntax", "schemaVersion must be 2")
    _refuse_mixed_kinds(document, media_type)
    config = _descriptor(document.config, "config") if document.config else None
    layers = tuple(_descriptor(layer, "layers") for layer in document.layers or ())
    children = tuple(_descriptor(child, "manifests") for child in document.manifests or ())
    if max(len(layers), len(children)) > limits.DESCRIPTORS_PER_MANIFEST:
        raise ManifestInvalid("too many descriptors", f"at most {limits.DESCRIPTORS_PER_MANIFEST} descriptors are allowed")
    subject = document.subject.digest if document.subject else None
    if subject is not None and not is_digest(subject):
        raise ManifestInvalid("Invalid JSON syntax", "subject.digest is not a digest")
    return Manifest(
        media_type=media_type,
        config=config,
        layers=layers,
        children=children,
        subject=Digest(subject) if subject else None,
        artifact_type=_artifact_type(document, config),
        annotations=document.annotations or {},
    )


def _media_type(document: _Document, declared: str | None, *, may_be_untold: bool) -> str:
    """Settle the type: what the client declared and what the body says must not differ (GHSA-qq97-vm5h-rrhg).

    `may_be_untold`: a Docker manifest may leave its type to the client, as PutImage has it; other registries refuse that.
    """
    told = document.media_type
    if declared and told and declared != told:
        raise ManifestInvalid("Invalid JSON syntax", f"declared as {declared[:100]} but the body's mediaType is {told[:100]}")
    media_type = declared or told
    if media_type is None:
        # Image-spec 1.0 documents carry no mediaType: the shape tells.
        media_type = media_types.OCI_INDEX if document.manifests is not None else media_types.OCI_MANIFEST
    if media_type not in media_types.MANIFESTS:
        raise ManifestInvalid("Invalid JSON syntax", f"manifests of type {media_type[:100]} are not supported")
    if told is None and not may_be_untold and media_type in (media_types.DOCKER_MANIFEST, media_types.DOCKER_LIST):
        raise ManifestInvalid("Invalid JSON syntax", "a Docker manifest must carry its mediaType")
    return media_type


def _refuse_mixed_kinds(document: _Document, media_type: str) -> None:
    if media_type in media_types.INDEXES:
        if document.manifests is None:
            raise ManifestInvalid("Invalid JSON syntax", "an index must have manifests")
        foreign = document.config is not None or document.layers is not None
    else:
        if document.config is None or document.layers is None:
            raise ManifestInvalid("Invalid JSON syntax", "an image manifest must have config and layers")
        foreign = document.manifests is not None
    if foreign or document.fs_layers is not None or document.blobs is not None:
        raise ManifestInvalid("Invalid JSON syntax", "the manifest mixes members of different kinds")


def _descriptor(given: _Descriptor, where: str) -> Descriptor:
    if not is_digest(given.digest):
        raise ManifestInvalid("Invalid JSON syntax", f"a digest in {where} is not valid")
    if _MEDIA_TYPE.fullmatch(given.media_type) is None:
        raise ManifestInvalid("Invalid JSON syntax", f"a mediaType in {where} is not valid")
    return Descriptor(given.media_type, Digest(given.digest), given.size, media_types.is_distributed(given.media_type))


def _artifact_type(document: _Document, config: Descriptor | None) -> str | None:
    """Distribution-spec "Listing Referrers": artifactType, else the config's mediaType; an index without one has none."""
    if document.artifact_type is not None and _MEDIA_TYPE.fullmatch(document.artifact_type) is None:
        raise ManifestInvalid("Invalid JSON syntax", "artifactType is not a media type")
    return document.artifact_type or (config.media_type if config else None)
