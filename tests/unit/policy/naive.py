"""A second evaluator, written from the rules alone and in the most direct way: slow, on plain JSON, without the package.

It exists to disagree with the real one.
"""

from __future__ import annotations

import base64
import ipaddress
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

Document = dict[str, Any]
Keys = dict[str, Any]
"""Condition keys in lower case; a list is a key with several values."""


def listed(value: Any) -> list[Any]:
    """A list as it is, anything else as a list of one."""
    return value if isinstance(value, list) else [value]


def pattern_of(text: str, keys: Keys, *, has_variables: bool, wildcards: bool) -> list[tuple[str, bool]] | None:
    """A pattern as characters, each with whether it is a wildcard; None: a variable has no value."""
    out: list[tuple[str, bool]] = []
    rest = text
    while rest:
        if has_variables and rest.startswith("${"):
            inner, _, rest = rest[2:].partition("}")
            if inner in ("*", "?", "$"):
                out.append((inner, False))
                continue
            name, comma, default = inner.partition(",")
            value = keys.get(name.strip().lower())
            if isinstance(value, list) and len(value) == 1:
                value = value[0]
            if value == []:
                value = None
            if isinstance(value, list):
                return None
            if value is None:
                if not comma:
                    return None
                value = default.strip().strip("'")
            out += [(character, False) for character in value]
        else:
            out.append((rest[0], wildcards and rest[0] in "*?"))
            rest = rest[1:]
    return out


def fits(pattern: list[tuple[str, bool]], text: str) -> bool:
    """Match by a table of which beginnings of the pattern fit which beginnings of the text."""
    reached = [True] + [False] * len(text)
    for character, is_wild in pattern:
        if is_wild and character == "*":
            for position in range(1, len(text) + 1):
                reached[position] = reached[position] or reached[position - 1]
        else:
            ok = [is_wild or letter == character for letter in text]
            reached = [False] + [reached[position] and ok[position] for position in range(len(text))]
    return reached[-1]


def cut(pattern: list[tuple[str, bool]]) -> list[list[tuple[str, bool]]]:
    """Cut a pattern at its first five colons."""
    parts: list[list[tuple[str, bool]]] = [[]]
    for each in pattern:
        if each == (":", False) and len(parts) < 6:
            parts.append([])
        else:
            parts[-1].append(each)
    return parts


def resource_fits(text: str, resource: str, keys: Keys, *, has_variables: bool) -> bool:
    """One pattern of a Resource element."""
    if text == "*":
        return True
    arn = resource.split(":", 5)
    if resource == "*" or len(arn) != 6:
        return False
    # Cut first, fill in afterwards: a value does not make parts.
    pieces: list[str] = []
    depth, piece = 0, ""
    for index, character in enumerate(text):
        if has_variables and text[index : index + 2] == "${":
            depth += 1
        if has_variables and character == "}" and depth:
            depth -= 1
        if character == ":" and not depth and len(pieces) < 5:
            pieces.append(piece)
            piece = ""
        else:
            piece += character
    pieces.append(piece)
    pieces += ["*"] * (6 - len(pieces))
    for wanted, got in zip(pieces, arn, strict=True):
        pattern = pattern_of(wanted, keys, has_variables=has_variables, wildcards=True)
        if pattern is None or not fits(pattern, got):
            return False
    return True


def number(text: str) -> Fraction | None:
    """A decimal number."""
    digits = text.removeprefix("-").removeprefix("+").replace(".", "", 1)
    try:
        return Fraction(text) if digits.isascii() and digits.isdigit() else None
    except ValueError:
        return None


def date(text: str) -> float | None:
    """Seconds since 1970."""
    if text.removeprefix("-").isdigit():
        return float(text)
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()


def in_network(value: str, network: str) -> bool:
    """Whether an address is in a network."""
    try:
        return ipaddress.ip_address(value) in ipaddress.ip_network(network, strict=False)
    except (ValueError, TypeError):
        return False


