"""JSON as the policy language wants it: no key twice, numbers as they are written; and where things stand in the text."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


class JsonInvalid(ValueError):
    """Not JSON, or an object with the same key twice."""


class Number(str):
    """A JSON number, as it is written."""

    __slots__ = ()


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise JsonInvalid("a key occurs twice in an object")
    return members


def _constant(name: str) -> Any:
    raise JsonInvalid(f"{name} is not JSON")


def read_json(text: str) -> Any:
    """The value of a JSON text: dict, list, str, `Number`, bool or None.

    Raises:
        JsonInvalid: not JSON, nested too deep, characters that no encoding has (lone surrogates), a key twice in an object.
    """
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_int=Number, parse_float=Number, parse_constant=_constant)
        text.encode()
        if "\\u" in text:  # escapes can write half a character
            json.dumps(value, ensure_ascii=False).encode()
    except JsonInvalid:
        raise
    except (ValueError, RecursionError) as error:
        raise JsonInvalid(str(error)[:200]) from None
    return value


@dataclass(frozen=True, slots=True)
class Span:
    """From the first character of something to the one after its last; lines and columns count from 1."""

    start_line: int
    start_column: int
    end_line: int
    end_column: int


_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\],]')


@dataclass(slots=True)
class _Open:
    """An object or list that has begun. `key` is the key met last in an object, empty in a list."""

    start: int
    is_object: bool
    key: str = ""
    expects_key: bool = False


def _values(text: str) -> Iterator[tuple[tuple[str, ...], str, int, int]]:
    """Each string, object and list of a JSON text that `read_json` took, the inner ones first.

    Given as: the keys on the way to it (empty for places in lists), its first character, start, end.
    """
    around: list[_Open] = []
    for token in _TOKEN.finditer(text):
        mark = token[0][0]
        if mark in "{[":
            around.append(_Open(token.start(), mark == "{", expects_key=mark == "{"))
        elif mark in "}]":
            ended = around.pop()
            yield tuple(each.key for each in around), "{" if ended.is_object else "[", ended.start, token.end()
        elif mark == ",":
            around[-1].expects_key = around[-1].is_object
        elif around and around[-1].expects_key:
            around[-1].key, around[-1].expects_key = json.loads(token[0]), False
        else:
            yield tuple(each.key for each in around), mark, token.start(), token.end()


@functools.lru_cache(maxsize=16)
def statement_spans(text: str) -> tuple[Span, ...]:
    """Where the statements of a parsed policy stand in its text, in order."""
    return tuple(
        Span(*_place(text, start), *_place(text, end))
        for path, mark, start, end in _values(text)
        if mark == "{" and path in (("Statement",), ("Statement", ""))
    )


def _place(text: str, offset: int) -> tuple[int, int]:
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def replace_principals(text: str, replacements: Mapping[str, str]) -> str:
    """The text of a parsed policy with other names in `Principal` and `NotPrincipal`, and else the same to the character.

    For showing a stored policy: a user or role that was deleted is shown by its unique id.
    """
    parts, done = [], 0
    for path, mark, start, end in _values(text):
        if mark != '"' or path[0] != "Statement" or not {"Principal", "NotPrincipal"}.intersection(path[1:3]):
            continue
        name = json.loads(text[start:end])
        if name in replacements:
            parts += [text[done:start], json.dumps(replacements[name])]
            done = end
    return "".join([*parts, text[done:]])
