"""From the text of a policy to checked values. Whatever the text, the only error is MalformedPolicy.

Source: IAM User Guide, "Grammar of the IAM JSON policy language". Elements are told apart by case, as are `Effect`'s values.
"""

from __future__ import annotations

from typing import Any

from moorage.policy import grammar, sizes
from moorage.policy.conditions import read_operator
from moorage.policy.document import NEW_VERSION, OLD_VERSION, Condition, Kind, Policy, PolicyStatement, Principals
from moorage.policy.grammar import Checker
from moorage.policy.jsontext import JsonInvalid, Number, read_json
from moorage.policy.operators import takes_variables

_DOCUMENT = frozenset(("Version", "Id", "Statement"))
_STATEMENT = frozenset(
    ("Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition")
)


def parse(text: str, kind: Kind) -> Policy:
    """Read and check a policy. Sizes are for the caller to hold against its quotas (`sizes`).

    Raises:
        MalformedPolicy: with the text that IAM has for the first rule that is broken.
    """
    check = Checker(kind)
    if len(text) > sizes.MAX_TEXT:
        check.fail(grammar.SYNTAX, f"longer than {sizes.MAX_TEXT} characters")
    try:
        document = read_json(text)
    except JsonInvalid as error:
        check.fail(check.rules.not_json, str(error))
    if not isinstance(document, dict):
        check.fail(grammar.SYNTAX, "not an object")
    _members(check, document, _DOCUMENT, "the policy")
    version = _text(check, document, "Version")
    if version not in (None, OLD_VERSION, NEW_VERSION):
        check.fail(grammar.SYNTAX, f"no such version: {str(version)[:40]!r}")
    if version not in check.rules.versions:
        check.fail(grammar.VERSION)
    statements = document.get("Statement")
    if isinstance(statements, dict):
        statements = [statements]
    if not isinstance(statements, list):
        check.fail(grammar.SYNTAX, "Statement has to be an object or a list of objects")
    check = Checker(kind, has_variables=version == NEW_VERSION)
    parsed = tuple(_statement(check, statement, index) for index, statement in enumerate(statements))
    _unique_sids(check, parsed)
    return Policy(kind, version or OLD_VERSION, _text(check, document, "Id"), parsed, text)


def _members(check: Checker, found: dict[str, Any], known: frozenset[str], where: str) -> None:
    unknown = found.keys() - known
    if unknown:
        check.fail(grammar.SYNTAX, f"{where} has no element {min(unknown)[:80]!r}")


def _text(check: Checker, found: dict[str, Any], element: str) -> str | None:
    value = found.get(element)
    if element in found and type(value) is not str:
        check.fail(grammar.SYNTAX, f"{element} has to be a string")
    return value


def _texts(check: Checker, value: Any, element: str) -> tuple[str, ...]:
    """A string, or a list of strings."""
    if type(value) is str:
        return (value,)
    if type(value) is not list or any(type(each) is not str for each in value):
        check.fail(grammar.SYNTAX, f"{element} has to be a string or a list of strings")
    return tuple(value)


def _statement(check: Checker, found: Any, index: int) -> PolicyStatement:
    where = f"statement {index + 1}"
    if not isinstance(found, dict):
        check.fail(grammar.SYNTAX, f"{where} is not an object")
    _members(check, found, _STATEMENT, where)
    sid = _text(check, found, "Sid")
    if sid is not None:
        check.sid(sid)
    effect = found.get("Effect")
    if effect not in ("Allow", "Deny"):
        check.fail(grammar.SYNTAX, f"{where}: Effect has to be Allow or Deny")
    principals = _principals(check, found, where)
    actions, not_actions = _either(check, found, "Action", where)
    if not actions:
        check.fail(grammar.NO_ACTIONS, where)
    resources, not_resources = _resources(check, found, where)
    for action in actions:
        check.action(action)
    for resource in resources or ():
        check.resource(resource)
    conditions = _conditions(check, found["Condition"], where) if "Condition" in found else ()
    return PolicyStatement(index, sid, effect == "Allow", principals, actions, not_actions, resources, not_resources, conditions)


