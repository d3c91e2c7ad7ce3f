"""Checks parameters against the constraints of their shapes, and words what is wrong as the services do.

There are two families of messages: ``InvalidParameterException`` with the first violation, and ``ValidationException``
(``ValidationError`` in the query protocol) with all of them. An operation has the first if its own list of errors has that code.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from moorage.wire.aws.faults import ConstraintFault
from moorage.wire.aws.models import OperationPlan, ServicePlan
from moorage.wire.aws.patterns import matches
from moorage.wire.aws.shapes import BlobShape, ListShape, MapShape, NumberShape, Shape, StringShape, StructureShape

_MAX_TOLD = 50
"""Violations in one message, and characters of a value that a message repeats."""
_MAX_SHOWN = 256

_Path = tuple[Any, ...]
"""The path of the parent and the last step; empty at the top."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken constraint: where, by which value, and the constraint as ``ValidationException`` words it."""

    path: str
    value: Any
    constraint: str
    pattern: str | None = None
    is_sensitive: bool = False


def check(params: dict[str, Any], service: ServicePlan, operation: OperationPlan) -> None:
    """Check the parameters of an operation.

    Raises:
        ConstraintFault: with the message, and the code of the family that the operation has.
    """
    found = _structure(params, operation.input, ())
    first = next(found, None)
    if first is None:
        return
    if has_parameter_family(service, operation):
        raise ConstraintFault("InvalidParameterException", parameter_message(first.path, _short_constraint(first)))
    violations = [first, *(violation for violation, _ in zip(found, range(_MAX_TOLD - 1), strict=False))]
    count = len(violations)
    if service.protocol == "query":
        violations = [replace(violation, path=_in_camel_case(violation.path)) for violation in violations]
    head = f"{count} validation error{'s' if count > 1 else ''} detected: "
    code = "ValidationError" if service.protocol == "query" else "ValidationException"
    raise ConstraintFault(code, head + "; ".join(_told(violation) for violation in violations))


def _in_camel_case(path: str) -> str:
    """A path as services of the query protocol tell it, whose members begin with a capital in the model: ``userName``."""
    return ".".join(step[:1].lower() + step[1:] for step in path.split("."))


def has_parameter_family(service: ServicePlan, operation: OperationPlan) -> bool:
    """Tell whether violations are told as ``InvalidParameterException``."""
    return service.protocol == "json" and "InvalidParameterException" in operation.error_codes


def parameter_message(path: str, constraint: str) -> str:
    """The text of ``InvalidParameterException``."""
    return f"Invalid parameter at '{path}' failed to satisfy constraint: '{constraint}'"


def validation_message(path: str, value: str, constraint: str) -> str:
    """The text of ``ValidationException`` with one violation; `value` as `shown` gives it."""
    return f"1 validation error detected: Value {value} at '{path}' failed to satisfy constraint: {constraint}"


def shown(value: object) -> str:
    """`value` for a message: null bare, anything else in quotes, and never more than its beginning."""
    if value is None:
        return "null"
    text = f"[{', '.join(_inner(item) for item in value[:16])}]" if isinstance(value, list) else _inner(value)
    return f"'{text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + '...'}'"


def _inner(value: object) -> str:
    if isinstance(value, str):
        return value[: _MAX_SHOWN + 1]
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    return f"<{type(value).__name__}>"


def _told(violation: Violation) -> str:
    where = f"at '{violation.path}' failed to satisfy constraint: {violation.constraint}"
    return f"Value {where}" if violation.is_sensitive else f"Value {shown(violation.value)} {where}"


def _short_constraint(violation: Violation) -> str:
    return violation.constraint if violation.pattern is None else f"must satisfy regular expression '{violation.pattern}'"


def _render(path: _Path) -> str:
    steps: list[str] = []
    while path:
        path, step = path
        steps.append(step if isinstance(step, str) else f"{step + 1}.member")
    return ".".join(reversed(steps))


def _structure(value: dict[str, Any], shape: StructureShape, path: _Path) -> Iterator[Violation]:
    for name, member in shape.members.items():
        item = value.get(name)
        if item is not None:
            yield from _check(item, member.shape, (path, name))
        elif member.is_required:
            yield Violation(_render((path, name)), None, "Member must not be null")


def _check(value: Any, shape: Shape, path: _Path) -> Iterator[Violation]:
    if isinstance(shape, StringShape):
        broken = _string_fault(value, shape)
        if broken is not None:
            pattern = shape.pattern if broken.startswith("Member must satisfy regular") else None
            yield Violation(_render(path), value, broken, pattern, shape.is_sensitive)
    elif isinstance(shape, StructureShape):
        yield from _structure(value, shape, path)
    elif isinstance(shape, NumberShape):
        fault = _range_fault(value, shape)
        if fault is not None:
            yield Violation(_render(path), value, fault)
    elif isinstance(shape, ListShape | MapShape | BlobShape):
        fault = _size_fault(len(value), shape)
        if fault is not None:
            yield Violation(_render(path), value, fault)
        elif not isinstance(shape, BlobShape):
            yield from _items(value, shape, path)


def _items(value: Any, shape: ListShape | MapShape, path: _Path) -> Iterator[Violation]:
    if isinstance(shape, ListShape):
        for position, item in enumerate(value):
            yield from _item(item, shape.member, (path, position))
    else:
        for key, item in value.items():
            yield from _check(key, shape.key, (path, "key"))
            yield from _item(item, shape.value, (path, "value"))


def _item(item: Any, shape: Shape, path: _Path) -> Iterator[Violation]:
    if item is None:
        yield Violation(_render(path), None, "Member must not be null")
    else:
        yield from _check(item, shape, path)


def _string_fault(value: str, shape: StringShape) -> str | None:
    fault = _size_fault(len(value), shape)
    if fault is not None:
        return fault
    if "\x00" in value:
        return "Member must not contain null characters"  # no database keeps them
    if shape.enum and value not in shape.enum:
        return f"Member must satisfy enum value set: [{', '.join(shape.enum)}]"
    if shape.pattern is not None and not matches(shape.pattern, value):
        return f"Member must satisfy regular expression pattern: {shape.pattern}"
    return None


def _size_fault(size: int, shape: StringShape | BlobShape | ListShape | MapShape) -> str | None:
    if shape.max is not None and size > shape.max:
        return f"Member must have length less than or equal to {shape.max}"
    if shape.min is not None and size < shape.min:
        return f"Member must have length greater than or equal to {shape.min}"
    return None


def _range_fault(value: float, shape: NumberShape) -> str | None:
    if shape.max is not None and value > shape.max:
        return f"Member must have value less than or equal to {shape.max:.15g}"
    if shape.min is not None and value < shape.min:
        return f"Member must have value greater than or equal to {shape.min:.15g}"
    return None
