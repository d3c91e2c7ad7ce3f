"""The router alone: whatever a repository is named, its paths lead to it; whatever else comes, nothing is raised."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage.wire.oci.router import Route, parse_route

WORDS = ("blobs", "manifests", "uploads", "tags", "list", "referrers", "_catalog", "v2", "a", "a-b", "sha256")
names = st.lists(st.sampled_from(WORDS), min_size=1, max_size=5).map("/".join)
digests = st.integers(0, 2**256 - 1).map(lambda number: f"sha256:{number:064x}")
tags = st.sampled_from(("latest", "v1", "list", "uploads", "manifests", "blobs", "_catalog")) | st.from_regex(
    r"\A[a-zA-Z0-9_][a-zA-Z0-9._-]{0,20}\Z"
)
uploads = st.uuids().map(str)


@given(names, tags | digests)
def test_a_manifest_is_found_under_any_name(name: str, reference: str) -> None:
    assert parse_route(f"/v2/{name}/manifests/{reference}") == Route("manifest", name, reference)


@given(names, digests)
def test_a_blob_is_found_under_any_name(name: str, digest: str) -> None:
    assert parse_route(f"/v2/{name}/blobs/{digest}") == Route("blob", name, digest)


@given(names, uploads)
def test_an_upload_is_found_under_any_name(name: str, upload: str) -> None:
    assert parse_route(f"/v2/{name}/blobs/uploads/{upload}") == Route("upload", name, upload)
    for end in ("", "/"):
        assert parse_route(f"/v2/{name}/blobs/uploads{end}") == Route("uploads", name)


@given(names, digests)
def test_lists_are_found_under_any_name(name: str, digest: str) -> None:
    assert parse_route(f"/v2/{name}/tags/list") == Route("tags", name)
    assert parse_route(f"/v2/{name}/referrers/{digest}") == Route("referrers", name, digest)


@given(st.text() | st.lists(st.sampled_from((*WORDS, "", "/", "..", "%2F", "é", "x" * 300)), max_size=8).map("/".join))
def test_other_paths_lead_to_what_they_spell_or_nowhere(rest: str) -> None:
    route = parse_route(f"/v2/{rest}")
    if route is None or route.kind in {"base", "catalog"}:
        return
    assert route.name
    spelled = {
        "manifest": f"{route.name}/manifests/{route.reference}",
        "blob": f"{route.name}/blobs/{route.reference}",
        "referrers": f"{route.name}/referrers/{route.reference}",
        "upload": f"{route.name}/blobs/uploads/{route.reference}",
        "uploads": f"{route.name}/blobs/uploads",
        "tags": f"{route.name}/tags/list",
    }[route.kind]
    assert rest in {spelled, f"{spelled}/"}


@pytest.mark.parametrize(
    "path", ["", "/", "/v1/", "/v2x", "/v2//tags/list", "/v2/tags/list", "/v2/manifests/v1", "/v2/a/manifests/", "/v2/a/other/b"]
)
def test_what_addresses_nothing(path: str) -> None:
    assert parse_route(path) is None


def test_the_base_and_the_catalog() -> None:
    assert parse_route("/v2") == parse_route("/v2/") == Route("base")
    assert parse_route("/v2/_catalog") == Route("catalog")
