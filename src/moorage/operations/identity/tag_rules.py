"""What tags of IAM have to obey. Source: IAM user guide, "Rules for tagging in IAM and AWS STS"."""

from __future__ import annotations

from collections.abc import Iterable

from moorage.metadata.identity import tags as identity_tags
from moorage.metadata.transaction import Transaction
from moorage.model import identity_limits
from moorage.model.errors import LimitExceeded
from moorage.model.identity_errors import InputInvalid
from moorage.operations.identity.authorized import Tags


def check_tags(tags: Tags) -> dict[str, str]:
    """The tags as a mapping. Raises InputInvalid: keys that differ in case at most, or the reserved prefix ``aws:``."""
    check_keys(key for key, _ in tags)
    if len({key.lower() for key, _ in tags}) != len(tags):
        raise InputInvalid("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
    return dict(tags)


def check_keys(keys: Iterable[str]) -> None:
    """Raises InputInvalid: a key is reserved."""
    if any(key.lower().startswith("aws:") for key in keys):
        raise InputInvalid("Tag keys that start with aws: are reserved for system use.")


def add_tags(tx: Transaction, resource: str, tags: dict[str, str]) -> None:
    """Add checked tags to what may have some already. Raises LimitExceeded."""
    if tags:
        identity_tags.put_tags(tx, resource, tags)
        if len(identity_tags.tags_of(tx, resource)) > identity_limits.TAGS:
            raise LimitExceeded("The number of tags has reached the maximum limit.")
