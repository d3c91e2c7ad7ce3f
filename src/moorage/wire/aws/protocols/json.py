"""AWS JSON 1.1: request documents to parameters, results to documents, driven by shapes.

Source: Smithy "AWS JSON 1.1 protocol". Null means absent; members that a shape does not name are ignored in requests.
"""

from __future__ import annotations

import binascii
import codecs
from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any

import msgspec

from moorage.wire.aws.faults import OutputMismatch, SerializationFault
from moorage.wire.aws.protocols.timestamps import check_range, to_number
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

_BLOB_CHUNK = 1 << 20
"""Characters of base64 per step, a multiple of four: other threads get their turn between steps."""

_NO_JSON = "The request body is not a valid JSON document"

_decode = msgspec.json.Decoder().decode
_decode_text = msgspec.json.Decoder(str).decode
_decode_bytes = msgspec.json.Decoder(bytes).decode
_encode = msgspec.json.Encoder().encode
_INTEGER_BITS = {"integer": 31, "long": 63}


def parse_document(body: bytes | bytearray, shape: StructureShape) -> dict[str, Any]:
    """The parameters in `body`, which builds all of it in memory first; an empty body is an empty document.

    Raises:
        SerializationFault: not JSON, nested too deeply, or a member of the wrong type.
    """
    if not body:
        return {}
    return parse_structure(_guarded(_decode, body), shape)


class LargeParser:
    """Parses documents of an operation whose body may be large: only the members of its shape are ever built."""

    def __init__(self, shape: StructureShape) -> None:
        self._shape = shape
        fields = [(f"m{n}", msgspec.Raw, msgspec.field(name=name, default=None)) for n, name in enumerate(shape.by_wire_name)]
        self._members = {f"m{n}": member for n, member in enumerate(shape.by_wire_name.values())}
        self._decoder = msgspec.json.Decoder(msgspec.defstruct(f"Large{shape.name}", fields))

    def parse(self, body: bytes | bytearray) -> dict[str, Any]:
        """As `parse_document`; takes long for a large body, so it belongs into a thread."""
        if not body:
            return {}
        if not body.isascii():
            _require_utf8(body)
        document = _guarded(self._decoder.decode, body)
        params: dict[str, Any] = {}
        for field, member in self._members.items():
            raw = getattr(document, field)
            if raw is None or (first := memoryview(raw)[0]) == ord("n"):  # null, or it would not have been read
                continue
            shape = member.shape
            is_text = first == ord('"')
            if is_text and isinstance(shape, BlobShape):
                params[member.name] = _parse_large_blob(raw)
            elif is_text and isinstance(shape, StringShape):
                params[member.name] = _guarded(_decode_text, raw)
            else:
                params[member.name] = _parse_value(_guarded(_decode, raw), shape)
        return params