def one_matches(operator: str, value: str, wanted: str, keys: Keys, *, has_variables: bool) -> bool:
    """A positive operator, one value of the request, one of the policy."""
    if operator.startswith("String"):
        pattern = pattern_of(wanted, keys, has_variables=has_variables, wildcards=operator == "StringLike")
        if pattern is None:
            return False
        if operator == "StringEqualsIgnoreCase":
            return [c.lower() for c, _ in pattern] == list(value.lower())
        return fits(pattern, value)
    if operator in ("ArnEquals", "ArnLike"):
        pattern = pattern_of(wanted, keys, has_variables=has_variables, wildcards=True)
        arn = value.split(":", 5)
        if pattern is None or len(arn) != 6:
            return False
        if wanted == "*":
            return True
        parts = cut(pattern)
        return len(parts) == 6 and all(fits(part, got) for part, got in zip(parts, arn, strict=True))
    if operator == "Bool":
        return value.lower() == wanted.lower() and value.lower() in ("true", "false")
    if operator == "BinaryEquals":
        return base64.b64decode(value) == base64.b64decode(wanted)
    if operator == "IpAddress":
        return in_network(value, wanted)
    read = number if operator.startswith("Numeric") else date
    left, right = read(value), read(wanted)
    if left is None or right is None:
        return False
    return {
        "Equals": left == right,
        "LessThan": left < right,
        "LessThanEquals": left <= right,
        "GreaterThan": left > right,
        "GreaterThanEquals": left >= right,
    }[operator.removeprefix("Numeric").removeprefix("Date")]


def condition_holds(name: str, key: str, wanted: list[str], keys: Keys, *, has_variables: bool) -> bool:
    """One operator, one key."""
    value = keys.get(key.lower())
    values = [] if value is None else listed(value)
    if name == "Null":
        return any((each == "true") == (not values) for each in wanted)
    quantifier, _, operator = name.rpartition(":")
    if_exists = operator.endswith("IfExists")
    operator = operator.removesuffix("IfExists")
    negated = "Not" in operator
    positive = operator.replace("Not", "")
    if not values:
        if if_exists or quantifier == "ForAllValues":
            return True
        return negated and quantifier != "ForAnyValue"
    hits = [any(one_matches(positive, each, one, keys, has_variables=has_variables) for one in wanted) for each in values]
    verdicts = [not hit if negated else hit for hit in hits]
    if quantifier == "ForAllValues":
        return all(verdicts)
    if quantifier == "ForAnyValue":
        return any(verdicts)
    return not any(hits) if negated else any(hits)


def principal_match(statement: Document, who: dict[str, Any], ids: dict[str, str], *, has_boundary: bool) -> str:
    """Kind of match: none, account, any, role, self, service, federated."""
    if "NotPrincipal" in statement:
        named = statement["NotPrincipal"]
        if statement["Effect"] == "Allow":
            return "any" if named_kind(named, who, ids) == "none" else "none"
        return "any" if has_boundary or not spared(named, who, ids) else "none"
    return named_kind(statement["Principal"], who, ids)


def named_lists(named: Any) -> tuple[list[str], list[str], list[str]]:
    """AWS, Service, Federated."""
    if named == "*":
        return ["*"], [], []
    return listed(named.get("AWS", [])), listed(named.get("Service", [])), listed(named.get("Federated", []))


def account_in(names: list[str], account: str) -> bool:
    """Whether an account is named, in either form."""
    return bool(account) and any(name in (account, f"arn:aws:iam::{account}:root") for name in names)


def named_kind(named: Any, who: dict[str, Any], ids: dict[str, str]) -> str:
    """How a Principal element names someone."""
    aws, services, federated = named_lists(named)
    if who["kind"] == "service" and who["arn"] in services:
        return "service"
    if who["kind"] == "web identity" and who["arn"] in federated:
        return "federated"
    if who["arn"] in aws and ids.get(who["arn"]) == who["bound"]:
        return "self"
    if who["kind"] == "session" and who["role"] in aws and ids.get(who["role"]) == who["bound"]:
        return "role"
    if "*" in aws:
        return "any"
    return "account" if account_in(aws, who["account"]) else "none"


