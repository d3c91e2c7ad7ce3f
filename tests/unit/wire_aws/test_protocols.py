"""Both directions of both protocols, over every shape, against botocore's own serialiser and parser."""

from __future__ import annotations

import base64
import math
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import botocore.loaders
import msgspec
import pytest
from botocore.model import ServiceModel
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moorage.wire.aws.faults import OutputMismatch, SerializationFault
from moorage.wire.aws.models import service_plan
from moorage.wire.aws.protocols import json, query
from moorage.wire.aws.shapes import (
    BlobShape,
    BooleanShape,
    ListShape,
    MapShape,
    NumberShape,
    Shape,
    StringShape,
    StructureShape,
)

SERVICES = ("ecr", "ecr-public", "sts")
OPERATIONS = [(service, name) for service in SERVICES for name in sorted(service_plan(service).operations)]
TEXT = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Z")), max_size=12)
XML_TEXT = TEXT.filter(lambda text: text == text.strip())
SECONDS = st.integers(0, 4_000_000_000)


def values(shape: Shape, *, text: st.SearchStrategy[str] = TEXT) -> st.SearchStrategy[Any]:
    match shape:
        case StringShape():
            return text
        case BooleanShape():
            return st.booleans()
        case NumberShape(kind="integer"):
            return st.integers(-(2**31), 2**31 - 1)
        case NumberShape(kind="long"):
            return st.integers(-(2**63), 2**63 - 1)
        case NumberShape():
            return st.floats(allow_nan=False, allow_infinity=False, width=32)
        case BlobShape():
            return st.binary(max_size=40)
        case ListShape():
            return st.lists(values(shape.member, text=text), max_size=3)
        case MapShape():
            return st.dictionaries(text, values(shape.value, text=text), max_size=3)
        case StructureShape():
            members = {name: values(member.shape, text=text) for name, member in shape.members.items()}
            return st.fixed_dictionaries({}, optional=members)
        case _:
            return SECONDS


def model_of(service: str) -> ServiceModel:
    return ServiceModel(botocore.loaders.Loader().load_service_model(service, "service-2"), service)


MODELS = {service: model_of(service) for service in SERVICES}


@pytest.mark.parametrize(("service", "operation"), OPERATIONS)
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_requests_of_botocore_are_read_as_they_were_meant(service: str, operation: str, data: st.DataObject) -> None:
    shape = service_plan(service).operations[operation].input
    params = data.draw(values(shape))
    model = MODELS[service]
    serializer = create_serializer(model.metadata["protocol"], include_validation=False)
    request = serializer.serialize_to_request(params, model.operation_model(operation))
    if model.metadata["protocol"] == "json":
        assert json.parse_document(request["body"], shape) == params
        assert json.LargeParser(shape).parse(request["body"]) == params
    else:
        body = request["body"]
        encoded = body if isinstance(body, bytes) else urlencode(body).encode()
        assert query.parse_params(query.parse_fields(encoded), shape) == without_empty_structures(params)


def without_empty_structures(value: Any) -> Any:
    """The query protocol cannot say that a structure is there and empty, so neither that a list holds only such."""
    if isinstance(value, dict):
        cleaned = {key: without_empty_structures(item) for key, item in value.items()}
        return {key: item for key, item in cleaned.items() if item != {}}
    if isinstance(value, list):
        cleaned_list = [item for item in map(without_empty_structures, value) if item != {}]
        return cleaned_list if cleaned_list or not value else {}
    return value


@pytest.mark.parametrize(("service", "operation"), OPERATIONS)
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_results_are_read_by_botocore_as_they_were_meant(service: str, operation: str, data: st.DataObject) -> None:
    plan = service_plan(service)
    shape = plan.operations[operation].output
    is_json = plan.protocol == "json"
    output = data.draw(values(shape, text=TEXT if is_json else XML_TEXT))
    body = (
        json.render_document(output, shape) if is_json else query.render_document(output, plan, plan.operations[operation], "id")
    )
    parsed = create_parser(plan.protocol).parse(
        {"body": body, "headers": {}, "status_code": 200}, MODELS[service].operation_model(operation).output_shape
    )
    parsed.pop("ResponseMetadata", None)
    assert as_ours(parsed) == output


def as_ours(value: Any) -> Any:
    match value:
        case datetime():
            return int(value.astimezone(UTC).timestamp())
        case dict():
            return {key: as_ours(item) for key, item in value.items()}
        case list():
            return [as_ours(item) for item in value]
    return value