def _require_utf8(body: bytes | bytearray) -> None:
    """All of a document has to be UTF-8, also the members that the decoder skips without reading them."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    view = memoryview(body)
    try:
        for start in range(0, len(view), _BLOB_CHUNK):
            decoder.decode(view[start : start + _BLOB_CHUNK])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise SerializationFault(_NO_JSON) from None


def _parse_large_blob(raw: msgspec.Raw) -> bytes | bytearray:
    if len(memoryview(raw)) > _BLOB_CHUNK:
        try:
            return _decode_in_chunks(memoryview(raw)[1:-1])
        except msgspec.MsgspecError:
            pass  # Escapes (PHP writes "\/") or bad base64: the slow way tells which.
    return _decode_blob(_guarded(_decode_text, raw))


def _decode_in_chunks(text: memoryview) -> bytearray:
    blob = bytearray(len(text) // 4 * 3)
    end = 0
    for start in range(0, len(text), _BLOB_CHUNK):
        chunk = text[start : start + _BLOB_CHUNK]
        piece = _decode_bytes(b"".join((b'"', chunk, b'"')))
        if len(piece) != len(chunk) // 4 * 3 and start + _BLOB_CHUNK < len(text):
            raise msgspec.DecodeError("padding inside")
        blob[end : end + len(piece)] = piece
        end += len(piece)
    del blob[end:]
    return blob


def _decode_blob(text: str) -> bytes:
    try:
        return binascii.a2b_base64(text.encode("ascii"), strict_mode=True)
    except (binascii.Error, UnicodeEncodeError):
        raise SerializationFault("Invalid base64 in a blob") from None


def _guarded(decode: Callable[[Any], Any], data: object) -> Any:
    try:
        return decode(data)
    except msgspec.ValidationError as error:
        raise SerializationFault(_mistyped_document(data, error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise SerializationFault(_NO_JSON) from None


def _mistyped_document(data: object, error: msgspec.ValidationError) -> str:
    first = bytes(memoryview(data)[:64]).lstrip()[:1] if isinstance(data, bytes | bytearray | msgspec.Raw) else b""
    if first == b"[":
        return "Start of list found where not expected."
    return "Number out of range" if "out of range" in str(error) else "Unexpected value type in payload"


def parse_structure(value: Any, shape: StructureShape) -> dict[str, Any]:
    """The members of a decoded document that `shape` names.

    Raises:
        SerializationFault: a member, or the whole, has the wrong type.
    """
    if type(value) is not dict:
        raise _mistyped(value, "a structure")
    params = {}
    members = shape.by_wire_name
    for name, item in value.items():
        if item is not None and (member := members.get(name)) is not None:
            params[member.name] = _PARSERS[type(member.shape)](item, member.shape)
    return params


def _parse_value(value: Any, shape: Shape) -> Any:
    return _PARSERS[type(shape)](value, shape)


def _parse_string(value: Any, _shape: StringShape) -> str:
    if type(value) is str:
        return value
    raise _mistyped(value, "a String")


def _parse_list(value: Any, shape: ListShape) -> list[Any]:
    if type(value) is not list:
        raise _mistyped(value, "a List")
    member = shape.member
    parse = _PARSERS[type(member)]
    return [None if item is None else parse(item, member) for item in value]


def _parse_map(value: Any, shape: MapShape) -> dict[str, Any]:
    if type(value) is not dict:
        raise _mistyped(value, "a Map")
    return {key: None if item is None else _parse_value(item, shape.value) for key, item in value.items()}


def _parse_boolean(value: Any, _shape: BooleanShape) -> bool:
    if type(value) is bool:
        return value
    raise _mistyped(value, "a Boolean")


def _parse_number(value: Any, shape: NumberShape) -> int | float:
    bits = _INTEGER_BITS.get(shape.kind)
    if bits is None:
        if type(value) is int and value.bit_length() < 1024:
            return float(value)
        if type(value) is float:
            return value
    elif type(value) is int:
        if -(1 << bits) <= value < 1 << bits:
            return value
        raise SerializationFault("Number out of range")
    raise _mistyped(value, "an Integer" if shape.kind == "integer" else f"a {shape.kind.capitalize()}")


def _parse_blob(value: Any, _shape: BlobShape) -> bytes:
    if type(value) is str:
        return _decode_blob(value)
    raise _mistyped(value, "a Blob")


def _parse_timestamp(value: Any, _shape: TimestampShape) -> float:
    if type(value) is int or type(value) is float:
        return check_range(value)
    raise _mistyped(value, "a Timestamp")


_PARSERS: dict[type, Callable[[Any, Any], Any]] = {
    StringShape: _parse_string,
    StructureShape: parse_structure,
    ListShape: _parse_list,
    MapShape: _parse_map,
    BooleanShape: _parse_boolean,
    NumberShape: _parse_number,
    BlobShape: _parse_blob,
    TimestampShape: _parse_timestamp,
}


def _mistyped(value: object, wanted: str) -> SerializationFault:
    if isinstance(value, dict):
        return SerializationFault("Start of structure or map found where not expected.")
    if isinstance(value, list):
        return SerializationFault("Start of list found where not expected.")
    match value:
        case bool():
            found = "TRUE_VALUE" if value else "FALSE_VALUE"
        case str():
            found = "STRING_VALUE"
        case int():
            found = "NUMBER_VALUE"
        case float():
            found = "DECIMAL_VALUE"
        case _:
            found = "NULL_VALUE"
    return SerializationFault(f"{found} can not be converted to {wanted}")


def render_document(output: Mapping[str, Any], shape: StructureShape) -> bytes:
    """The document of `output`: absent and None members are left out.

    Raises:
        OutputMismatch: a member that the shape lacks, or a value of the wrong type.
    """
    try:
        return _encode(render_structure(output, shape))
    except (TypeError, ValueError, AttributeError, SerializationFault) as error:
        raise OutputMismatch(f"{shape.name}: {error}") from error


def render_structure(output: Mapping[str, Any], shape: StructureShape) -> dict[str, Any]:
    document = {}
    members = shape.members
    for name, value in output.items():
        member = members.get(name)
        if member is None:
            raise OutputMismatch(f"{shape.name} has no member {name}")
        if value is not None:
            document[member.wire_name] = _RENDERERS[type(member.shape)](value, member.shape)
    return document


def _render_value(value: Any, shape: Shape) -> Any:
    return _RENDERERS[type(shape)](value, shape)


def _render_string(value: Any, shape: StringShape) -> str:
    if isinstance(value, str):
        return value
    raise _wrong_output(value, shape)


def _render_list(value: Any, shape: ListShape) -> list[Any]:
    if isinstance(value, str | bytes | Mapping):
        raise _wrong_output(value, shape)
    return [_render_value(item, shape.member) for item in value]


def _render_map(value: Any, shape: MapShape) -> dict[str, Any]:
    return {key: _render_value(item, shape.value) for key, item in value.items()}


def _render_boolean(value: Any, shape: BooleanShape) -> bool:
    if type(value) is bool:
        return value
    raise _wrong_output(value, shape)


def _render_number(value: Any, shape: NumberShape) -> int | float:
    if type(value) is int or (type(value) is float and shape.kind not in _INTEGER_BITS and isfinite(value)):
        return value
    raise _wrong_output(value, shape)


def _render_blob(value: Any, shape: BlobShape) -> str:
    if isinstance(value, bytes | bytearray | memoryview):
        return binascii.b2a_base64(value, newline=False).decode("ascii")
    raise _wrong_output(value, shape)


def _render_timestamp(value: Any, shape: TimestampShape) -> int | float:
    if type(value) is int or type(value) is float:
        return to_number(value)
    raise _wrong_output(value, shape)


_RENDERERS: dict[type, Callable[[Any, Any], Any]] = {
    StringShape: _render_string,
    StructureShape: render_structure,
    ListShape: _render_list,
    MapShape: _render_map,
    BooleanShape: _render_boolean,
    NumberShape: _render_number,
    BlobShape: _render_blob,
    TimestampShape: _render_timestamp,
}


def _wrong_output(value: object, shape: Shape) -> OutputMismatch:
    return OutputMismatch(f"{shape.name} cannot be {type(value).__name__}")


def render_error(code: str, message: str, members: Mapping[str, Any]) -> bytes:
    """The body of an error; `members` are the further ones that its shape has, None left out."""
    return _encode({"__type": code, "message": message} | {name: value for name, value in members.items() if value is not None})
