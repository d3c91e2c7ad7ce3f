"""What is legal in a policy and probably not meant. Source: IAM Access Analyzer, "policy validation", in spirit.

Nothing here changes a decision, and none of it is a reason to refuse a policy.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass

from moorage.policy import actions as known
from moorage.policy.compile import compile_actions
from moorage.policy.conditions import ANY, EVERY
from moorage.policy.context import PRINCIPAL_KEYS
from moorage.policy.document import OLD_VERSION, Condition, Kind, Policy, PolicyStatement
from moorage.policy.operators import NULL, OPERATORS, read_bool, takes_variables
from moorage.policy.resources import PARTS


class Code(enum.Enum):
    """Kinds of findings."""

    UNKNOWN_SERVICE = "unknown service"
    UNKNOWN_ACTION = "unknown action"
    UNKNOWN_KEY = "unknown condition key"
    UNREADABLE_VALUE = "value that the operator cannot read"
    EMPTY_VALUES = "condition without values"
    LITERAL_VARIABLE = "variable that is literal text in this version"
    RESOURCE_HAS_NO_EFFECT = "action without a resource type on a resource"
    NEVER_IN_REPOSITORY_POLICY = "action that no repository policy is asked about"
    ALLOWS_ALL_OTHERS = "Allow with a negated element"
    HOLDS_WITHOUT_KEY = "Allow with a condition that holds when the key is absent"
    NEVER_HOLDS = "conditions that cannot hold together"
    NO_STATEMENTS = "policy without statements"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to look at."""

    code: Code
    statement: int | None
    """Index of the statement; None: the whole policy."""
    detail: str


_GLOBAL_KEYS = frozenset(PRINCIPAL_KEYS) | frozenset(
    (
        "aws:calledvia",
        "aws:calledviafirst",
        "aws:calledvialast",
        "aws:currenttime",
        "aws:epochtime",
        "aws:multifactorauthage",
        "aws:multifactorauthpresent",
        "aws:principalorgid",
        "aws:principalorgpaths",
        "aws:principalservicenameslist",
        "aws:referer",
        "aws:requestedregion",
        "aws:resourceaccount",
        "aws:resourceorgid",
        "aws:resourceorgpaths",
        "aws:securetransport",
        "aws:sourceaccount",
        "aws:sourcearn",
        "aws:sourceidentity",
        "aws:sourceip",
        "aws:sourceorgid",
        "aws:sourceorgpaths",
        "aws:sourcevpc",
        "aws:sourcevpcarn",
        "aws:sourcevpce",
        "aws:tagkeys",
        "aws:tokenissuetime",
        "aws:useragent",
        "aws:viaawsservice",
        "aws:vpcsourceip",
        "ecr:accountsetting",
        "iam:associatedresourcearn",
        "iam:awsservicename",
        "iam:passedtoservice",
        "iam:permissionsboundary",
        "iam:policyarn",
        "sts:awsservicename",
        "sts:durationseconds",
        "sts:externalid",
        "sts:rolesessionname",
        "sts:sourceidentity",
        "sts:transitivetagkeys",
    )
)
_FAMILIES = (
    "aws:principaltag/",
    "aws:requesttag/",
    "aws:resourcetag/",
    "ecr:resourcetag/",
    "ecr-public:resourcetag/",
    "iam:resourcetag/",
)
_LISTED = frozenset(("aws", "ecr", "ecr-public", "iam", "sts"))
"""Prefixes whose keys are all listed above; of other services any key may exist."""


def findings(policy: Policy) -> list[Finding]:
    """What a reader should look at, statement by statement."""
    found = [] if policy.statements else [Finding(Code.NO_STATEMENTS, None, "it allows and denies nothing")]
    for statement in policy.statements:
        for code, detail in _of_statement(policy, statement):
            found.append(Finding(code, statement.index, detail))
    return found


_Found = Iterator[tuple[Code, str]]


