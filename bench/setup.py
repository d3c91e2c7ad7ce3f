"""What the rows find on the servers: repositories, checked once for right answers before anything is measured."""

from __future__ import annotations

from bench import aws
from bench.client import Client, WrongAnswer
from bench.content import MANIFEST_TYPE, Blob, SmallImage, digest_of
from bench.peers import MOORAGE, MOTO, Peer


def create_repository(peer: Peer, name: str) -> None:
    """Create it where repositories do not come into being by a push."""
    if peer.name in {MOORAGE, MOTO}:
        aws.call(peer.port, "CreateRepository", {"repositoryName": name})


def check_blob(peer: Peer, repository: str, blob: Blob) -> None:
    """Pull a blob and hash it. Raises WrongAnswer."""
    with Client(peer) as client:
        answer = client.request("GET", f"/v2/{repository}/blobs/{blob.digest}", (200,))
    if digest_of(answer.body) != blob.digest:
        raise WrongAnswer(f"{peer.name}: the blob {blob.digest} has other bytes")


def check_image(peer: Peer, repository: str, tag: str, image: SmallImage) -> None:
    """Pull a small image by tag and hash all of it. Raises WrongAnswer."""
    with Client(peer) as client:
        answer = client.request("GET", f"/v2/{repository}/manifests/{tag}", (200,), headers={"Accept": MANIFEST_TYPE})
        if answer.body != image.manifest or answer.headers.get("Docker-Content-Digest") != image.digest:
            raise WrongAnswer(f"{peer.name}: the manifest {tag} has other bytes")
        for digest, data in image.blobs:
            if client.request("GET", f"/v2/{repository}/blobs/{digest}", (200,)).body != data:
                raise WrongAnswer(f"{peer.name}: the blob {digest} has other bytes")
