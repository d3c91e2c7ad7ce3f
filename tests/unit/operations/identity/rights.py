"""Rights so narrow that they match one question to the authoriser and no other, and rights that miss it in one point.

What a use case asks for is told by what it takes: it passes with exactly these rights, and not if one of them names another
action or resource, another value of a condition key, or a key that the question does not have.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

KEYS = (
    "aws:TagKeys",
    "aws:RequestTag/team",
    "aws:RequestTag/env",
    "aws:ResourceTag/team",
    "aws:ResourceTag/env",
    "iam:ResourceTag/team",
    "iam:ResourceTag/env",
    "iam:PolicyARN",
    "iam:PermissionsBoundary",
    "iam:PassedToService",
    "iam:AWSServiceName",
)
"""The condition keys of IAM's actions. A question has those that its right names, and none of the others."""

Value = str | tuple[str, ...] | None
"""Of a condition key: one value, several, or that it is not there."""


@dataclass(frozen=True)
class Right:
    """To do `action` on `resource`, if the condition keys have just these values."""

    action: str
    resource: str
    facts: dict[str, Value] = field(default_factory=dict)
    element: str = "Action"

    def statement(self) -> dict[str, Any]:
        """The statement of a policy that gives this right and nothing else."""
        missing, single, several = {}, {}, {}
        for key in (*KEYS, *self.facts):
            value = self.facts.get(key)
            if value is None:
                missing[key] = "true"
            elif isinstance(value, str):
                single[key] = value
            else:
                several[key] = list(value)
        single |= {"aws:RequestedRegion": "us-east-1", "aws:ResourceAccount": "111111111111"}
        condition: dict[str, Any] = {"StringEquals": single, "Null": missing | dict.fromkeys(several, "false")}
        if several:
            condition["ForAllValues:StringEquals"] = several
        # A literal asterisk: the question is to be about it, not about any name.
        resource = self.resource.replace("*", "${*}")
        return {"Effect": "Allow", self.element: self.action, "Resource": resource, "Condition": condition}

    def misses(self) -> Iterator[Right]:
        """Rights that differ from this one in a single point."""
        yield replace(self, element="NotAction")
        yield replace(self, resource=self.resource + "x")
        yield replace(self, resource=self.resource[:-1] + "x")
        for key in (*KEYS, *self.facts):
            value = self.facts.get(key)
            for other in _others(value):
                yield replace(self, facts={**self.facts, key: other})


def _others(value: Value) -> Iterator[Value]:
    if value is None:
        yield ("",)
    elif isinstance(value, str):
        yield from (None, value + "x")
    else:
        yield None
        yield from (tuple(other for other in value if other != each) or ("",) for each in value)


def document(*rights: Right) -> str:
    """The policy that gives these rights."""
    return json.dumps({"Version": "2012-10-17", "Statement": [right.statement() for right in rights]})