def spared(named: Any, who: dict[str, Any], ids: dict[str, str]) -> bool:
    """Whether Deny with NotPrincipal leaves someone alone."""
    aws, services, federated = named_lists(named)
    if "*" in aws:
        return True
    if who["kind"] == "service":
        return who["arn"] in services
    if who["kind"] == "web identity":
        return who["arn"] in federated
    if who["kind"] == "root":
        return account_in(aws, who["account"])
    itself = who["arn"] in aws and ids.get(who["arn"]) == who["bound"]
    if who["kind"] == "session":
        return itself and who["role"] in aws and ids.get(who["role"]) == who["bound"] and account_in(aws, who["account"])
    return bool(itself)


def applies(document: Document, statement: Document, ask: dict[str, Any]) -> str:
    """How a statement applies: none, or the kind of its principal match (self if it has no principals)."""
    has_variables = document.get("Version") == "2012-10-17"
    kind = "self"
    if "Principal" in statement or "NotPrincipal" in statement:
        kind = principal_match(statement, ask["who"], ask["ids"], has_boundary=ask["PB"] is not None)
    patterns = listed(statement.get("Action", statement.get("NotAction")))
    in_actions = any(
        fits([(c, c in "*?") for c in ("*" if each == "*:*" else each).lower()], ask["action"].lower()) for each in patterns
    )
    in_resources = True
    if "Resource" in statement or "NotResource" in statement:
        texts = listed(statement.get("Resource", statement.get("NotResource")))
        found = any(resource_fits(each, ask["resource"], ask["keys"], has_variables=has_variables) for each in texts)
        in_resources = found if "Resource" in statement else not found
    if in_actions == ("NotAction" in statement) or not in_resources:
        return "none"
    for name, block in statement.get("Condition", {}).items():
        for key, wanted in block.items():
            texts = [str(each).lower() if isinstance(each, bool) else str(each) for each in listed(wanted)]
            if not condition_holds(name, key, texts, ask["keys"], has_variables=has_variables):
                return "none"
    return kind


def matches(documents: list[Document], effect: str, ask: dict[str, Any]) -> list[str]:
    """The kinds of match of all statements of an effect that apply."""
    kinds = [
        applies(document, statement, ask)
        for document in documents
        for statement in listed(document["Statement"])
        if statement["Effect"] == effect
    ]
    return [kind for kind in kinds if kind != "none"]


def decide(ask: dict[str, Any]) -> str:
    """The verdict. `ask` has who, action, resource, owner, keys, ids, and documents under I, PB, S, RP, SCP (None: absent)."""
    who, account = ask["who"], ask["who"]["account"]
    names = {"SCP": "scp", "RP": "resource", "I": "identity", "PB": "boundary", "S": "session"}
    for slot, name in names.items():
        if matches(ask[slot] or [], "Deny", ask):
            return f"explicit deny ({name})"
    if ask["SCP"] is not None and not matches(ask["SCP"], "Allow", ask):
        return "implicit deny (scp)"
    rp = set(matches(ask["RP"], "Allow", ask))
    ok = {
        "identity": bool(matches(ask["I"], "Allow", ask)) or who["kind"] == "root",
        "boundary": ask["PB"] is None or bool(matches(ask["PB"], "Allow", ask)),
        "session": ask["S"] is None or bool(matches(ask["S"], "Allow", ask)),
    }
    if who["kind"] == "service":
        return "allow" if "service" in rp else "implicit deny (resource)"
    if who["kind"] == "web identity":
        return "allow" if "federated" in rp else "implicit deny (resource)"
    lacking = next((name for name, is_ok in ok.items() if not is_ok), None)
    limits = next((name for name in ("boundary", "session") if not ok[name]), None)
    if account and (account == ask["owner"] or ask["resource"] == "*"):
        if "self" in rp or ("any" in rp and who["kind"] == "user"):
            return "allow"
        if "any" in rp or "role" in rp:
            return f"implicit deny ({limits})" if limits else "allow"
        return f"implicit deny ({lacking})" if lacking else "allow"
    if lacking:
        return f"implicit deny ({lacking})"
    return "allow" if rp else "implicit deny (resource)"
