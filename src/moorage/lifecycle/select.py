"""What a lifecycle policy does to the images of a repository at one instant.

Source: ECR User Guide, "How lifecycle policies work". All rules look at the same images; an image is decided by the first rule of
its storage class whose tags it meets, also if that rule leaves it alone; an image that an index names stays as long as the index.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from moorage.lifecycle.rules import Rule
from moorage.model.wildcards import matches

_DAY = 86_400_000_000


@dataclass(frozen=True, slots=True)
class LifecycleImage:
    """An image as rules see it. Times are microseconds; `status` is ACTIVE, ARCHIVED or ACTIVATING."""

    digest: str
    tags: tuple[str, ...]
    pushed_at: int
    pulled_at: int | None = None
    archived_at: int | None = None
    activated_at: int | None = None
    status: str = "ACTIVE"
    children: tuple[str, ...] = ()
    """Of an index."""
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class Selected:
    """An image, and the rule that acts upon it."""

    image: LifecycleImage
    rule: Rule


def select(rules: Sequence[Rule], images: Sequence[LifecycleImage], now: int) -> list[Selected]:
    """What is to be done, rule by rule, the oldest image of each first. The order of `rules` and `images` does not matter."""
    present = {image.digest for image in images}
    pool = [image for image in images if _takes_part(image, present)]
    held = _children_of(image for image in images)
    held_in_standard = _children_of(image for image in images if image.status != "ARCHIVED")
    claimed: set[str] = set()
    selected: list[Selected] = []
    for rule in sorted(rules, key=lambda rule: rule.priority):
        meets = _condition(rule)
        found = [image for image in pool if _storage_class(image) == rule.storage_class and meets(image)]
        shielded = held if rule.action == "expire" else held_in_standard
        for image in _hits(rule, found, now):
            if image.digest not in claimed and image.digest not in shielded:
                selected.append(Selected(image, rule))
        claimed.update(image.digest for image in found)
    return selected


def _takes_part(image: LifecycleImage, present: set[str]) -> bool:
    """Artifacts follow the subject that they are attached to; what is being activated is left alone."""
    is_attached = image.subject is not None and image.subject in present and image.subject != image.digest
    return not is_attached and image.status != "ACTIVATING"


def _children_of(indexes: Iterable[LifecycleImage]) -> set[str]:
    return {child for index in indexes for child in index.children if child != index.digest}


def _storage_class(image: LifecycleImage) -> str:
    return "archive" if image.status == "ARCHIVED" else "standard"


def _condition(rule: Rule) -> Callable[[LifecycleImage], bool]:
    """Whether an image has the tags that a rule speaks of: of a list every entry has to be met, by whichever tag."""
    if rule.tag_status == "any":
        return lambda _image: True
    if rule.tag_status == "untagged":
        return lambda image: not image.tags
    if rule.prefixes:
        return lambda image: all(any(tag.startswith(prefix) for tag in image.tags) for prefix in rule.prefixes)
    return lambda image: all(any(matches(pattern, tag) for tag in image.tags) for pattern in rule.patterns)


def _pushed(image: LifecycleImage) -> int:
    """A restored image counts as pushed when it was restored."""
    return image.pushed_at if image.activated_at is None else image.activated_at


def _pulled(image: LifecycleImage) -> int:
    """When an image was last wanted: pulled, restored, or, failing both, pushed."""
    if image.activated_at is not None and (image.pulled_at is None or image.pulled_at < image.activated_at):
        return image.activated_at
    return _pushed(image) if image.pulled_at is None else image.pulled_at


def _archived(image: LifecycleImage) -> int:
    return image.pushed_at if image.archived_at is None else image.archived_at


_CLOCKS: dict[str, Callable[[LifecycleImage], int]] = {
    "sinceImagePushed": _pushed,
    "sinceImagePulled": _pulled,
    "sinceImageTransitioned": _archived,
}


def _hits(rule: Rule, found: list[LifecycleImage], now: int) -> list[LifecycleImage]:
    """The images that a rule is about by number or age, oldest first; ties by digest."""
    if rule.count_type == "imageCountMoreThan":
        newest_first = sorted(found, key=lambda image: (-_pushed(image), image.digest))
        return sorted(newest_first[rule.count :], key=lambda image: (_pushed(image), image.digest))
    clock = _CLOCKS[rule.count_type]
    order = _archived if rule.count_type == "sinceImageTransitioned" else _pushed
    aged = [image for image in found if now - clock(image) > rule.count * _DAY]
    return sorted(aged, key=lambda image: (order(image), image.digest))
