"""Loads botocore's service models and compiles them into plans.

The model files are read as data, without importing botocore: its packages would cost 8 MiB of memory and a tenth of a second in a
server that never sends a request with them. Documentation and whatever else is not named here is never built in memory.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import msgspec

from moorage.wire.aws.shapes import (
    EMPTY,
    BlobShape,
    BooleanShape,
    ListShape,
    MapShape,
    Member,
    NumberShape,
    Shape,
    StringShape,
    StructureShape,
    TimestampShape,
)


class ModelMissing(LookupError):
    """No such service, operation or shape in the installed models."""


@dataclass(frozen=True, slots=True)
class ErrorPlan:
    """An error of the model: its code on the wire, its HTTP status and the members its body may have."""

    code: str
    status: int
    is_sender_fault: bool
    shape: StructureShape


@dataclass(frozen=True, slots=True)
class OperationPlan:
    """An operation of the model. `error_codes` are those it may answer with; `is_signed` is False where anybody may call."""

    name: str
    input: StructureShape
    output: StructureShape
    has_output: bool
    result_wrapper: str | None
    error_codes: frozenset[str]
    is_signed: bool


@dataclass(frozen=True, slots=True)
class ServicePlan:
    """A service of the model. `target_prefix` is that of X-Amz-Target in the JSON protocol, empty in the query protocol."""

    name: str
    signing_name: str
    protocol: Literal["json", "query"]
    api_version: str
    target_prefix: str
    xml_namespace: str
    json_version: str
    operations: Mapping[str, OperationPlan]
    errors: Mapping[str, ErrorPlan] = field(repr=False)


class _Metadata(msgspec.Struct, rename="camel"):
    api_version: str
    protocol: str
    endpoint_prefix: str
    signing_name: str | None = None
    target_prefix: str = ""
    xml_namespace: str = ""
    json_version: str = "1.1"


class _Ref(msgspec.Struct, rename="camel"):
    shape: str
    location_name: str | None = None
    result_wrapper: str | None = None
    flattened: bool = False
    timestamp_format: str | None = None


class _Error(msgspec.Struct, rename="camel"):
    code: str | None = None
    http_status_code: int = 400
    sender_fault: bool = True


class _Shape(msgspec.Struct, rename="camel"):
    type: str
    members: dict[str, _Ref] = {}
    required: list[str] = []
    member: _Ref | None = None
    key: _Ref | None = None
    value: _Ref | None = None
    min: float | None = None
    max: float | None = None
    pattern: str | None = None
    enum: list[str] = []
    sensitive: bool = False
    flattened: bool = False
    timestamp_format: str | None = None
    exception: bool = False
    fault: bool = False
    error: _Error | None = None


class _Operation(msgspec.Struct, rename="camel"):
    name: str
    input: _Ref | None = None
    output: _Ref | None = None
    errors: list[_Ref] = []
    authtype: str | None = None


class _Model(msgspec.Struct):
    metadata: _Metadata
    operations: dict[str, _Operation]
    shapes: dict[str, _Shape]


@cache
def service_plan(name: str) -> ServicePlan:
    """The plan of the service that botocore calls `name` (``ecr``, ``ecr-public``, ``sts``), from its newest model.

    Raises:
        ModelMissing: botocore has no such service, or its protocol is none of ours.
    """
    model = msgspec.json.decode(_read_model(name), type=_Model)
    compiler = _Compiler(model)
    metadata = model.metadata
    if metadata.protocol not in {"json", "query"}:
        raise ModelMissing(f"{name} speaks {metadata.protocol}")
    return ServicePlan(
        name=name,
        signing_name=metadata.signing_name or metadata.endpoint_prefix,
        protocol="json" if metadata.protocol == "json" else "query",
        api_version=metadata.api_version,
        target_prefix=metadata.target_prefix,
        xml_namespace=metadata.xml_namespace,
        json_version=metadata.json_version,
        operations={operation.name: compiler.operation(operation) for operation in model.operations.values()},
        errors=compiler.errors(),
    )


def _read_model(name: str) -> bytes:
    spec = find_spec("botocore")
    if spec is None or not spec.submodule_search_locations:
        raise ModelMissing("botocore is not installed")
    folder = Path(spec.submodule_search_locations[0]) / "data" / name
    files = sorted(folder.glob("*/service-2.json*"))
    if not files:
        raise ModelMissing(f"botocore has no model of {name}")
    data = files[-1].read_bytes()
    return gzip.decompress(data) if files[-1].suffix == ".gz" else data


class _Compiler:
    """Turns the shapes of one model into plans, each shape once."""

    def __init__(self, model: _Model) -> None:
        self._model = model
        self._done: dict[tuple[str, str | None], Shape] = {}

    def operation(self, operation: _Operation) -> OperationPlan:
        return OperationPlan(
            name=operation.name,
            input=self._structure(operation.input),
            output=self._structure(operation.output),
            has_output=operation.output is not None,
            result_wrapper=operation.output.result_wrapper if operation.output else None,
            error_codes=frozenset(self._code(error.shape) for error in operation.errors),
            is_signed=operation.authtype != "none",
        )

    def errors(self) -> dict[str, ErrorPlan]:
        plans = {}
        for name, shape in self._model.shapes.items():
            if shape.exception or shape.error is not None:
                error = shape.error or _Error()
                status = 500 if shape.fault else error.http_status_code
                is_sender = error.sender_fault and not shape.fault
                code = self._code(name)
                plans[code] = ErrorPlan(code, status, is_sender, self._structure(_Ref(name)))
        return plans

    def _code(self, shape_name: str) -> str:
        error = self._model.shapes[shape_name].error
        return error.code if error is not None and error.code is not None else shape_name

    def _structure(self, ref: _Ref | None) -> StructureShape:
        if ref is None:
            return EMPTY
        shape = self.shape(ref)
        assert isinstance(shape, StructureShape)
        return shape

    def shape(self, ref: _Ref) -> Shape:
        key = (ref.shape, ref.timestamp_format)
        done = self._done.get(key)
        if done is None:
            raw = self._model.shapes.get(ref.shape)
            if raw is None:
                raise ModelMissing(f"the model names no shape {ref.shape}")
            if raw.type == "structure":
                # Entered before its members: a structure may contain itself.
                structure = StructureShape(ref.shape, {}, {})
                self._done[key] = structure
                for name, member_ref in raw.members.items():
                    wire_name = member_ref.location_name or name
                    member = Member(name, wire_name, self.shape(member_ref), name in raw.required)
                    structure.members[name] = member
                    structure.by_wire_name[wire_name] = member
                return structure
            done = self._done[key] = self._plain(ref, raw)
        return done

    def _plain(self, ref: _Ref, raw: _Shape) -> Shape:
        name, low, high = ref.shape, _whole(raw.min), _whole(raw.max)
        shape: Shape
        match raw.type:
            case "string" | "character":
                shape = StringShape(name, low, high, raw.pattern, tuple(raw.enum), raw.sensitive)
            case "integer" | "long" | "float" | "double":
                kind: Any = raw.type
                shape = NumberShape(name, kind, raw.min, raw.max)
            case "boolean":
                shape = BooleanShape(name)
            case "blob":
                shape = BlobShape(name, low, high)
            case "timestamp":
                form: Any = ref.timestamp_format or raw.timestamp_format
                shape = TimestampShape(name, form)
            case "list" if raw.member is not None:
                member_name = raw.member.location_name or "member"
                shape = ListShape(name, self.shape(raw.member), low, high, member_name, raw.flattened)
            case "map" if raw.key is not None and raw.value is not None:
                key = self.shape(raw.key)
                assert isinstance(key, StringShape)
                names = (raw.key.location_name or "key", raw.value.location_name or "value")
                shape = MapShape(name, key, self.shape(raw.value), low, high, *names, raw.flattened)
            case _:
                raise ModelMissing(f"{name} has the type {raw.type}")
        return shape


def _whole(bound: float | None) -> int | None:
    return None if bound is None else int(bound)