LIST_IMAGES = service_plan("ecr").operations["ListImages"].input
PUT_TAGS = service_plan("ecr").operations["TagResource"].input
UPLOAD = service_plan("ecr").operations["UploadLayerPart"].input


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "not a valid JSON"),
        (b'"\xff"', "not a valid JSON"),
        (b'{"maxResults":NaN}', "not a valid JSON"),
        (b"[" * 100_000 + b"]" * 100_000, "not a valid JSON"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "not a valid JSON"),
        (b'{"repositoryName":"\\ud800"}', "not a valid JSON"),
        (b"[]", "Start of list found where not expected."),
        (b"1", "NUMBER_VALUE can not be converted to a structure"),
        (b"null", "NULL_VALUE can not be converted to a structure"),
        (b'{"repositoryName":{}}', "Start of structure or map found where not expected."),
        (b'{"repositoryName":[]}', "Start of list found where not expected."),
        (b'{"repositoryName":1}', "NUMBER_VALUE can not be converted to a String"),
        (b'{"repositoryName":1.5}', "DECIMAL_VALUE can not be converted to a String"),
        (b'{"repositoryName":true}', "TRUE_VALUE can not be converted to a String"),
        (b'{"maxResults":"1"}', "STRING_VALUE can not be converted to an Integer"),
        (b'{"maxResults":false}', "FALSE_VALUE can not be converted to an Integer"),
        (b'{"maxResults":1.5}', "DECIMAL_VALUE can not be converted to an Integer"),
        (b'{"maxResults":2147483648}', "Number out of range"),
        (b'{"maxResults":1' + b"0" * 4000 + b"}", "Number out of range"),
        (b'{"maxResults":1' + b"0" * 5000 + b"}", "Number out of range"),
    ],
)
def test_documents_that_are_refused(body: bytes, message: str) -> None:
    with pytest.raises(SerializationFault, match=message.replace(".", r"\.")):
        json.parse_document(body, LIST_IMAGES)


@pytest.mark.parametrize("parse", [lambda body: json.parse_document(body, LIST_IMAGES), json.LargeParser(LIST_IMAGES).parse])
def test_null_is_absent_unknown_is_ignored_and_the_last_of_two_counts(parse: Any) -> None:
    assert parse(b'{"repositoryName":null,"x":{"y":[]},"maxResults":1,"maxResults":2}') == {"maxResults": 2}
    assert parse(b"") == {}


@pytest.mark.parametrize("parse", [lambda body: json.parse_document(body, UPLOAD), json.LargeParser(UPLOAD).parse])
def test_blobs(parse: Any) -> None:
    blob = bytes(range(256)) * 13_000
    text = base64.b64encode(blob)
    assert parse(b'{"layerPartBlob":"' + text + b'","partFirstByte":0,"x":[1,{}]}') == {"layerPartBlob": blob, "partFirstByte": 0}
    assert parse(b'{"layerPartBlob":"' + text.replace(b"/", b"\\/") + b'"}') == {"layerPartBlob": blob}
    middle = len(text) // 2 // 4 * 4
    bad = [
        text[:-1],
        text[:middle] + b"====" + text[middle:],
        b"*" + text[1:],
        text[:middle] + b"\\n" + text[middle:],
        b"\xc3\xa9",
    ]
    for altered in bad:
        with pytest.raises(SerializationFault):
            parse(b'{"layerPartBlob":"' + altered + b'"}')
    for wrong in (
        b'{"layerPartBlob":[]}',
        b'{"layerPartBlob":1}',
        b'{"partFirstByte":"x"}',
        b"[]",
        b"7",
        b"{",
        b'{"uploadId":"\xff"}',
        b'{"\xff":1}',
        b'{"x":"\xff"}',
        b'{"x":"\xc3',
    ):
        with pytest.raises(SerializationFault):
            parse(wrong)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_parsers(body: bytes) -> None:
    with suppress(SerializationFault):
        json.parse_document(body, PUT_TAGS)
    with suppress(SerializationFault):
        json.LargeParser(UPLOAD).parse(body)
    with suppress(SerializationFault):
        query.parse_params(query.parse_fields(body), service_plan("sts").operations["AssumeRole"].input)


def test_query_lists() -> None:
    shape = service_plan("sts").operations["AssumeRole"].input
    fields = query.parse_fields(
        b"Tags.member.10.Key=b&Tags.member.2.Key=a+b%2B&Tags.member.x.Key=no&PolicyArns=&DurationSeconds=900"
    )
    assert query.parse_params(fields, shape) == {
        "Tags": [{"Key": "a b+"}, {"Key": "b"}],
        "PolicyArns": [],
        "DurationSeconds": 900,
    }
    for bad in (b"DurationSeconds=x", b"DurationSeconds=99999999999", b"RoleArn=%ff", b"&" * 10_000):
        with pytest.raises(SerializationFault):
            query.parse_params(query.parse_fields(bad), shape)
    query.parse_params(query.parse_fields(b"Tags." * 200_000 + b"=1"), shape)


def test_xml_holds_any_text() -> None:
    plan = service_plan("sts")
    operation = plan.operations["GetCallerIdentity"]
    body = query.render_document({"Arn": "<&>\r\x00]]>", "Account": None}, plan, operation, "id")
    parsed = create_parser("query").parse(
        {"body": body, "headers": {}, "status_code": 200}, MODELS["sts"].operation_model("GetCallerIdentity").output_shape
    )
    assert parsed["Arn"] == "<&>\r\ufffd]]>"
    assert "Account" not in parsed


@pytest.mark.parametrize("output", [{"x": 1}, {"nextToken": 1}, {"imageIds": "x"}, {"imageIds": [{"x": 1}]}, {"imageIds": 1}])
def test_an_output_that_the_shape_does_not_have_is_a_mistake(output: dict[str, Any]) -> None:
    with pytest.raises(OutputMismatch):
        json.render_document(output, service_plan("ecr").operations["ListImages"].output)


def test_none_is_left_out_and_time_has_at_most_three_decimals() -> None:
    shape = service_plan("ecr").operations["CreateRepository"].output
    body = json.render_document({"repository": {"createdAt": 1.23456, "repositoryName": None}}, shape)
    assert msgspec.json.decode(body) == {"repository": {"createdAt": 1.235}}
    with pytest.raises(OutputMismatch):
        json.render_document({"repository": {"createdAt": math.nan}}, shape)
