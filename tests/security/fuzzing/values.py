"""Hostile values for every member of a modelled request, each with what has to become of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Any

Path = tuple[Any, ...]


class Fate(Enum):
    """What a server has to do with a value."""

    MISTYPED = "it has the wrong JSON type, so the document cannot be read"
    REFUSED = "it breaks a constraint of the model"
    OPEN = "the model has nothing against it"


@dataclass(frozen=True, slots=True)
class Hostile:
    """A whole request with something wrong, or odd, in one place or in several."""

    params: Any
    fate: Fate
    where: str


TEXTS = (
    "",
    "\x00",
    "a\x00b",
    "ä\U0001f600\u202e",
    "' OR 1=1; DROP TABLE repositories; --",
    "{e.registry_id}%s{0}%n${jndi:ldap://127.0.0.1/a}",
    "../../../etc/passwd",
    "<script>alert(1)</script>",
    "a" * 5000,
    "sha256:" + "F" * 64,
    "\n\r\t",
    " aa ",
    "aa\n",
    "*",
    "A" * 129,
    "\u0130\u017f\u212a",
    "\ufeffaa",
    "٣٣٣",
    "null",
    "-1",
    "000000000000",
    "arn:aws:ecr:us-east-1:000000000000:repository/x",
)
_BITS = {"integer": 31, "long": 63}
_TEXT_FOR_PATTERNS = 300
"""Characters: this oracle's regular expressions backtrack."""


def leaves(shape: Any, path: Path = (), depth: int = 0) -> Iterator[tuple[Path, Any, bool]]:
    """Every place in a shape, with its shape and whether it has to be given; an item of a list is its first."""
    if depth > 6:
        return
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            yield (*path, name), member, name in shape.required_members
            yield from leaves(member, (*path, name), depth + 1)
    elif shape.type_name == "list":
        yield (*path, 0), shape.member, True
        yield from leaves(shape.member, (*path, 0), depth + 1)


def example(shape: Any, known: dict[str, Any], name: str = "") -> Any:
    """A value that fits a shape: what is `known` under the member's name, else the least that the model accepts."""
    if name in known:
        return known[name]
    match shape.type_name:
        case "structure":
            return {
                member: example(of, known, member) for member, of in shape.members.items() if member in shape.required_members
            }
        case "list":
            return [example(shape.member, known, name) for _ in range(max(1, shape.metadata.get("min", 1)))]
        case "map":
            return {"aa": example(shape.value, known)}
        case "string":
            return shape.metadata["enum"][0] if "enum" in shape.metadata else "a" * max(2, shape.metadata.get("min", 2))
        case "integer" | "long" | "double" | "float":
            return max(1, shape.metadata.get("min", 1))
        case "boolean":
            return True
        case "blob":
            return "YQ=="
        case _:
            return 1


def put(shape: Any, value: Any, path: Path, new: Any, known: dict[str, Any]) -> Any:
    """A copy of a request with something else in one place; what has to stand around it is made where it is not there."""
    if not path:
        return new
    step, rest = path[0], path[1:]
    if step == 0:
        given = value if isinstance(value, list) and value else [example(shape.member, known)]
        return [put(shape.member, given[0], rest, new, known), *given[1:]]
    base = value if isinstance(value, dict) else example(shape, known)
    member = shape.members[step]
    inner = base.get(step) if step in base else (example(member, known, step) if rest else None)
    return base | {step: put(member, inner, rest, new, known)}


def hostile_values(shape: Any, known: dict[str, Any], *, required: bool) -> Iterator[tuple[Any, Fate]]:
    """Values for one place."""
    yield None, Fate.REFUSED if required else Fate.OPEN
    match shape.type_name:
        case "string":
            yield from _texts(shape)
        case "integer" | "long" | "double" | "float":
            yield from _numbers(shape)
        case "boolean":
            yield from _each(Fate.MISTYPED, "true", 1, 0, [], {})
        case "blob":
            yield from _each(Fate.MISTYPED, 1, [], {}, "not base64!", "YQ", "YQ==\n", "YQ==YQ==", "\u00e4")
            yield "", Fate.REFUSED if shape.metadata.get("min", 0) else Fate.OPEN
        case "timestamp":
            yield from _each(Fate.MISTYPED, "x", [], {}, True)
            yield from _each(Fate.OPEN, 0, -1, 4e9)
        case "list":
            yield from _lists(shape, known)
        case "map":
            yield from _each(Fate.MISTYPED, "text", 1, [], True)
            yield {}, Fate.OPEN
        case "structure":
            yield from _each(Fate.MISTYPED, "text", 1, [], True, [{}])
            yield {}, Fate.REFUSED if shape.required_members else Fate.OPEN
            yield example(shape, known) | {"aMemberThatNoModelHas": {"a": [1]}}, Fate.OPEN


def _each(fate: Fate, *values: Any) -> Iterator[tuple[Any, Fate]]:
    return ((value, fate) for value in values)