def _either(check: Checker, found: dict[str, Any], element: str, where: str) -> tuple[tuple[str, ...], bool]:
    """The values of an element or of its negation, of which there is at most one; and whether it is the negation."""
    negation = f"Not{element}"
    if element in found and negation in found:
        check.fail(grammar.SYNTAX, f"{where} has both {element} and {negation}")
    name = negation if negation in found else element
    return _texts(check, found.get(name, []), name), name == negation


def _resources(check: Checker, found: dict[str, Any], where: str) -> tuple[tuple[str, ...] | None, bool]:
    if not check.rules.needs_resource:
        for element in ("Resource", "NotResource"):
            if element in found:
                check.fail(f"Has prohibited field {element}", where)
        return None, False
    resources, negated = _either(check, found, "Resource", where)
    if not resources:
        check.fail(grammar.NO_RESOURCES, where)
    return resources, negated


def _principals(check: Checker, found: dict[str, Any], where: str) -> Principals | None:
    named = [element for element in ("Principal", "NotPrincipal") if element in found]
    if not check.rules.needs_principal:
        if named:
            check.fail(grammar.PRINCIPAL_PROHIBITED, where)
        return None
    if not named:
        check.fail(grammar.NO_PRINCIPAL, where)
    if len(named) > 1:
        check.fail(grammar.SYNTAX, f"{where} has both Principal and NotPrincipal")
    negated = named[0] == "NotPrincipal"
    value = found[named[0]]
    if value == "*":
        return Principals(negated, everyone=True)
    if not isinstance(value, dict) or not value:
        check.fail(grammar.INVALID_PRINCIPAL, f"{where}: {named[0]} has to be * or an object")
    _principal_kinds(check, value)
    aws = [check.aws_principal(name) for name in _texts(check, value.get("AWS", []), "AWS")]
    services = _texts(check, value.get("Service", []), "Service")
    for service in services:
        check.service_principal(service)
    federated = _texts(check, value.get("Federated", []), "Federated")
    for provider in federated:
        check.federated_principal(provider)
    if not (aws or services or federated):
        check.fail(grammar.INVALID_PRINCIPAL, f"{where}: {named[0]} names nobody")
    return Principals(
        negated,
        any(what == "everyone" for what, _ in aws),
        tuple(name for what, name in aws if what == "account"),
        tuple(name for what, name in aws if what == "arn"),
        services,
        federated,
    )


def _principal_kinds(check: Checker, value: dict[str, Any]) -> None:
    for kind in value:
        if kind not in ("AWS", "Service", "Federated"):
            check.fail(grammar.INVALID_PRINCIPAL, f"no kind of principal: {kind[:80]!r}")


def _conditions(check: Checker, found: Any, where: str) -> tuple[Condition, ...]:
    if not isinstance(found, dict):
        check.fail(grammar.SYNTAX, f"{where}: Condition has to be an object")
    conditions = []
    for name, block in found.items():
        read = read_operator(name)
        if read is None:
            check.fail(grammar.SYNTAX, f"{where}: no such condition operator: {name[:80]!r}")
        if not isinstance(block, dict):
            check.fail(grammar.SYNTAX, f"{where}: {name} has to be an object")
        quantifier, operator, if_exists = read
        for key, value in block.items():
            check.condition_key(key)
            values = _condition_values(check, value, f"{where}: {name}")
            if takes_variables(operator):
                for each in values:
                    check.template(each)
            conditions.append(Condition(operator, quantifier, if_exists, key, values))
    return tuple(conditions)


def _condition_values(check: Checker, value: Any, where: str) -> tuple[str, ...]:
    values = value if type(value) is list else [value]
    texts = []
    for each in values:
        if type(each) is bool:
            texts.append("true" if each else "false")
        elif isinstance(each, str):  # a number is one as well, as it was written
            texts.append(str(each) if type(each) is Number else each)
        else:
            check.fail(grammar.SYNTAX, f"{where}: values have to be strings, numbers or booleans")
    return tuple(texts)


def _unique_sids(check: Checker, statements: tuple[PolicyStatement, ...]) -> None:
    if check.rules.free_sids:
        return
    sids = [statement.sid for statement in statements if statement.sid]
    if len(set(sids)) != len(sids):
        check.fail(grammar.SID_UNIQUE)
