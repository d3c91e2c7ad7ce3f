"""The AWS query protocol: form fields to parameters, results to XML, driven by shapes.

Source: Smithy "AWS Query protocol". Lists are ``Name.member.1``, maps ``Name.entry.1.key``; a list named with an empty value is
an empty list.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any
from urllib.parse import unquote_to_bytes

from moorage.wire.aws.faults import OutputMismatch, SerializationFault
from moorage.wire.aws.models import OperationPlan, ServicePlan
from moorage.wire.aws.protocols.timestamps import parse_text, to_text
from moorage.wire.aws.shapes import (
    BlobShape,
    BooleanShape,
    ListShape,
    MapShape,
    NumberShape,
    Shape,
    StringShape,
    StructureShape,
    TimestampShape,
)

MAX_FIELDS = 10_000
_MAX_DEPTH = 32
_INTEGER = re.compile(r"-?[0-9]{1,19}")
_BITS = {"integer": 31, "long": 63}
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Fields = dict[str, str]


def parse_fields(data: bytes | bytearray) -> Fields:
    """The fields of a form body or a raw query string; the first of several with one name counts.

    Raises:
        SerializationFault: too many fields, or not UTF-8.
    """
    if data.count(b"&") >= MAX_FIELDS:
        raise SerializationFault(f"More than {MAX_FIELDS} parameters")
    fields: Fields = {}
    try:
        for part in bytes(data).split(b"&"):
            if part:
                name, _, value = part.partition(b"=")
                fields.setdefault(_unquote(name), _unquote(value))
    except UnicodeDecodeError:
        raise SerializationFault("The parameters are not valid UTF-8") from None
    return fields


def _unquote(text: bytes) -> str:
    text = text.replace(b"+", b" ")
    return (unquote_to_bytes(text) if b"%" in text else text).decode()


class _Node:
    """A name in the tree that dotted field names make: its own value, and what hangs below it."""

    __slots__ = ("below", "value")

    def __init__(self) -> None:
        self.value: str | None = None
        self.below: dict[str, _Node] = {}


def parse_params(fields: Fields, shape: StructureShape) -> dict[str, Any]:
    """The parameters among `fields` that `shape` names.

    Raises:
        SerializationFault: a value that is not of its shape's type.
    """
    root = _Node()
    for name, value in fields.items():
        node = root
        for part in name.split(".", _MAX_DEPTH):
            child = node.below.get(part)
            if child is None:
                child = node.below[part] = _Node()
            node = child
        node.value = value
    return _parse_structure(root, shape)


def _parse_structure(node: _Node, shape: StructureShape) -> dict[str, Any]:
    params = {}
    for member in shape.members.values():
        inner = member.shape
        name = member.wire_name
        if isinstance(inner, ListShape) and inner.is_flattened and inner.member_name != "member":
            name = inner.member_name
        child = node.below.get(name)
        if child is not None:
            value = _PARSERS[type(inner)](child, inner)
            if value is not None:
                params[member.name] = value
    return params


def _in_order(node: _Node) -> list[_Node]:
    """The children whose names are numbers, in the order of the numbers; gaps do not count."""
    numbered = [(int(name), child) for name, child in node.below.items() if name.isascii() and name.isdigit() and len(name) < 10]
    return [child for _, child in sorted(numbered, key=lambda pair: pair[0])]


def _parse_list(node: _Node, shape: ListShape) -> list[Any] | None:
    items = node if shape.is_flattened else node.below.get(shape.member_name)
    if items is None or not items.below:
        return [] if node.value == "" else None
    return [_PARSERS[type(shape.member)](child, shape.member) for child in _in_order(items)]


def _parse_map(node: _Node, shape: MapShape) -> dict[str, Any] | None:
    entries = node if shape.is_flattened else node.below.get("entry")
    if entries is None or not entries.below:
        return {} if node.value == "" else None
    params = {}
    for entry in _in_order(entries):
        key, value = entry.below.get(shape.key_name), entry.below.get(shape.value_name)
        if key is None or key.value is None:
            raise SerializationFault("A map entry has no key")
        params[key.value] = None if value is None else _PARSERS[type(shape.value)](value, shape.value)
    return params


def _parse_string(node: _Node, _shape: StringShape) -> str | None:
    if node.value is not None and "\0" in node.value:
        raise SerializationFault("A string holds a character that no document may hold")
    return node.value


def _parse_boolean(node: _Node, _shape: BooleanShape) -> bool | None:
    if node.value is None:
        return None
    lowered = node.value.lower()
    if lowered in {"true", "false"}:
        return lowered == "true"
    raise SerializationFault("A Boolean is neither true nor false")


def _parse_number(node: _Node, shape: NumberShape) -> int | float | None:
    text = node.value
    if text is None:
        return None
    bits = _BITS.get(shape.kind)
    if bits is None:
        try:
            number = float(text[:64])
        except ValueError:
            raise SerializationFault("A number cannot be read") from None
        if isfinite(number):
            return number
    elif _INTEGER.fullmatch(text) and -(1 << bits) <= int(text) < 1 << bits:
        return int(text)
    raise SerializationFault("A number cannot be read")


def _parse_blob(node: _Node, _shape: BlobShape) -> bytes | None:
    try:
        return None if node.value is None else binascii.a2b_base64(node.value.encode("ascii"), strict_mode=True)
    except (binascii.Error, UnicodeEncodeError):
        raise SerializationFault("Invalid base64 in a blob") from None


def _parse_timestamp(node: _Node, _shape: TimestampShape) -> float | None:
    return None if node.value is None else parse_text(node.value)


_PARSERS: dict[type, Callable[[_Node, Any], Any]] = {
    StringShape: _parse_string,
    StructureShape: _parse_structure,
    ListShape: _parse_list,
    MapShape: _parse_map,
    BooleanShape: _parse_boolean,
    NumberShape: _parse_number,
    BlobShape: _parse_blob,
    TimestampShape: _parse_timestamp,
}


def render_document(output: Mapping[str, Any], service: ServicePlan, operation: OperationPlan, request_id: str) -> bytes:
    """The XML document of an operation's `output`: absent and None members are left out.

    Raises:
        OutputMismatch: a member that the shape lacks, or a value of the wrong type.
    """
    response, wrapper = f"{operation.name}Response", operation.result_wrapper
    out = [f'<{response} xmlns="{service.xml_namespace}">']
    if wrapper is not None:
        out.append(f"<{wrapper}>")
    try:
        _render_structure(out, output, operation.output)
    except (TypeError, ValueError, AttributeError, SerializationFault) as error:
        raise OutputMismatch(f"{operation.output.name}: {error}") from error
    if wrapper is not None:
        out.append(f"</{wrapper}>")
    out.append(f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{response}>")
    return "".join(out).encode()


def _render_structure(out: list[str], output: Mapping[str, Any], shape: StructureShape) -> None:
    for name, value in output.items():
        member = shape.members.get(name)
        if member is None:
            raise OutputMismatch(f"{shape.name} has no member {name}")
        if value is not None:
            _render_element(out, member.wire_name, value, member.shape)


def _render_element(out: list[str], name: str, value: Any, shape: Shape) -> None:
    if isinstance(shape, ListShape):
        if isinstance(value, str | bytes | Mapping):
            raise OutputMismatch(f"{shape.name} cannot be {type(value).__name__}")
        if shape.is_flattened:
            item_name = shape.member_name if shape.member_name != "member" else name
            for item in value:
                _render_element(out, item_name, item, shape.member)
            return
        out.append(f"<{name}>")
        for item in value:
            _render_element(out, shape.member_name, item, shape.member)
    elif isinstance(shape, MapShape):
        out.append("" if shape.is_flattened else f"<{name}>")
        entry_name = name if shape.is_flattened else "entry"
        for key, item in value.items():
            out.append(f"<{entry_name}>")
            _render_element(out, shape.key_name, key, shape.key)
            _render_element(out, shape.value_name, item, shape.value)
            out.append(f"</{entry_name}>")
        if shape.is_flattened:
            return
    elif isinstance(shape, StructureShape):
        out.append(f"<{name}>")
        _render_structure(out, value, shape)
    else:
        out.append(f"<{name}>")
        out.append(_scalar_text(value, shape))
    out.append(f"</{name}>")


def _scalar_text(value: Any, shape: Shape) -> str:
    match shape, value:
        case StringShape(), str():
            return escape(value)
        case BooleanShape(), bool():
            return "true" if value else "false"
        case NumberShape(), (int() | float()) if type(value) is not bool and isfinite(value):
            if type(value) is int or shape.kind not in _BITS:
                return str(value)
        case BlobShape(), bytes() | bytearray() | memoryview():
            return binascii.b2a_base64(value, newline=False).decode("ascii")
        case TimestampShape(), (int() | float()) if type(value) is not bool:
            return to_text(value, shape.format)
    raise OutputMismatch(f"{shape.name} cannot be {type(value).__name__}")


def escape(text: str) -> str:
    """`text` for XML character data; what XML 1.0 cannot hold at all becomes U+FFFD."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")
    return _NOT_XML.sub("\ufffd", text)


def render_error(code: str, message: str, is_sender_fault: bool, namespace: str, request_id: str) -> bytes:
    """The XML body of an error."""
    kind = "Sender" if is_sender_fault else "Receiver"
    return (
        f'<ErrorResponse xmlns="{namespace}"><Error><Type>{kind}</Type><Code>{escape(code)}</Code>'
        f"<Message>{escape(message)}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
    ).encode()