def _texts(shape: Any) -> Iterator[tuple[Any, Fate]]:
    yield from _each(Fate.MISTYPED, 1, 1.5, True, [], {}, ["text"], 2**80)
    low, high = shape.metadata.get("min", 0), shape.metadata.get("max")
    longest = 70_000
    sized = ["a" * (low - 1)] if low > 1 else []
    if high is not None and high < longest:
        sized += ["a" * high, "a" * (high + 1), "ä" * (high + 1)]
    yield from ((text, _fate_of_text(shape, text)) for text in (*TEXTS, *sized, *shape.metadata.get("enum", ())))


def _fate_of_text(shape: Any, text: str) -> Fate:
    """Length, NUL (which no database keeps), enum and pattern, as the model has them."""
    metadata = shape.metadata
    if len(text) < metadata.get("min", 0) or len(text) > metadata.get("max", len(text)) or "\x00" in text:
        return Fate.REFUSED
    if "enum" in metadata:
        return Fate.OPEN if text in metadata["enum"] else Fate.REFUSED
    pattern = _compiled(metadata.get("pattern"))
    if pattern is not None and len(text) <= _TEXT_FOR_PATTERNS and pattern.fullmatch(text) is None:
        return Fate.REFUSED
    return Fate.OPEN


@cache
def _compiled(pattern: str | None) -> re.Pattern[str] | None:
    """A pattern of Java's in Python's form; None where the two may differ in meaning."""
    if pattern is None or r"\p{" in pattern or r"\u" in pattern or "&&" in pattern:
        return None
    try:
        return re.compile(pattern.replace("[0-9a-zA-Z-._", "[0-9a-zA-Z._-").replace("Z0-9-_", "Z0-9_-"), re.ASCII)
    except (re.error, FutureWarning):
        return None


def _numbers(shape: Any) -> Iterator[tuple[Any, Fate]]:
    yield from _each(Fate.MISTYPED, "1", "x", True, [], {}, [1])
    bits = _BITS.get(shape.type_name)
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if bits is not None:
        yield 1.5, Fate.MISTYPED
    bounds = [bound + step for bound, step in ((low, -1), (high, 1)) if bound is not None]
    for value in (-(2**63) - 1, -(2**63), -(2**31) - 1, -1, 0, 2**31, 2**63 - 1, 2**63, 2**80, *bounds):
        if bits is not None and not -(1 << bits) <= value < 1 << bits:
            yield value, Fate.MISTYPED
        elif (low is not None and value < low) or (high is not None and value > high):
            yield value, Fate.REFUSED
        else:
            yield value, Fate.OPEN


def _lists(shape: Any, known: dict[str, Any]) -> Iterator[tuple[Any, Fate]]:
    yield from _each(Fate.MISTYPED, "text", {}, 1, True)
    yield [[]], Fate.OPEN if shape.member.type_name == "list" else Fate.MISTYPED
    yield [None], Fate.REFUSED
    low, high = shape.metadata.get("min", 0), shape.metadata.get("max")
    yield [], Fate.REFUSED if low else Fate.OPEN
    if high is not None and high <= 1000:
        yield [example(shape.member, known)] * (high + 1), Fate.REFUSED
    item = example(shape.member, known)
    yield [item, item], Fate.REFUSED if high == 1 or low > 2 else Fate.OPEN


def requests(shape: Any, known: dict[str, Any], source: Any, mixed: int) -> Iterator[Hostile]:
    """Every hostile value in every place of a request, and `mixed` requests with several of them at once."""
    usual = example(shape, known)
    yield Hostile(usual, Fate.OPEN, "as it should be")
    for wrong in ("text", [], 1, True, [usual]):
        yield Hostile(wrong, Fate.MISTYPED, "the document")
    yield Hostile(usual | {"aMemberThatNoModelHas": [{}]}, Fate.OPEN, "a further member")
    places = list(leaves(shape))
    for path, leaf, required in places:
        for value, fate in hostile_values(leaf, known, required=required):
            yield Hostile(put(shape, usual, path, value, known), fate, f"{path}={str(value)[:60]!r}")
    tops: dict[Any, list[tuple[Path, Any, bool]]] = {path[0]: [] for path, _, _ in places}
    for path, leaf, required in places:
        tops[path[0]].append((path, leaf, required))
    if len(tops) < 2:
        return
    for _ in range(mixed):
        params, fates, told = usual, [], []
        for top in source.sample(sorted(tops), min(len(tops), source.randint(2, 3))):
            path, leaf, required = source.choice(tops[top])
            value, fate = source.choice(list(hostile_values(leaf, known, required=required)))
            params = put(shape, params, path, value, known)
            fates.append(fate)
            told.append(f"{path}={str(value)[:40]!r}")
        worst = next(fate for fate in Fate if fate in fates)
        yield Hostile(params, worst, " and ".join(told))
