"""The shapes of a service model, compiled: just what parsing, checking and rendering need, without a model walk per request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

JsonValue = None | bool | int | float | str | list["JsonValue"] | dict[str, "JsonValue"]


@dataclass(frozen=True, slots=True)
class StringShape:
    """Text. `min` and `max` count characters; `pattern` is the model's own writing, for messages and `patterns.matches`."""

    name: str
    min: int | None = None
    max: int | None = None
    pattern: str | None = None
    enum: tuple[str, ...] = ()
    is_sensitive: bool = False


@dataclass(frozen=True, slots=True)
class NumberShape:
    """A number; `kind` fixes what is acceptable: 32 and 64 bit integers, or floating point."""

    name: str
    kind: Literal["integer", "long", "float", "double"]
    min: float | None = None
    max: float | None = None


@dataclass(frozen=True, slots=True)
class BooleanShape:
    """True or false."""

    name: str


@dataclass(frozen=True, slots=True)
class BlobShape:
    """Bytes, base64 on the wire. `min` and `max` count bytes."""

    name: str
    min: int | None = None
    max: int | None = None


@dataclass(frozen=True, slots=True)
class TimestampShape:
    """A moment, in seconds since the epoch inside the program. `format` is None where the protocol's default holds."""

    name: str
    format: Literal["iso8601", "unixTimestamp", "rfc822"] | None = None


@dataclass(frozen=True, slots=True)
class ListShape:
    """Values in order. `member_name` and `is_flattened` matter to the query protocol and to XML."""

    name: str
    member: Shape
    min: int | None = None
    max: int | None = None
    member_name: str = "member"
    is_flattened: bool = False


@dataclass(frozen=True, slots=True)
class MapShape:
    """Values by key."""

    name: str
    key: StringShape
    value: Shape
    min: int | None = None
    max: int | None = None
    key_name: str = "key"
    value_name: str = "value"
    is_flattened: bool = False


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a structure: its name in the program and on the wire."""

    name: str
    wire_name: str
    shape: Shape
    is_required: bool


@dataclass(frozen=True, slots=True)
class StructureShape:
    """Named members, in the model's order. `members` is by name, `by_wire_name` by the name on the wire."""

    name: str
    members: dict[str, Member]
    by_wire_name: dict[str, Member]


Shape = StringShape | NumberShape | BooleanShape | BlobShape | TimestampShape | ListShape | MapShape | StructureShape

EMPTY = StructureShape("Empty", {}, {})
"""The input or output of an operation that has none."""
