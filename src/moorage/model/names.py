"""Repository names, tags and references.

Sources: OCI distribution-spec 1.1 "Pulling manifests" (grammar of name and reference); the service model's `RepositoryName`
(2 to 256 characters). All patterns are linear: no nested repetition can match the same text in two ways.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NewType

from msgspec import Struct

from moorage.model.digest import Digest, parse_digest
from moorage.model.errors import NameInvalid, TagInvalid

RepositoryName = NewType("RepositoryName", str)
"""A name that has passed `parse_repository_name`."""

Tag = NewType("Tag", str)
"""A tag that has passed `parse_tag`."""

REPOSITORY_NAME_PATTERN = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*"
"""As the model of ECR words it; error messages quote this text."""

REPOSITORY_NAME_MIN, REPOSITORY_NAME_MAX = 2, 256
TAG_MAX = 128

_NAME = re.compile(REPOSITORY_NAME_PATTERN)
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")


def parse_repository_name(text: str) -> RepositoryName:
    """Return `text` as a RepositoryName. Raises NameInvalid; the length is checked before the pattern."""
    if not REPOSITORY_NAME_MIN <= len(text) <= REPOSITORY_NAME_MAX:
        raise NameInvalid(text[:100], f"a repository name has {REPOSITORY_NAME_MIN} to {REPOSITORY_NAME_MAX} characters")
    if not _is_name(text):
        raise NameInvalid(text, f"must satisfy regular expression '{REPOSITORY_NAME_PATTERN}'")
    return RepositoryName(text)


@lru_cache(16_384)
def _is_name(text: str) -> bool:
    return _NAME.fullmatch(text) is not None


def is_tag(text: str) -> bool:
    """Tell whether `text` may be a tag."""
    return len(text) <= TAG_MAX and _TAG.fullmatch(text) is not None


def parse_tag(text: str) -> Tag:
    """Return `text` as a Tag. Raises TagInvalid."""
    if not is_tag(text):
        raise TagInvalid(text[:TAG_MAX], "must satisfy regular expression '[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}'")
    return Tag(text)


class ImageId(Struct, frozen=True):
    """What a caller names an image by: a digest, a tag, or both (then they must agree)."""

    digest: Digest | None
    tag: Tag | None


def parse_reference(text: str) -> ImageId:
    """Parse the last part of a manifest's path: a digest if it has a colon, else a tag.

    Raises:
        DigestInvalid: it has a colon and is no digest.
        TagInvalid: it has none and is no tag.
    """
    if ":" in text:
        return ImageId(parse_digest(text), None)
    return ImageId(None, parse_tag(text))
