"""What a lifecycle policy is made of. Source: ECR User Guide, "Lifecycle policy parameters"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

TagStatus = Literal["tagged", "untagged", "any"]
CountType = Literal["imageCountMoreThan", "sinceImagePushed", "sinceImagePulled", "sinceImageTransitioned"]
StorageClass = Literal["standard", "archive"]
ActionType = Literal["expire", "transition"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. Lower priorities go first; `count` is a number of images, or of days for the types that begin with ``since``."""

    priority: int
    tag_status: TagStatus
    count_type: CountType
    count: int
    action: ActionType
    storage_class: StorageClass = "standard"
    patterns: tuple[str, ...] = ()
    """Every one of them has to match some tag; ``*`` is any run of characters."""
    prefixes: tuple[str, ...] = ()
    """Every one of them has to begin some tag."""
