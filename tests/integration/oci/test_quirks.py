"""``--ecr-quirks`` imitates ECR where it departs from the specification; docs/reference/quirks.md lists the effects."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from moorage.model.media_types import OCI_INDEX
from moorage.testing.builders import digest, image
from moorage.testing.registry_client import RegistryClient
from moorage.testing.server import MoorageServer
from tests.conftest import fresh_name


@pytest.fixture
def quirky(make_server: Callable[..., MoorageServer]) -> MoorageServer:
    return make_server(options=["--ecr-quirks"])


def test_the_departures_of_ecr(quirky: MoorageServer) -> None:
    name = fresh_name()
    ecr = quirky.client()
    ecr.create_repository(repositoryName=name)
    built = image(1)
    with quirky.registry() as registry:
        # a bad token is refused without a challenge.
        forged = registry.request("GET", "/v2/", authorization="Basic QVdTOm5vbnNlbnNl")
        assert (forged.status, forged.headers.get("WWW-Authenticate")) == (403, None)
        # an invalid manifest is "unsupported".
        assert registry.request("PUT", f"/v2/{name}/manifests/v1", body=b"{}").status == 405
        # more than a thousand is too many.
        large = registry.request("GET", f"/v2/{name}/tags/list?n=1001")
        constraint = "Member must have value less than or equal to 1000"
        message = f"Invalid parameter at 'maxResults' failed to satisfy constraint: '{constraint}'"
        assert (large.status, large.code, large.message) == (405, "UNSUPPORTED", message)
        # a chunk is answered 201.
        started = registry.request("POST", f"/v2/{name}/blobs/uploads/")
        location = started.headers["Location"]
        assert registry.request("PATCH", location, body=b"abc").status == 201
        assert registry.request("PUT", f"{location}?digest={digest(b'abc')}").status == 201
        # nobody can pull a blob that no image names. Q-15: nobody can delete one.
        assert registry.request("GET", f"/v2/{name}/blobs/{digest(b'abc')}").status == 404
        assert registry.request("DELETE", f"/v2/{name}/blobs/{digest(b'abc')}").status == 405
        registry.push_image(name, built, "v1")
        assert registry.request("GET", f"/v2/{name}/blobs/{built.config}").status == 200
        # the same image under the same immutable tag is refused.
        ecr.put_image_tag_mutability(repositoryName=name, imageTagMutability="IMMUTABLE")
        headers = {"Content-Type": built.media_type}
        again = registry.request("PUT", f"/v2/{name}/manifests/v1", body=built.manifest, headers=headers)
        assert (again.status, b"TAG_INVALID" in again.body) == (400, True)
        # the last tag takes its image along.
        assert registry.request("DELETE", f"/v2/{name}/manifests/v1").status == 202
        assert registry.request("GET", f"/v2/{name}/manifests/{built.digest}").status == 404


def test_a_build_cache_in_the_form_of_an_index_is_refused(registry: RegistryClient, repository: str) -> None:
    """BuildKit's `--cache-to type=registry` without `image-manifest=true`: an index whose entries are layers."""
    layer = b"layer" * 100
    entry = {"digest": registry.push_blob(repository, layer), "size": len(layer)}
    kinds = ("application/vnd.oci.image.layer.v1.tar+gzip", "application/vnd.buildkit.cacheconfig.v0")
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [{"mediaType": kind, **entry} for kind in kinds]}
    answer = registry.put_manifest(repository, "cache", json.dumps(index).encode(), OCI_INDEX)
    assert (answer.status, answer.code) == (400, "MANIFEST_BLOB_UNKNOWN")
