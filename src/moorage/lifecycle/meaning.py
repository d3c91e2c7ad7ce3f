"""What the rules of a lifecycle policy may mean together. Source: ECR User Guide, "Lifecycle policy evaluation rules"."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NoReturn

from moorage.lifecycle.rules import Rule

RULES = 50
"""In a policy."""
WILDCARDS = 4
"""In a tag pattern."""
ARCHIVE_DAYS = 90
"""The least that an image stays in the archive."""

Refuse = Callable[[str], NoReturn]


def check_meaning(rules: Sequence[Rule], refuse: Refuse) -> tuple[Rule, ...]:
    """The rules by ascending priority. `refuse` is called with the first thing that is wrong, and raises."""
    ordered = tuple(sorted(rules, key=lambda rule: rule.priority))
    if len({rule.priority for rule in ordered}) < len(ordered):
        refuse("Rule priorities must be unique.")
    if len(ordered) > RULES:
        refuse(f"A lifecycle policy can have at most {RULES} rules.")
    untagged: set[str] = set()
    lists: set[tuple[str, str, frozenset[str]]] = set()
    for position, rule in enumerate(ordered):
        _check_tags(rule, refuse)
        _check_count(rule, refuse)
        behind = ordered[position + 1 :]
        if rule.tag_status == "any" and any(later.storage_class == rule.storage_class for later in behind):
            refuse("Rule for tagStatus=ANY must have the lowest priority per storage class")
        if rule.tag_status == "untagged":
            if rule.storage_class in untagged:
                refuse("Only one rule can select Untagged images per storage class")
            untagged.add(rule.storage_class)
        if rule.tag_status == "tagged":
            kind = "patterns" if rule.patterns else "prefixes"
            key = (rule.storage_class, kind, frozenset(rule.patterns or rule.prefixes))
            if key in lists:
                refuse("Tag prefixes or patterns must be unique per storage class")
            lists.add(key)
    return ordered


def _check_tags(rule: Rule, refuse: Refuse) -> None:
    has_list = bool(rule.patterns or rule.prefixes)
    if rule.tag_status == "tagged" and not has_list:
        refuse("Must specify tagPrefixList or tagPatternList when tagStatus=TAGGED.")
    if rule.tag_status != "tagged" and has_list:
        refuse("tagPrefixList and tagPatternList can only be specified when tagStatus=TAGGED.")
    if rule.patterns and rule.prefixes:
        refuse("Only one of tagPrefixList or tagPatternList can be specified.")
    if any(pattern.count("*") > WILDCARDS for pattern in rule.patterns):
        refuse(f"A tag pattern can have at most {WILDCARDS} wildcards.")


def _check_count(rule: Rule, refuse: Refuse) -> None:
    if rule.count_type == "sinceImageTransitioned":
        if rule.storage_class != "archive":
            refuse("storageClass=archive is required when countType=sinceImageTransitioned.")
        if rule.action != "expire":
            refuse("countType=sinceImageTransitioned must be used with action expire.")
        if rule.count < ARCHIVE_DAYS:
            refuse(f"countNumber must be at least {ARCHIVE_DAYS} when countType=sinceImageTransitioned.")
    elif rule.storage_class == "archive":
        refuse("storageClass=archive must be used with countType=sinceImageTransitioned.")
    if rule.count_type == "sinceImagePulled" and rule.action != "transition":
        refuse("countType=sinceImagePulled must be used with action transition.")
