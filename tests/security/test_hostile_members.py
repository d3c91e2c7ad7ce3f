"""Every member of every operation gets values that no client sends: each is answered, and none with a fault of the server."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from moorage.testing import builders
from moorage.testing.server import MoorageServer
from tests.conftest import fresh_name

TEXTS = (
    "",
    "\x00",
    "a\x00b",
    "ä\U0001f600\u202e",
    "' OR 1=1; DROP TABLE repositories; --",
    "{e.registry_id}%s{0}",
    "../../../etc/passwd",
    "a" * 5000,
    "sha256:" + "F" * 64,
    "\n\r\t",
)
NUMBERS = (-(2**63), -1, 0, 2**31, 2**63 - 1, 2**63, 2**80)
WRONG: tuple[Any, ...] = (None, True, 1.5, [], {}, [None], [[]], {"a": {}}, "text")


def leaves(shape: Any, path: tuple[Any, ...] = (), depth: int = 0) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Where values stand in a shape; an item of a list is its first."""
    if depth > 5:
        return
    yield path, shape
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            yield from leaves(member, (*path, name), depth + 1)
    elif shape.type_name == "list":
        yield from leaves(shape.member, (*path, 0), depth + 1)


def example(shape: Any, known: dict[str, Any], name: str = "") -> Any:
    """A value that fits a shape, most of the time."""
    if name in known:
        return known[name]
    if shape.type_name == "structure":
        return {member: example(of, known, member) for member, of in shape.members.items() if member in shape.required_members}
    if shape.type_name == "list":
        return [example(shape.member, known, name)]
    if shape.type_name == "string":
        return shape.metadata["enum"][0] if "enum" in shape.metadata else "aa"
    return {"boolean": True, "blob": b"x", "integer": 1, "long": 1, "double": 1.0}.get(shape.type_name, "x")


def put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """A copy of a value with something else at a place, made where it is not there."""
    if not path:
        return new
    step, rest = path[0], path[1:]
    if step == 0:
        first = value[0] if isinstance(value, list) and value else {}
        return [put(first, rest, new)]
    base = dict(value) if isinstance(value, dict) else {}
    return base | {step: put(base.get(step), rest, new)}


def values_for(shape: Any) -> tuple[Any, ...]:
    if shape.type_name == "string":
        return (*TEXTS, 1, *WRONG[:5])
    if shape.type_name in {"integer", "long", "double"}:
        return (*NUMBERS, "1", *WRONG[:5])
    return WRONG


@pytest.mark.parametrize("service", ["ecr", "ecr-public", "service-quotas"])
def test_hostile_members(server: MoorageServer, service: str) -> None:
    name = fresh_name("hostile")
    ecr = server.client()
    ecr.create_repository(repositoryName=name)
    manifest = builders.index([]).decode()
    known = {
        "repositoryName": name, "repositoryNames": [name], "imageTag": "v1", "imageManifest": manifest,
        "resourceArn": f"arn:aws:ecr:us-east-1:{server.root.account_id}:repository/{name}",
        "uploadId": ecr.initiate_layer_upload(repositoryName=name)["uploadId"], "registryId": server.root.account_id,
        "layerDigests": ["sha256:" + "a" * 64], "layerDigest": "sha256:" + "a" * 64, "imageDigest": "sha256:" + "a" * 64,
        "ecrRepositoryPrefix": "hostile", "upstreamRegistryUrl": "public.ecr.aws", "prefix": "hostile", "region": "eu-west-1",
        "ServiceCode": "ecr", "QuotaCode": "L-CFEB8E8D", "name": "BLOB_MOUNTING", "value": "ENABLED",
    }  # fmt: skip
    ecr.put_image(repositoryName=name, imageManifest=manifest, imageTag="v1")
    config = Config(parameter_validation=False, retries={"total_max_attempts": 1}, region_name="us-east-1")
    session = boto3.Session(server.root.access_key_id, server.root.secret)
    client = session.client(service, endpoint_url=server.endpoint, config=config)
    source = random.Random(5)
    sent = 0
    for operation in client.meta.service_model.operation_names:
        if operation in {"DeleteRepository", "PutRegistryPolicy", "SetRepositoryPolicy", "PutReplicationConfiguration"}:
            continue
        shape = client.meta.service_model.operation_model(operation).input_shape
        usual = example(shape, known)
        for path, leaf in leaves(shape):
            if not path:
                continue
            values = values_for(leaf)
            for value in source.sample(values, min(len(values), 6)):
                try:
                    client._make_api_call(operation, put(usual, path, value))
                except ClientError as error:
                    status = error.response["ResponseMetadata"]["HTTPStatusCode"]
                    assert 400 <= status < 500, (operation, path, value, error)
                except (AttributeError, TypeError, ValueError, OverflowError, KeyError):
                    continue  # boto3 itself cannot say it
                sent += 1
    client.close()
    assert sent > (100 if service == "service-quotas" else 300)
    assert ecr.describe_images(repositoryName=name)["imageDetails"]


def test_hostile_queries(server: MoorageServer, repository: str) -> None:
    digest = "sha256:" + "a" * 64
    with server.registry() as registry:
        for text in ("%00", "a%00b", "%F0%9F%98%80", "%ff", "'--", "a" * 3000):
            for path in (
                f"/v2/{repository}/tags/list?last={text}",
                f"/v2/_catalog?last={text}",
                f"/v2/{repository}/referrers/{digest}?artifactType={text}",
                f"/v2/{repository}/referrers/{digest}?last={text}",
                f"/v2/{repository}/manifests/{text}",
            ):
                assert registry.get(path).status < 500, path
