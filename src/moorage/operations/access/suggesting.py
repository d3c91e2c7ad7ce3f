"""The smallest policy that covers what a principal really did, from what was counted of it (table ``principal_activity``).

Resources with the same actions share a statement, so that a statement allows nothing but pairs that were seen. Whatever a policy
would read as a wildcard is escaped.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from moorage.metadata.transaction import ReadTransaction
from moorage.metadata.usage import activity
from moorage.model.principal import Caller
from moorage.operations.access.principals import caller_for
from moorage.policy import actions
from moorage.policy.evaluate import UNCONTROLLED

MOST = 10_000
"""Kinds of use that are read, at most."""
_DAY_MICROS = 86_400_000_000
_SPECIAL = re.compile(r"\$(?=\{)|[*?]")
_REPOSITORY = re.compile(r"(arn:[^:]*:ecr:[^:]*:[^:]*:repository/(?:[^/*?]+/)*)[^/*?]+")


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A policy's text, and the uses that it was made of."""

    text: str
    uses: int
    is_cut: bool
    """There were more kinds of use than are read."""


def suggest_policy(tx: ReadTransaction, principal_arn: str, days: int, *, generalise: bool) -> Suggestion:
    """A policy for what a principal was allowed to do, and did, in the last `days`.

    Args:
        principal_arn: of a role all sessions count.
        generalise: two repositories or more below one prefix become ``prefix/*``.

    Raises:
        QuestionInvalid: there is no such principal.
    """
    caller: Caller = caller_for(tx, principal_arn)
    seen = activity.of_principal(tx, caller.principal_id, tx.now - days * _DAY_MICROS, MOST + 1)
    pairs = [(action, resource) for action, resource, *_ in seen[:MOST] if action.lower() not in UNCONTROLLED]
    return Suggestion(policy_for_uses(pairs, generalise=generalise), len(pairs), len(seen) > MOST)


def policy_for_uses(uses: Iterable[tuple[str, str]], *, generalise: bool = False) -> str:
    """The policy that allows exactly these pairs of action and resource; the same pairs give the same text.

    What has no resource (``*``) stands in a statement of its own.
    """
    by_resource: dict[str, set[str]] = defaultdict(set)
    for action, resource in uses:
        by_resource[resource].add(actions.NAMES.get(action.lower(), action))
    of_nothing = by_resource.pop("*", set())
    patterns = {_SPECIAL.sub(lambda found: f"${{{found[0]}}}", resource): names for resource, names in by_resource.items()}
    if generalise:
        patterns = _generalised(patterns)
    by_actions: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for pattern, names in patterns.items():
        by_actions[tuple(sorted(names))].append(pattern)
    statements = [_statement(sorted(of_nothing), ["*"])] if of_nothing else []
    statements += [_statement(list(names), sorted(found)) for names, found in sorted(by_actions.items())]
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=2)


def _statement(names: list[str], resources: list[str]) -> dict[str, object]:
    return {"Effect": "Allow", "Action": _one_or_all(names), "Resource": _one_or_all(resources)}


def _one_or_all(values: list[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else values


def _generalised(patterns: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Repositories below one prefix as one pattern with all their actions; those that stand alone stay."""
    below: dict[str, list[str]] = defaultdict(list)
    for pattern in patterns:
        found = _REPOSITORY.fullmatch(pattern)
        if found is not None and not found[1].endswith(":repository/"):
            below[found[1]].append(pattern)
    made = {pattern: set(names) for pattern, names in patterns.items()}
    for prefix, members in below.items():
        if len(members) > 1:
            made[f"{prefix}*"] = set().union(*(made.pop(member) for member in members)) | made.get(f"{prefix}*", set())
    return made
