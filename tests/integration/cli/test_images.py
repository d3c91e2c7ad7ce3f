"""Images and layers, put and fetched with nothing but the command line."""

from __future__ import annotations

import json

import pytest

from moorage.testing import builders
from tests.integration.cli.conftest import Cli

pytestmark = pytest.mark.awscli
NAMED = ("--repository-name", "app")


def push_layers(ecr: Cli, built: builders.BuiltImage) -> None:
    for number, (digest, data) in enumerate(built.blobs.items()):
        started = ecr("initiate-layer-upload", *NAMED)
        upload = ("--upload-id", started["uploadId"])
        part = ("--part-first-byte", "0", "--part-last-byte", str(len(data) - 1))
        blob = ecr.file(f"blob-{number}", data)
        assert ecr("upload-layer-part", *NAMED, *upload, *part, "--layer-part-blob", blob)["lastByteReceived"] == len(data) - 1
        assert ecr("complete-layer-upload", *NAMED, *upload, "--layer-digests", digest)["layerDigest"] == digest


def test_layers_and_an_image(ecr: Cli) -> None:
    built = builders.image(1, layers=1)
    ecr("create-repository", *NAMED)
    manifest = ecr.file("manifest.json", built.manifest.decode())
    ecr.refused("LayersNotFoundException", "put-image", *NAMED, "--image-manifest", manifest, "--image-tag", "v1")
    push_layers(ecr, built)
    states = ecr("batch-check-layer-availability", *NAMED, "--layer-digests", *built.blobs)["layers"]
    assert {state["layerAvailability"] for state in states} == {"AVAILABLE"}
    ecr("put-image", *NAMED, "--image-manifest", manifest, "--image-tag", "v1")
    url = ecr.text(
        *("get-download-url-for-layer", *NAMED, "--layer-digest", built.layers[0]),
        *("--query", "downloadUrl", "--output", "text"),
    )
    assert url.startswith("http")
    text = ecr.text(
        *("batch-get-image", *NAMED, "--image-ids", "imageTag=v1"), *("--query", "images[0].imageManifest", "--output", "text")
    )
    assert json.loads(text) == json.loads(built.manifest)


def test_images(ecr: Cli) -> None:
    ecr("create-repository", *NAMED)
    subject = builders.index([]).decode()
    ecr("put-image", *NAMED, "--image-manifest", ecr.file("subject.json", subject), "--image-tag", "v1")
    digest = builders.digest(subject.encode())
    about = {"mediaType": "application/vnd.oci.image.index.v1+json", "digest": digest, "size": len(subject)}
    artifact = builders.index([], subject=about, artifactType="application/x-thing").decode()
    ecr("put-image", *NAMED, "--image-manifest", ecr.file("artifact.json", artifact))
    ecr.refused("ImageAlreadyExistsException", "put-image", *NAMED, "--image-manifest", subject, "--image-tag", "v1")
    assert ecr("list-images", *NAMED, "--filter", "tagStatus=TAGGED")["imageIds"] == [{"imageDigest": digest, "imageTag": "v1"}]
    assert ecr(
        "list-image-referrers", *NAMED, "--subject-id", f"imageDigest={digest}", "--query", "referrers[].artifactType"
    ) == ["application/x-thing"]
    archived = ecr("update-image-storage-class", *NAMED, "--image-id", "imageTag=v1", "--target-storage-class", "ARCHIVE")
    assert archived["imageStatus"] == "ARCHIVED"
    archive = ("--filter", "imageStatus=ARCHIVED", "--query", "imageDetails[].imageStatus")
    assert ecr("describe-images", *NAMED, *archive) == ["ARCHIVED", "ARCHIVED"]
    ecr.refused("ScanNotFoundException", "describe-image-scan-findings", *NAMED, "--image-id", "imageTag=v1")
    assert ecr("describe-image-replication-status", *NAMED, "--image-id", "imageTag=v1")["replicationStatuses"] == []
    gone = ecr("batch-delete-image", *NAMED, "--image-ids", "imageTag=v1", "imageTag=v2")
    assert gone["imageIds"] == [{"imageDigest": digest, "imageTag": "v1"}]
    assert [failure["failureCode"] for failure in gone["failures"]] == ["ImageNotFound"]
