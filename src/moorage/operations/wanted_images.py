"""How requests name images: by digest, by tag, or by both, and what is wrong with entries that name none."""

from __future__ import annotations

import string
from dataclasses import dataclass

from moorage.metadata.images import manifests
from moorage.metadata.records import Image, Repository
from moorage.metadata.transaction import ReadTransaction
from moorage.model.errors import ImageNotFound


@dataclass(frozen=True, slots=True)
class WantedImage:
    """One entry of a batch, as the client gave it: either part may be None, neither is checked."""

    digest: str | None
    tag: str | None


@dataclass(frozen=True, slots=True)
class BatchFailure:
    """An entry that failed: code and reason are those of the API."""

    wanted: WantedImage
    code: str
    reason: str


NOT_FOUND = ("ImageNotFound", "Requested image not found")


def fault_of(entry: WantedImage) -> tuple[str, str] | None:
    """Code and reason for an entry that no image can have."""
    if entry.digest is None and entry.tag is None:
        return "MissingDigestAndTag", "Invalid request parameters: both tag and digest cannot be null"
    if entry.digest is not None and not _has_digest_form(entry.digest):
        return (
            "InvalidImageDigest",
            "Invalid request parameters: image digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'",
        )
    if entry.tag is not None and not _has_tag_form(entry.tag):
        return "InvalidImageTag", "Invalid request parameters: image tag should satisfy the regex '[a-zA-Z0-9-_.]+'"
    return None


def _has_tag_form(text: str) -> bool:
    """The API's form of a tag is wider than what can be written: longer ones are well-formed but never found."""
    return text.isascii() and all(character.isalnum() or character in "-_." for character in text)


def _has_digest_form(text: str) -> bool:
    """The API's form of a digest is wider than what can be stored: other algorithms are well-formed but never found."""
    algorithm, _, rest = text.partition(":")
    return (
        algorithm.isascii()
        and bool(algorithm and rest)
        and all(character.isalnum() or character in "-_+." for character in algorithm)
        and all(character in string.hexdigits for character in rest)
    )


def find(tx: ReadTransaction, repository: Repository, entry: WantedImage) -> Image | None:
    """The image that an entry names, its tag first: whether the digest agrees is for the caller to ask."""
    if entry.tag is not None:
        return manifests.find_by_tag(tx, repository.id, entry.tag)
    return manifests.find_by_digest(tx, repository.id, entry.digest or "")


def one_image(tx: ReadTransaction, repository: Repository, wanted: WantedImage) -> Image:
    """The one image that an operation is about. Raises ImageNotFound: also if tag and digest disagree, or neither is given."""
    image = find(tx, repository, wanted)
    if image is None or (wanted.digest is not None and image.digest != wanted.digest):
        raise ImageNotFound(repository.scope.registry_id, repository.name, wanted.digest, wanted.tag)
    return image
