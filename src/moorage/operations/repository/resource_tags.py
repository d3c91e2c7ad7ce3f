"""Tags of resources, as AWS means them: keys and values on a repository. Not to be confused with tags of images."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from moorage.metadata.registry import repositories
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.model import limits
from moorage.model.errors import TagKeyInvalid, TooManyTags
from moorage.model.names import RepositoryName
from moorage.model.principal import Caller, RequestFacts
from moorage.model.scope import Scope
from moorage.operations.authorized import locked_repository_for, repository_for

_KEY_MAX, _VALUE_MAX = 128, 256
_SIGNS = frozenset("_.:/=+-@")


def check_tags(tags: Sequence[tuple[str, str]]) -> dict[str, str]:
    """The tags as a mapping. Raises TooManyTags, TagKeyInvalid (keys, values, duplicates, the reserved prefix ``aws:``)."""
    if len(tags) > limits.RESOURCE_TAGS:
        raise TooManyTags(f"a resource can have at most {limits.RESOURCE_TAGS} tags")
    checked: dict[str, str] = {}
    for key, value in tags:
        if not 1 <= len(key) <= _KEY_MAX or not _allowed(key):
            raise TagKeyInvalid(f"the tag key must have 1 to {_KEY_MAX} letters, digits, spaces or _.:/=+-@")
        if len(value) > _VALUE_MAX or not _allowed(value):
            raise TagKeyInvalid(f"the tag value must have at most {_VALUE_MAX} letters, digits, spaces or _.:/=+-@")
        if key.lower().startswith("aws:"):
            raise TagKeyInvalid("tag keys that start with aws: are reserved")
        if key in checked:
            raise TagKeyInvalid("duplicate tag keys are not allowed")
        checked[key] = value
    return checked


def about_tags(tags: Sequence[tuple[str, str]]) -> RequestFacts:
    """What policies may ask about tags that a request brings: ``aws:RequestTag``, ``aws:TagKeys``."""
    return RequestFacts(request_tags=dict(tags), tag_keys=[key for key, _ in tags])


def tag_resource(tx: Transaction, caller: Caller, scope: Scope, name: RepositoryName, tags: Sequence[tuple[str, str]]) -> None:
    """Add tags to a repository, replacing values of keys that exist. Raises TooManyTags for more than 50 after the merge."""
    facts = about_tags(tags)
    repository = locked_repository_for(tx, caller, "ecr:TagResource", scope, name, share=False, facts=facts)
    merged = check_tags(tags)
    if len(repositories.resource_tags_of(tx, repository) | merged) > limits.RESOURCE_TAGS:
        raise TooManyTags(f"a resource can have at most {limits.RESOURCE_TAGS} tags")
    repositories.put_resource_tags(tx, repository, merged)


def untag_resource(tx: Transaction, caller: Caller, scope: Scope, name: RepositoryName, keys: Sequence[str]) -> None:
    """Remove tags; absent keys are no error."""
    facts = RequestFacts(tag_keys=keys)
    repository = locked_repository_for(tx, caller, "ecr:UntagResource", scope, name, share=False, facts=facts)
    if any(key.lower().startswith("aws:") for key in keys):
        raise TagKeyInvalid("tag keys that start with aws: are reserved")
    repositories.drop_resource_tags(tx, repository, list(keys))


def list_tags_for_resource(tx: ReadTransaction, caller: Caller, scope: Scope, name: RepositoryName) -> dict[str, str]:
    """A repository's tags, by key."""
    return repositories.resource_tags_of(tx, repository_for(tx, caller, "ecr:ListTagsForResource", scope, name))


def _allowed(text: str) -> bool:
    return all(character in _SIGNS or unicodedata.category(character)[0] in "LZN" for character in text)
