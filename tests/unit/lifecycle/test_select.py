"""What lifecycle policies select: worked examples, a second formulation, and laws that hold for every repository."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage.lifecycle.parse import parse_lifecycle_policy
from moorage.lifecycle.rules import Rule
from moorage.lifecycle.select import LifecycleImage, Selected, select
from moorage.model.wildcards import matches

NOW = 1_780_315_200_000_000
DAY = 86_400_000_000
EXAMPLES = [json.loads(line) for line in (Path(__file__).parent / "examples.jsonl").read_text("utf-8").splitlines()]
STATUSES = {"standard": "ACTIVE", "archive": "ARCHIVED", "activating": "ACTIVATING"}


def at(days_ago: float | None) -> int | None:
    return None if days_ago is None else NOW - round(days_ago * DAY)


def image_of(given_image: dict[str, Any]) -> LifecycleImage:
    return LifecycleImage(
        digest=given_image["digest"],
        tags=tuple(given_image["tags"]),
        pushed_at=NOW - round(given_image["pushed"] * DAY),
        pulled_at=at(given_image.get("pulled")),
        archived_at=at(given_image.get("archived")),
        activated_at=at(given_image.get("activated")),
        status=STATUSES[given_image.get("cls", "standard")],
        children=tuple(given_image.get("children", ())),
        subject=given_image.get("subject"),
    )


def told(selected: list[Selected]) -> list[list[Any]]:
    return [[each.image.digest, each.rule.action, each.rule.priority] for each in selected]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: f"{example['n']} {example['title']}")
def test_examples(example: dict[str, Any]) -> None:
    rules = parse_lifecycle_policy(json.dumps({"rules": example["rules"]}))
    assert told(select(rules, [image_of(each) for each in example["images"]], NOW)) == example["expect"]


def test_children_go_after_their_index() -> None:
    example = next(each for each in EXAMPLES if each["n"] == 16)
    rules = parse_lifecycle_policy(json.dumps({"rules": example["rules"]}))
    left = [image_of(each) for each in example["images"] if each["digest"] != "IDX"]
    assert told(select(rules, left, NOW)) == [["A", "expire", 1], ["B", "expire", 1]]


TAGS = st.sampled_from(["prod-1", "prod-2", "dev-1", "v1", "v2", "latest"])
DAYS = st.integers(0, 400)


@st.composite
def repositories(draw: st.DrawFn) -> list[LifecycleImage]:
    digests = [f"d{number:02}" for number in range(draw(st.integers(0, 8)))]
    images = []
    for digest in digests:
        status = draw(st.sampled_from(["ACTIVE", "ACTIVE", "ACTIVE", "ARCHIVED", "ACTIVATING"]))
        images.append(
            LifecycleImage(
                digest=digest,
                tags=tuple(draw(st.lists(TAGS, max_size=3, unique=True))),
                pushed_at=NOW - draw(DAYS) * DAY,
                pulled_at=at(draw(st.none() | DAYS)),
                archived_at=at(draw(DAYS)) if status == "ARCHIVED" else None,
                activated_at=at(draw(st.none() | DAYS)),
                status=status,
                children=tuple(draw(st.lists(st.sampled_from(digests), max_size=2))) if draw(st.booleans()) else (),
                subject=draw(st.none() | st.sampled_from([*digests, "gone"])),
            )
        )
    return images


@st.composite
def policies(draw: st.DrawFn) -> list[Rule]:
    """Rules with distinct priorities; what the grammar forbids beyond that changes nothing in how they are applied."""
    rules = []
    for priority in draw(st.lists(st.integers(1, 20), max_size=4, unique=True)):
        tag_status: Any = draw(st.sampled_from(["tagged", "untagged", "any"]))
        is_archive = draw(st.integers(0, 3)) == 0
        count_type: Any = "sinceImageTransitioned"
        action: Any = "expire"
        if not is_archive:
            count_type = draw(st.sampled_from(["imageCountMoreThan", "sinceImagePushed", "sinceImagePulled"]))
            action = "transition" if count_type == "sinceImagePulled" else draw(st.sampled_from(["expire", "transition"]))
        count = draw(st.integers(1, 4)) if count_type == "imageCountMoreThan" else draw(st.integers(1, 300))
        patterns: tuple[str, ...] = ()
        if tag_status == "tagged":
            patterns = tuple(draw(st.lists(st.sampled_from(["*", "prod*", "*-1", "v1", "dev*"]), min_size=1, max_size=2)))
        rules.append(Rule(priority, tag_status, count_type, count, action, "archive" if is_archive else "standard", patterns))
    return rules


def decided_by_one_rule(rules: list[Rule], images: list[LifecycleImage]) -> set[tuple[str, str, int]]:
    """The second formulation: every image is decided by the first rule of its storage class whose tags it meets."""
    present = {image.digest for image in images}
    pool = [
        image
        for image in images
        if image.status != "ACTIVATING" and (image.subject not in present or image.subject == image.digest)
    ]

    def meets(rule: Rule, image: LifecycleImage) -> bool:
        if (rule.storage_class == "archive") != (image.status == "ARCHIVED"):
            return False
        if rule.tag_status == "tagged":
            return all(any(matches(pattern, tag) for tag in image.tags) for pattern in rule.patterns)
        return rule.tag_status == "any" or not image.tags

    def pushed(image: LifecycleImage) -> int:
        return image.activated_at or image.pushed_at

    def is_hit(rule: Rule, image: LifecycleImage) -> bool:
        if rule.count_type == "imageCountMoreThan":
            newer = [
                other for other in pool if meets(rule, other) and (-pushed(other), other.digest) < (-pushed(image), image.digest)
            ]
            return len(newer) >= rule.count
        clock = pushed(image)
        if rule.count_type == "sinceImagePulled":
            clock = max(image.activated_at or 0, image.pulled_at or 0) or image.pushed_at
        if rule.count_type == "sinceImageTransitioned":
            clock = image.archived_at or image.pushed_at
        return NOW - clock > rule.count * DAY

    def is_held(rule: Rule, image: LifecycleImage) -> bool:
        return any(
            image.digest in index.children
            for index in images
            if index.digest != image.digest and (rule.action == "expire" or index.status != "ARCHIVED")
        )

    found: set[tuple[str, str, int]] = set()
    for image in pool:
        first = next((rule for rule in sorted(rules, key=lambda rule: rule.priority) if meets(rule, image)), None)
        if first is not None and is_hit(first, image) and not is_held(first, image):
            found.add((image.digest, first.action, first.priority))
    return found


@given(policies(), repositories())
def test_both_formulations_agree(rules: list[Rule], images: list[LifecycleImage]) -> None:
    selected = told(select(rules, images, NOW))
    assert {(digest, action, priority) for digest, action, priority in selected} == decided_by_one_rule(rules, images)
    assert len({digest for digest, _, _ in selected}) == len(selected)
    assert [priority for _, _, priority in selected] == sorted(priority for _, _, priority in selected)


@given(policies(), repositories(), st.randoms(use_true_random=False))
def test_the_order_of_what_is_given_does_not_matter(rules: list[Rule], images: list[LifecycleImage], order: Any) -> None:
    expected = told(select(rules, images, NOW))
    order.shuffle(rules)
    order.shuffle(images)
    assert told(select(rules, images, NOW)) == expected


@given(policies(), repositories())
def test_the_last_rule_changes_nothing_for_the_others(rules: list[Rule], images: list[LifecycleImage]) -> None:
    ordered = sorted(rules, key=lambda rule: rule.priority)
    rest = told(select(ordered[:-1], images, NOW))
    if ordered:
        assert [each for each in told(select(ordered, images, NOW)) if each[2] != ordered[-1].priority] == rest


@given(policies(), repositories())
def test_a_larger_count_selects_a_part(rules: list[Rule], images: list[LifecycleImage]) -> None:
    if not rules:
        return
    larger = [replace(rules[0], count=rules[0].count + 1), *rules[1:]]
    before, after = told(select(rules, images, NOW)), told(select(larger, images, NOW))
    priority = rules[0].priority
    assert [each for each in after if each[2] == priority] == [each for each in before if each[2] == priority and each in after]
    assert [each for each in after if each[2] != priority] == [each for each in before if each[2] != priority]


@given(policies(), repositories())
def test_runs_come_to_an_end(rules: list[Rule], images: list[LifecycleImage]) -> None:
    left = images
    for _ in range(2 * len(images) + 1):
        selected = {each.image.digest: each.rule.action for each in select(rules, left, NOW)}
        if not selected:
            return
        left = [
            replace(image, status="ARCHIVED", archived_at=NOW) if image.digest in selected else image
            for image in left
            if selected.get(image.digest) != "expire"
        ]
    raise AssertionError("it never ends")
