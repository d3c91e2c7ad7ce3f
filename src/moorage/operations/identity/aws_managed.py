"""The managed policies of AWS, present in every account under their own ARNs and immutable."""

from __future__ import annotations

import json

from msgspec import Struct

from moorage.metadata.identity_records import ManagedPolicy, PolicyVersion
from moorage.model.identity import arn_of

AWS = "aws"
_SERVICE_PATH = "/aws-service-role/"


class AwsPolicy(Struct, frozen=True):
    """A policy of AWS in its newest version."""

    policy: ManagedPolicy
    version: PolicyVersion

    @property
    def arn(self) -> str:
        """Its ARN."""
        return self.policy.arn

    @property
    def is_attachable(self) -> bool:
        """Whether users may attach it: not if it is made for a service's own role."""
        return self.policy.path != _SERVICE_PATH


def _policy(unique: str, name: str, version: int, *actions: str) -> AwsPolicy:
    document = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]})
    born = 1_420_070_400_000_000
    policy = ManagedPolicy(unique, AWS, name, "/", arn_of(AWS, "policy", "/", name), None, version, version, born, born)
    return AwsPolicy(policy, PolicyVersion(version, document, born))


_POLICIES = {
    found.arn: found
    for found in (
        _policy("ANPAIWMBCKSKIEE64ZLYK", "AdministratorAccess", 1, "*"),
        _policy(
            "ANPAIFYZPA37OOHVIH7KQ",
            "AmazonEC2ContainerRegistryReadOnly",
            3,
            *(
                f"ecr:{action}"
                for action in (
                    "GetAuthorizationToken", "BatchCheckLayerAvailability", "GetDownloadUrlForLayer", "GetRepositoryPolicy",
                    "DescribeRepositories", "ListImages", "DescribeImages", "BatchGetImage", "GetLifecyclePolicy",
                    "GetLifecyclePolicyPreview", "ListTagsForResource", "DescribeImageScanFindings",
                )
            ),
        ),
    )
}  # fmt: skip


def find(arn: str) -> AwsPolicy | None:
    """The policy of AWS with that ARN."""
    return _POLICIES.get(arn)


def list_all() -> list[AwsPolicy]:
    """All policies of AWS, by name."""
    return sorted(_POLICIES.values(), key=lambda found: found.policy.name.lower())