def _of_statement(policy: Policy, statement: PolicyStatement) -> _Found:
    for action in statement.actions:
        yield from _of_action(action)
    yield from _of_resources(policy, statement)
    if statement.allows and statement.not_actions:
        yield Code.ALLOWS_ALL_OTHERS, "NotAction with Allow allows all other actions of all services"
    if statement.allows and statement.principals is not None and statement.principals.negated:
        yield Code.ALLOWS_ALL_OTHERS, "NotPrincipal with Allow allows everybody else, also the anonymous"
    for condition in statement.conditions:
        yield from _of_condition(policy, statement, condition)
        if _wants_absence(condition) and any(_wants_presence(other, condition.key) for other in statement.conditions):
            yield Code.NEVER_HOLDS, f"{condition.key} has to be absent (Null) and to have a value: the statement never applies"


def _of_action(action: str) -> _Found:
    vendor, colon, _ = action.lower().partition(":")
    if not colon or vendor == "*":
        return
    if vendor not in known.SERVICES:
        yield Code.UNKNOWN_SERVICE, f"{action}: this server has no service {vendor}"
        return
    matcher = compile_actions([action], negated=False)
    if not any(map(matcher.matches, known.NAMES)):
        yield Code.UNKNOWN_ACTION, f"{action}: {vendor} has no such action"


def _of_resources(policy: Policy, statement: PolicyStatement) -> _Found:
    if policy.kind is Kind.REPOSITORY:
        for action in statement.actions:
            described = known.DESCRIBED.get(action.lower())
            if described is not None and described.resource == "*":
                yield Code.NEVER_IN_REPOSITORY_POLICY, f"{described.name} is not about a repository"
    if statement.resources is None or statement.not_resources or "*" in statement.resources:
        return
    for action in statement.actions:
        described = known.DESCRIBED.get(action.lower())
        if described is not None and described.resource == "*":
            yield Code.RESOURCE_HAS_NO_EFFECT, f"{described.name} has no resource type: only Resource * is about it"
    if not policy.has_variables and any("${" in resource for resource in statement.resources):
        yield Code.LITERAL_VARIABLE, f"version {OLD_VERSION} takes ${{...}} in Resource literally"


def _of_condition(policy: Policy, statement: PolicyStatement, condition: Condition) -> _Found:
    where = f"{condition.name} {condition.key}"
    if not _is_known(condition.key.lower(), policy.kind):
        yield Code.UNKNOWN_KEY, f"{condition.key}: no request has it"
    if not condition.values:
        yield Code.EMPTY_VALUES, f"{where}: no value can match"
    if not policy.has_variables and takes_variables(condition.operator) and any("${" in each for each in condition.values):
        yield Code.LITERAL_VARIABLE, f"{where}: version {OLD_VERSION} takes ${{...}} literally"
    reads = read_bool if condition.operator == NULL else OPERATORS[condition.operator].reads
    for value in condition.values:
        unreadable = _is_no_arn(value) if condition.operator.startswith("Arn") else reads(value) is None
        if unreadable:
            yield Code.UNREADABLE_VALUE, f"{where}: {value!r}"
    if statement.allows and condition.quantifier == EVERY and not _wants_key(statement, condition.key):
        yield Code.HOLDS_WITHOUT_KEY, f"{where} holds without the key: add Null with false"
    elif statement.allows and condition.if_exists and condition.quantifier != ANY:
        yield Code.HOLDS_WITHOUT_KEY, f"{where} holds without the key"


def _wants_absence(condition: Condition) -> bool:
    return condition.operator == NULL and condition.values == ("true",)


def _wants_presence(condition: Condition, key: str) -> bool:
    if condition.key.lower() != key.lower() or condition.operator == NULL:
        return False
    is_negated = OPERATORS[condition.operator].negated and condition.quantifier != ANY
    return not (is_negated or condition.if_exists or condition.quantifier == EVERY)


def _is_no_arn(value: str) -> bool:
    return value != "*" and "${" not in value and value.count(":") < PARTS - 1


def _is_known(key: str, kind: Kind) -> bool:
    if key in _GLOBAL_KEYS or any(key.startswith(family) and key != family for family in _FAMILIES):
        return True
    vendor = key.partition(":")[0]
    if kind is Kind.TRUST and "." in vendor:
        return True  # the keys of a web identity begin with its issuer
    return vendor in known.SERVICES and vendor not in _LISTED


def _wants_key(statement: PolicyStatement, key: str) -> bool:
    return any(
        condition.operator == NULL and condition.key.lower() == key.lower() and condition.values == ("false",)
        for condition in statement.conditions
    )
