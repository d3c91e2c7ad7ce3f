"""Services that are not here answer in their protocol, with a sentence: whatever boto3 can call gets a proper error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from moorage.testing.server import ROOT, MoorageServer

CALLS: list[tuple[str, Callable[[Any], Any], str]] = [
    ("kms", lambda c: c.list_keys(), "UnknownOperationException"),
    ("cloudtrail", lambda c: c.lookup_events(), "UnknownOperationException"),
    ("cloudwatch", lambda c: c.list_metrics(), "UnknownOperationException"),
    ("logs", lambda c: c.describe_log_groups(), "UnknownOperationException"),
    ("events", lambda c: c.list_rules(), "UnknownOperationException"),
    ("ecs", lambda c: c.list_clusters(), "UnknownOperationException"),
    ("secretsmanager", lambda c: c.list_secrets(), "UnknownOperationException"),
    ("pricing", lambda c: c.describe_services(), "UnknownOperationException"),
    ("ce", lambda c: c.list_cost_allocation_tags(), "UnknownOperationException"),
    ("eks", lambda c: c.list_clusters(), "UnknownOperationException"),
    ("inspector2", lambda c: c.list_findings(), "UnknownOperationException"),
    ("signer", lambda c: c.list_signing_profiles(), "UnknownOperationException"),
    ("lambda", lambda c: c.list_functions(), "UnknownOperationException"),
    ("sqs", lambda c: c.list_queues(), "UnknownOperationException"),
    ("sesv2", lambda c: c.list_email_identities(), "UnknownOperationException"),  # below /v2/, as registries are
    ("sesv2", lambda c: c.delete_email_identity(EmailIdentity="a@b.example"), "UnknownOperationException"),
    ("apigatewayv2", lambda c: c.create_api(Name="a", ProtocolType="HTTP"), "UnknownOperationException"),
    ("s3outposts", lambda c: c.list_endpoints(), "UnknownOperationException"),
    ("sns", lambda c: c.list_topics(), "InvalidAction"),
    ("cloudformation", lambda c: c.list_stacks(), "InvalidAction"),
    ("ec2", lambda c: c.describe_instances(), "InvalidAction"),
    ("s3", lambda c: c.list_buckets(), "NotImplemented"),
    ("s3", lambda c: c.list_objects_v2(Bucket="some-bucket"), "NotImplemented"),
    ("s3", lambda c: c.put_object(Bucket="some-bucket", Key="a/b", Body=b"x" * 100_000), "NotImplemented"),
    ("route53", lambda c: c.list_hosted_zones(), "NotImplemented"),
]


@pytest.fixture
def client(server: MoorageServer) -> Callable[[str], Any]:
    def make(service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=server.endpoint,
            region_name="us-east-1",
            aws_access_key_id=ROOT.access_key_id,
            aws_secret_access_key=ROOT.secret,
            config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
        )

    return make


@pytest.mark.parametrize("stack", ["sqlite+local"])
@pytest.mark.parametrize(("service", "call", "code"), CALLS)
def test_a_service_that_is_not_here(client: Callable[[str], Any], service: str, call: Callable[[Any], Any], code: str) -> None:
    made = client(service)
    with pytest.raises(ClientError) as caught:
        call(made)
    error = caught.value.response["Error"]
    assert error["Code"] == code, error
    name = made.meta.service_model.signing_name
    assert error["Message"].startswith(f"The service {name} is not available in this version of Moorage"), error


@pytest.mark.parametrize("stack", ["sqlite+local"])
def test_an_operation_that_is_not_signed(client: Callable[[str], Any]) -> None:
    with pytest.raises(ClientError, match="A service with the path '/federation/credentials' is not available") as caught:
        client("sso").get_role_credentials(roleName="a", accountId="111122223333", accessToken="token")
    assert caught.value.response["Error"]["Code"] == "UnknownOperationException"


@pytest.mark.parametrize("stack", ["sqlite+local"])
@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_a_presigned_request(server: MoorageServer, version: str) -> None:
    s3 = boto3.client(
        "s3",
        endpoint_url=server.endpoint,
        region_name="us-east-1",
        aws_access_key_id=ROOT.access_key_id,
        aws_secret_access_key=ROOT.secret,
        config=Config(signature_version=version),
    )
    with pytest.raises(HTTPError) as caught:
        urlopen(s3.generate_presigned_url("get_object", Params={"Bucket": "b", "Key": "k"}), timeout=30)
    assert (caught.value.code, b"<Code>NotImplemented</Code>" in caught.value.read()) == (501, True)


@pytest.mark.parametrize("stack", ["sqlite+local"])
def test_head_has_no_body(client: Callable[[str], Any]) -> None:
    with pytest.raises(ClientError) as caught:
        client("s3").head_bucket(Bucket="some-bucket")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
