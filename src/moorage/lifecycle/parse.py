"""The text of a lifecycle policy: from JSON to rules, with the service's own words for whatever is wrong.

Source: ECR PutLifecyclePolicy; ECR User Guide, "Lifecycle policy parameters". The first failure wins: first the schema, rule by
rule as they stand in the text, then what rules mean together (`moorage.lifecycle.meaning`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NoReturn

from moorage.lifecycle.meaning import check_meaning
from moorage.lifecycle.rules import Rule
from moorage.model.errors import ParameterInvalid

_NO_POLICY = "Could not map policyString into LifecyclePolicy."
_NO_SCHEMA = "instance failed to match exactly one schema (matched 0 out of 2)"
_MAX_NUMBER = 2**31 - 1
_ITEM_LENGTH = 128
_COUNT_TYPES = ("imageCountMoreThan", "sinceImagePushed", "sinceImagePulled", "sinceImageTransitioned")
_SELECTION = ("tagStatus", "tagPatternList", "tagPrefixList", "storageClass", "countType", "countUnit", "countNumber")
_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number", list: "array", dict: "object", type(None): "null"}


def parse_lifecycle_policy(text: str) -> tuple[Rule, ...]:
    """The rules of a policy, by ascending priority.

    Raises:
        ParameterInvalid: the text is none, in the words of the service.
    """
    try:
        document = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        refuse(_NO_POLICY)
    if not isinstance(document, dict):
        refuse(_NO_POLICY)
    rules = document.get("rules")
    if not isinstance(rules, list):
        _refuse_missing(["rules"])
    _check_keys(document, (), ("rules",))
    if not rules:
        refuse("array is too short: must have at least 1 elements but instance has 0 elements")
    return check_meaning([_rule(rule) for rule in rules], refuse)


def refuse(detail: str) -> NoReturn:
    """Say what is wrong with a policy."""
    raise ParameterInvalid("LifecyclePolicyText", f"Lifecycle policy validation failure: {detail}")


def _refuse_constant(_name: str) -> NoReturn:
    raise ValueError("no JSON")


def _rule(given: Any) -> Rule:
    _require_type(given, dict)
    _check_keys(given, ("action", "rulePriority", "selection"), ("action", "description", "rulePriority", "selection"))
    priority = _number(given["rulePriority"])
    if "description" in given:
        if given["description"] is None:
            refuse(_NO_SCHEMA)
        _require_type(given["description"], str)
    action = _action(given["action"])
    return _selection(given["selection"], priority, action)


def _action(given: Any) -> Any:
    _require_type(given, dict)
    _check_keys(given, ("type",), ("type", "targetStorageClass"))
    kind = _one_of(given["type"], ("expire", "transition"))
    has_target = "targetStorageClass" in given
    if has_target != (kind == "transition") or (has_target and given["targetStorageClass"] is None):
        refuse(_NO_SCHEMA)
    if has_target:
        _one_of(given["targetStorageClass"], ("archive",))
    return kind


def _selection(given: Any, priority: int, action: Any) -> Rule:
    _require_type(given, dict)
    _check_keys(given, ("countNumber", "countType", "tagStatus"), _SELECTION)
    tag_status = _one_of(given["tagStatus"], ("tagged", "untagged", "any"))
    count_type = given["countType"]
    if count_type not in _COUNT_TYPES:
        refuse(_NO_SCHEMA)
    counts_days = count_type != "imageCountMoreThan"
    if ("countUnit" in given) != counts_days or (counts_days and given["countUnit"] is None):
        refuse(_NO_SCHEMA)
    if counts_days:
        _one_of(given["countUnit"], ("days",))
    count = _number(given["countNumber"])
    storage_class: Any = "standard"
    if "storageClass" in given:
        if given["storageClass"] is None:
            refuse(_NO_SCHEMA)
        storage_class = _one_of(given["storageClass"], ("standard", "archive"))
    lists = {name: _texts(given[name]) for name in ("tagPatternList", "tagPrefixList") if name in given}
    return Rule(
        priority,
        tag_status,
        count_type,
        count,
        action,
        storage_class,
        patterns=lists.get("tagPatternList", ()),
        prefixes=lists.get("tagPrefixList", ()),
    )


def _texts(given: Any) -> tuple[str, ...]:
    if given is None or given == []:
        refuse(_NO_SCHEMA)
    _require_type(given, list)
    for item in given:
        _require_type(item, str)
        if not item:
            refuse('string "" is too short (length: 0, required minimum: 1)')
        if len(item) > _ITEM_LENGTH:
            refuse(f"string is too long (length: {len(item)}, maximum allowed: {_ITEM_LENGTH})")
    return tuple(given)


def _number(given: Any) -> int:
    _require_type(given, int)
    if given < 1:
        refuse(f"numeric instance is lower than the required minimum (minimum: 1, found: {_shown(given)})")
    if given > _MAX_NUMBER:
        refuse(f"numeric instance is greater than the required maximum (maximum: {_MAX_NUMBER}, found: {_shown(given)})")
    return int(given)


def _one_of(given: Any, values: Sequence[str]) -> Any:
    if not isinstance(given, str) or given not in values:
        refuse(f"instance value ({_shown(given)}) not found in enum :(possible values: {json.dumps(list(values))})")
    return given


def _require_type(given: Any, kind: type) -> None:
    if type(given) is not kind:
        refuse(f'instance type ({_TYPES[type(given)]}) does not match any allowed primitive type (allowed: ["{_TYPES[kind]}"])')


def _check_keys(given: dict[str, Any], required: Sequence[str], allowed: Sequence[str]) -> None:
    missing = sorted(set(required) - set(given))
    if missing:
        _refuse_missing(missing)
    unknown = sorted(set(given) - set(allowed))
    if unknown:
        shown = ",".join(map(_shown, unknown[:8]))
        refuse(f"object instance has properties which are not allowed by the schema: ([{shown}])")


def _refuse_missing(names: Sequence[str]) -> NoReturn:
    quoted = ",".join(f'"{name}"' for name in names)
    refuse(f"object has missing required properties ([{quoted}])")


def _shown(value: Any) -> str:
    """A value as JSON, and never more of it than its beginning."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 10**40:
        return "..."
    text = json.dumps(value[:100] if isinstance(value, str) else value)
    return text if len(text) <= 200 else text[:200] + "..."
