"""Manifests: what is read out of exact bytes, and what is refused."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage.model import media_types
from moorage.model.errors import ManifestInvalid
from moorage.model.manifest import parse_manifest
from moorage.testing.builders import digest, image, index


def document(**changes: Any) -> bytes:
    parsed = json.loads(image(1).manifest)
    parsed.update(changes)
    return json.dumps({key: value for key, value in parsed.items() if value is not None}).encode()


def test_an_image_names_its_config_first_then_its_layers() -> None:
    built = image(1, layers=3)
    manifest = parse_manifest(built.manifest, None)
    assert [blob.digest for blob in manifest.blobs] == [built.config, *built.layers]
    assert manifest.media_type == media_types.OCI_MANIFEST
    assert manifest.content_size == sum(len(data) for data in built.blobs.values())
    assert not manifest.is_index


def test_an_index_names_its_children() -> None:
    children = [image(1), image(2)]
    manifest = parse_manifest(index(children), media_types.OCI_INDEX)
    assert [child.digest for child in manifest.children] == [child.digest for child in children]
    assert manifest.is_index
    assert manifest.artifact_type is None


def test_a_document_without_a_media_type_is_told_by_its_shape() -> None:
    assert parse_manifest(document(mediaType=None), None).media_type == media_types.OCI_MANIFEST
    assert parse_manifest(b'{"schemaVersion":2,"manifests":[]}', None).media_type == media_types.OCI_INDEX


def test_artifact_type_comes_from_the_manifest_else_from_the_config() -> None:
    assert parse_manifest(document(artifactType="application/x.y"), None).artifact_type == "application/x.y"
    assert parse_manifest(document(), None).artifact_type == "application/vnd.oci.image.config.v1+json"


def test_foreign_layers_need_not_exist() -> None:
    layer = {"mediaType": "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", "digest": digest(b"x"), "size": 1}
    manifest = parse_manifest(document(layers=[layer]), None)
    assert [blob.must_exist for blob in manifest.layers] == [False]


_LAYER = {"mediaType": "application/x.y", "digest": digest(b"x"), "size": 1}


@pytest.mark.parametrize(
    ("data", "declared"),
    [
        (b"", None),
        (b"{", None),
        (b"[]", None),
        (b"null", None),
        (b'"text"', None),
        (b"\xff\xfe", None),
        (b"{}", None),
        (document(schemaVersion=1), None),
        (document(schemaVersion="2"), None),
        (document(config=None), None),
        (document(layers=None), None),
        (document(layers={}), None),
        (document(manifests=[]), None),
        (document(fsLayers=[{"blobSum": "x"}]), None),
        (document(blobs=[]), None),
        (document(subject={"mediaType": "a/b", "digest": "nonsense", "size": 1}), None),
        (document(layers=[{**_LAYER, "size": -1}]), None),
        (document(layers=[{**_LAYER, "size": 2**70}]), None),
        (document(layers=[{**_LAYER, "size": 1.5}]), None),
        (document(layers=[{**_LAYER, "digest": "sha256:short"}]), None),
        (document(layers=[{**_LAYER, "mediaType": "no slash"}]), None),
        (document(layers=[_LAYER] * 1001), None),
        (document(artifactType="not a media type"), None),
        (document(mediaType="application/vnd.docker.distribution.manifest.v1+json"), None),
        (document(), media_types.OCI_INDEX),
        (document(), media_types.DOCKER_MANIFEST),
        (document(mediaType=None), media_types.DOCKER_MANIFEST),
        (document(), "application/vnd.oci.artifact.manifest.v1+json"),
        (b'{"schemaVersion":2,"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", None),
        (b'{"schemaVersion":2,"blobs":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}", None),
    ],
)
def test_threat_03_what_is_no_manifest_or_two_at_once_is_refused(data: bytes, declared: str | None) -> None:
    with pytest.raises(ManifestInvalid):
        parse_manifest(data, declared)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_bytes_do_more_than_be_refused(data: bytes) -> None:
    with contextlib.suppress(ManifestInvalid):
        parse_manifest(data, None)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["config", "layers", "digest", "size", "mediaType", "x"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(
    st.dictionaries(
        st.sampled_from(["schemaVersion", "mediaType", "config", "layers", "manifests", "subject", "annotations"]), _json
    )
)
def test_no_document_does_more_than_be_refused(value: dict[str, Any]) -> None:
    with contextlib.suppress(ManifestInvalid):
        parse_manifest(json.dumps(value).encode(), None)
