"""What every answer of the JSON services to a boto3 client has to be, whichever test asks: just what the service model says.

boto3 overlooks members that its model does not have, and would never tell that one is null.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3

from moorage.wire.aws.common_errors import COMMON_CODES

_ENVELOPE = frozenset(("__type", "message"))


def watch() -> None:
    """Look at the answers to all clients that are made from now on by the default session of boto3."""
    if boto3.DEFAULT_SESSION is None:
        boto3.setup_default_session()
    for service in ("ecr", "ecr-public", "organizations", "service-quotas"):
        boto3.DEFAULT_SESSION.events.register(f"before-parse.{service}", _look, unique_id=f"answers-{service}")


def _look(operation_model: Any, response_dict: dict[str, Any], **_: Any) -> None:
    body = json.loads(response_dict["body"] or b"{}")
    name, status = operation_model.name, response_dict["status_code"]
    if status == 200:
        assert isinstance(body, dict), name
        faults = list(_faults(body, operation_model.output_shape, name)) if operation_model.output_shape else list(body)
    else:
        faults = list(_error_faults(body, operation_model))
    assert not faults, faults


def _error_faults(body: dict[str, Any], operation_model: Any) -> Iterator[str]:
    code = body.get("__type")
    of_operation = {shape.name: shape for shape in operation_model.error_shapes}
    if code in of_operation:
        yield from (f"{code}.{member}" for member in body if member not in {*_ENVELOPE, *of_operation[code].members})
    elif code not in COMMON_CODES["json"]:
        yield f"{operation_model.name} does not know {code}"
    elif not body.keys() <= _ENVELOPE:
        yield f"{code}: {sorted(body)}"


def _faults(value: Any, shape: Any, path: str) -> Iterator[str]:
    if value is None:
        yield f"{path} is null"
    elif shape.type_name == "structure":
        yield from (f"{path} has no {name}" for name in shape.required_members if name not in value)
        for name, item in value.items():
            if name in shape.members:
                yield from _faults(item, shape.members[name], f"{path}.{name}")
            else:
                yield f"{path}.{name} is not in the model"
    elif shape.type_name == "list":
        for item in value:
            yield from _faults(item, shape.member, f"{path}[]")
    elif shape.type_name == "map":
        for item in value.values():
            yield from _faults(item, shape.value, f"{path}{{}}")
    elif not isinstance(value, _JSON[shape.type_name]) or (shape.type_name != "boolean" and isinstance(value, bool)):
        yield f"{path} is {value!r}"
    elif shape.type_name == "string" and shape.enum and value not in shape.enum:
        yield f"{path} is {value}, which is none of {shape.enum}"
    elif shape.type_name == "timestamp" and isinstance(value, float) and round(value, 3) != value:
        yield f"{path} is {value}, which is more exact than milliseconds"


_JSON: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "blob": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "timestamp": (int, float),
}
