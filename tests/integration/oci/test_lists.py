"""Lists: tags, repositories, referrers; order, pages, filters."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from moorage.testing import builders
from moorage.testing.builders import BuiltImage
from moorage.testing.registry_client import Answer, RegistryClient
from moorage.testing.server import KeyPair, MoorageServer

OCI = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


def following(answer: Answer) -> str | None:
    """The path of the next page."""
    link = answer.header("Link")
    if not link:
        return None
    match = re.fullmatch(r'<([^<>]+)>; rel="next"', link)
    assert match, link
    return match[1]


def walk(registry: RegistryClient, path: str, member: str, most: int) -> list[Any]:
    """All entries, page by page."""
    found: list[Any] = []
    next_path: str | None = path
    while next_path is not None:
        answer = registry.get(next_path)
        assert answer.status == 200
        page = answer.json()[member]
        next_path = following(answer)
        assert len(page) == most or (next_path is None and len(page) <= most)
        assert page or not found, "an empty last page"
        found += page
    return found


NAMES = sorted(["latest", "v1", "v10", "v2", "V1", "_x", "0", "a.b", "a-b", "a_b", "1.0.0", "1.0.0-rc.1", "z" * 128])


@pytest.fixture
def tagged(registry: RegistryClient, repository: str) -> str:
    """A repository with `NAMES` on two images."""
    for number, name in enumerate(reversed(NAMES)):
        registry.push_image(repository, builders.image(number % 2), name)
    return repository


def test_tags(registry: RegistryClient, tagged: str) -> None:
    answer = registry.get(f"/v2/{tagged}/tags/list")
    assert answer.json() == {"name": tagged, "tags": NAMES}
    assert answer.header("Content-Type") == "application/json; charset=utf-8"
    assert following(answer) is None


def test_no_tags(registry: RegistryClient, repository: str) -> None:
    assert registry.get(f"/v2/{repository}/tags/list").json() == {"name": repository, "tags": []}


@pytest.mark.parametrize("count", [1, 2, 5, len(NAMES) - 1, len(NAMES), len(NAMES) + 1, 1000])
def test_pages_of_tags(registry: RegistryClient, tagged: str, count: int) -> None:
    assert walk(registry, f"/v2/{tagged}/tags/list?n={count}", "tags", count) == NAMES


def test_no_page_at_all(registry: RegistryClient, tagged: str) -> None:
    answer = registry.get(f"/v2/{tagged}/tags/list?n=0")
    assert (answer.status, answer.json()["tags"], following(answer)) == (200, [], None)


@pytest.mark.parametrize("last", ["", "v1", "v1x", "aaa", "zzzz", "~", NAMES[-1], "V"])
def test_tags_after(registry: RegistryClient, tagged: str, last: str) -> None:
    expected = [name for name in NAMES if name > last]
    assert registry.get(f"/v2/{tagged}/tags/list?last={last}").json()["tags"] == expected
    answer = registry.get(f"/v2/{tagged}/tags/list?last={last}&n=2")
    assert answer.json()["tags"] == expected[:2]
    assert (following(answer) is None) == (len(expected) <= 2)


def test_link_is_as_the_specification_has_it(registry: RegistryClient, tagged: str) -> None:
    answer = registry.get(f"/v2/{tagged}/tags/list?n=3")
    assert answer.header("Link") == f'</v2/{tagged}/tags/list?n=3&last={NAMES[2]}>; rel="next"'


def test_large_pages_are_cut(registry: RegistryClient, tagged: str) -> None:
    for count in ("1001", "99999999999999999999999"):
        answer = registry.get(f"/v2/{tagged}/tags/list?n={count}")
        assert (answer.status, answer.json()["tags"]) == (200, NAMES)


def test_a_page_outlives_changes(registry: RegistryClient, tagged: str) -> None:
    first = registry.get(f"/v2/{tagged}/tags/list?n=4")
    for name in (NAMES[0], NAMES[3], NAMES[5]):
        assert registry.delete(f"/v2/{tagged}/manifests/{name}").status == 202
    path = following(first)
    assert path is not None
    assert walk(registry, path, "tags", 4) == [name for name in NAMES[4:] if name != NAMES[5]]


def test_catalog(server: MoorageServer, account: KeyPair) -> None:
    names = sorted(["b", "a", "a/b", "a-b", "a/b/c", "z9", "team.x/app_1"])
    client = server.client(key=account)
    with server.registry(key=account) as registry:
        assert registry.get("/v2/_catalog").json() == {"repositories": []}
        names = [name if len(name) > 1 else name * 2 for name in names]
        names.sort()
        for name in reversed(names):
            client.create_repository(repositoryName=name)
        assert registry.get("/v2/_catalog").json() == {"repositories": names}
        for count in (1, 2, 3, len(names), 1000):
            assert walk(registry, f"/v2/_catalog?n={count}", "repositories", count) == names
        answer = registry.get("/v2/_catalog?n=0")
        assert (answer.json(), following(answer)) == ({"repositories": []}, None)
        assert registry.get("/v2/_catalog?last=a-b").json()["repositories"] == [name for name in names if name > "a-b"]
        assert (
            registry.get("/v2/_catalog?n=2").header("Link")
            == f'</v2/_catalog?n=2&last={names[1].replace("/", "%2F")}>; rel="next"'
        )
        client.delete_repository(repositoryName=names[0])
        assert registry.get("/v2/_catalog").json()["repositories"] == names[1:]


# Referrers.


def descriptor(data: bytes, media_type: str = OCI) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": builders.digest(data), "size": len(data)}


def attach(
    registry: RegistryClient, repository: str, subject: bytes, kind: str | None, note: str, config: str | None = None
) -> tuple[dict[str, Any], Answer]:
    """Push a manifest about `subject`; the descriptor that its listing has to show, and the answer."""
    registry.push_blob(repository, b"{}")
    empty = {"mediaType": config or "application/vnd.oci.empty.v1+json", "digest": builders.digest(b"{}"), "size": 2}
    document: dict[str, Any] = {
        "schemaVersion": 2, "mediaType": OCI, "config": empty, "layers": [], "subject": descriptor(subject),
        "annotations": {"note": note, "ü": "☃"},
    }  # fmt: skip
    if kind:
        document["artifactType"] = kind
    data = json.dumps(document).encode()
    answer = registry.put_manifest(repository, builders.digest(data), data, OCI)
    shown = descriptor(data) | {"artifactType": kind or empty["mediaType"], "annotations": document["annotations"]}
    return shown, answer


def listed(registry: RegistryClient, repository: str, digest: str, query: str = "") -> list[dict[str, Any]]:
    answer = registry.get(f"/v2/{repository}/referrers/{digest}{query}")
    assert answer.status == 200
    assert answer.header("Content-Type") == INDEX
    body = answer.json()
    assert (body["schemaVersion"], body["mediaType"]) == (2, INDEX)
    found: list[dict[str, Any]] = body["manifests"]
    return found


def by_digest(descriptors: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(descriptors, key=lambda entry: str(entry["digest"]))


def test_no_referrers(registry: RegistryClient, repository: str) -> None:
    assert listed(registry, repository, "sha256:" + "e" * 64) == []
    assert listed(registry, repository, "sha512:" + "e" * 128) == []


@pytest.mark.parametrize("exists", [True, False])
def test_referrers(registry: RegistryClient, repository: str, exists: bool) -> None:
    subject = builders.image(1)
    if exists:
        registry.push_image(repository, subject, "v1")
    expected = []
    for kind, note in (("application/x-sbom", "1"), ("application/x-sbom", "2"), ("application/x-signature", "3"), (None, "4")):
        shown, answer = attach(registry, repository, subject.manifest, kind, note)
        assert (answer.status, answer.header("OCI-Subject")) == (201, subject.digest)
        expected.append(shown)
    config_kind, _ = attach(registry, repository, subject.manifest, None, "5", "application/vnd.example.config.v1+json")
    expected.append(config_kind)
    assert by_digest(listed(registry, repository, subject.digest)) == by_digest(expected)
    about_index = json.dumps(
        {"schemaVersion": 2, "mediaType": INDEX, "manifests": [], "subject": descriptor(subject.manifest)}
    ).encode()
    answer = registry.put_manifest(repository, "multi", about_index, INDEX)
    assert answer.header("OCI-Subject") == subject.digest
    assert descriptor(about_index, INDEX) in listed(registry, repository, subject.digest)


def test_filter(registry: RegistryClient, repository: str) -> None:
    subject = builders.image(1)
    sboms = [attach(registry, repository, subject.manifest, "application/x-sbom+json", str(number))[0] for number in range(3)]
    attach(registry, repository, subject.manifest, "application/x-signature", "s")
    path = f"/v2/{repository}/referrers/{subject.digest}?artifactType=application%2Fx-sbom%2Bjson"
    answer = registry.get(path)
    assert answer.header("OCI-Filters-Applied") == "artifactType"
    assert by_digest(answer.json()["manifests"]) == by_digest(sboms)
    none = registry.get(f"/v2/{repository}/referrers/{subject.digest}?artifactType=application/none")
    assert (none.json()["manifests"], none.header("OCI-Filters-Applied")) == ([], "artifactType")
    assert "OCI-Filters-Applied" not in registry.get(f"/v2/{repository}/referrers/{subject.digest}").headers
    page = registry.get(f"{path}&n=2")
    assert page.header("OCI-Filters-Applied") == "artifactType"
    next_path = following(page)
    assert next_path is not None
    assert by_digest(page.json()["manifests"] + registry.get(next_path).json()["manifests"]) == by_digest(sboms)


@pytest.mark.parametrize("count", [1, 2, 3, 7, 1000])
def test_pages_of_referrers(registry: RegistryClient, repository: str, count: int) -> None:
    subject = builders.image(1)
    expected = [attach(registry, repository, subject.manifest, "application/x-sbom", str(number))[0] for number in range(7)]
    found = walk(registry, f"/v2/{repository}/referrers/{subject.digest}?n={count}", "manifests", count)
    assert by_digest(found) == by_digest(expected)


def test_pages_by_size(registry: RegistryClient, repository: str) -> None:
    """A listing above 4 MiB is cut into pages, however few its entries are."""
    subject = builders.image(1)
    expected = [
        attach(registry, repository, subject.manifest, "application/x", "x" * 1_500_000 + str(number))[0] for number in range(4)
    ]
    found: list[dict[str, Any]] = []
    path: str | None = f"/v2/{repository}/referrers/{subject.digest}"
    pages = 0
    while path is not None:
        answer = registry.get(path)
        assert len(answer.body) < 4 * 1024 * 1024 + 10_000
        found += answer.json()["manifests"]
        path = following(answer)
        pages += 1
    assert pages > 1
    assert by_digest(found) == by_digest(expected)


def test_deleted_referrers_are_not_listed(registry: RegistryClient, repository: str) -> None:
    subject = builders.image(1)
    registry.push_image(repository, subject, "v1")
    first, _ = attach(registry, repository, subject.manifest, "application/x", "1")
    second, _ = attach(registry, repository, subject.manifest, "application/x", "2")
    assert registry.delete(f"/v2/{repository}/manifests/{first['digest']}").status == 202
    assert listed(registry, repository, subject.digest) == [second]
    assert registry.delete(f"/v2/{repository}/manifests/{subject.digest}").status == 202
    assert listed(registry, repository, subject.digest) == [second]


def test_referrers_of_a_referrer(registry: RegistryClient, repository: str) -> None:
    subject = builders.image(1)
    registry.push_image(repository, subject, "v1")
    first, _ = attach(registry, repository, subject.manifest, "application/x", "1")
    data = registry.get(f"/v2/{repository}/manifests/{first['digest']}").body
    second, _ = attach(registry, repository, data, "application/x", "2")
    assert listed(registry, repository, subject.digest) == [first]
    assert listed(registry, repository, str(first["digest"])) == [second]


def test_referrers_stay_in_their_repository(registry: RegistryClient, repository: str, second_repository: str) -> None:
    subject = builders.image(1)
    attach(registry, repository, subject.manifest, "application/x", "1")
    assert listed(registry, second_repository, subject.digest) == []


def test_an_image_can_be_a_referrer(registry: RegistryClient, repository: str) -> None:
    subject = builders.image(1)
    about: BuiltImage = builders.image(2, subject=descriptor(subject.manifest), annotations={"a": "b"})
    registry.push_image(repository, about, "signed")
    assert listed(registry, repository, subject.digest) == [
        descriptor(about.manifest) | {"artifactType": "application/vnd.oci.image.config.v1+json", "annotations": {"a": "b"}}
    ]
