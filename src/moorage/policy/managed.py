"""The managed policies that AWS keeps, as far as they speak of what exists here: documents under the ARNs that clients know.

Source: AWS Managed Policy Reference Guide. What a policy allows is a fact of AWS; the text of the documents is ours.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from moorage.policy.action_names import OPERATIONS
from moorage.policy.actions import DESCRIBED, Level

_SERVICE_ROLE = "/service-role/"
_SERVICE_LINKED = "/aws-service-role/"


@dataclass(frozen=True, slots=True)
class ManagedPolicy:
    """A policy of AWS, in its default version."""

    name: str
    path: str
    version_id: str
    """``v1``, ``v2`` ...: earlier versions are not kept."""
    description: str
    created: str
    """ISO 8601; to the day, for all that clients may do with it."""
    updated: str
    document: str
    """JSON text."""

    @property
    def is_attachable(self) -> bool:
        """False for those that only a service-linked role has."""
        return self.path != _SERVICE_LINKED

    @property
    def policy_id(self) -> str:
        """Its unique id: ``ANPA`` and 17 characters, the same on every server."""
        digest = hashlib.sha256(self.name.encode()).digest()
        return "ANPA" + base64.b32encode(digest).decode("ascii")[:17]

    def arn(self, partition: str = "aws") -> str:
        """Its ARN; the account is ``aws``."""
        return f"arn:{partition}:iam::aws:policy{self.path}{self.name}"


def _allow(actions: str | Sequence[str], resource: str = "*", condition: dict[str, Any] | None = None) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": actions, "Resource": resource}
    return statement if condition is None else {**statement, "Condition": condition}


def _document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)}, indent=2)


def _of(service: str, names: str) -> list[str]:
    return [f"{service}:{name}" for name in names.split()]


_READ = _of(
    "ecr",
    "GetAuthorizationToken BatchCheckLayerAvailability GetDownloadUrlForLayer GetRepositoryPolicy DescribeRepositories "
    "ListImages DescribeImages BatchGetImage GetLifecyclePolicy GetLifecyclePolicyPreview ListTagsForResource "
    "DescribeImageScanFindings",
)
_PUSH = "InitiateLayerUpload UploadLayerPart CompleteLayerUpload PutImage"
_PUBLIC_READ = [
    "ecr-public:GetAuthorizationToken",
    "sts:GetServiceBearerToken",
    *_of(
        "ecr-public",
        "BatchCheckLayerAvailability GetRepositoryPolicy DescribeRepositories DescribeRegistries DescribeImages "
        "DescribeImageTags GetRepositoryCatalogData GetRegistryCatalogData",
    ),
]
_SAME_ACCOUNT = {"StringEquals": {"aws:ResourceAccount": "${aws:PrincipalAccount}"}}


def _reading() -> list[str]:
    """The actions of the services here that change nothing, with wildcards where all of a kind are meant."""
    ecr = sorted(action.name for action in DESCRIBED.values() if action.level in (Level.READ, Level.LIST))
    verbs = ("Describe*", "Get*", "List*", "LookupEvents", "Simulate*", "GenerateCredentialReport")
    others = []
    for service, operations in OPERATIONS.items():
        if service in ("secretsmanager", "sts"):
            continue  # to get a secret or credentials is more than to read
        for verb in verbs:
            stem = verb.removesuffix("*")
            if any(operation.startswith(stem) if verb != stem else operation == verb for operation in operations):
                others.append(f"{service}:{verb}")
    return [
        *ecr,
        *others,
        "secretsmanager:DescribeSecret",
        "secretsmanager:ListSecrets",
        "sts:GetAccessKeyInfo",
        "sts:GetCallerIdentity",
    ]


_POLICIES = (
    ManagedPolicy(
        "AmazonEC2ContainerRegistryFullAccess",
        "/",
        "v3",
        "Provides administrative access to Amazon ECR resources",
        "2015-12-21T17:06:48Z",
        "2020-12-10T21:05:26Z",
        _document(
            _allow(["ecr:*", "cloudtrail:LookupEvents"]),
            _allow(
                "iam:CreateServiceLinkedRole",
                condition={"StringEquals": {"iam:AWSServiceName": ["replication.ecr.amazonaws.com"]}},
            ),
        ),
    ),
    ManagedPolicy(
        "AmazonEC2ContainerRegistryPowerUser",
        "/",
        "v3",
        "Provides full access to images in Amazon ECR repositories, but neither deletes nor creates them",
        "2015-12-21T17:05:33Z",
        "2019-12-10T20:48:22Z",
        _document(_allow([*_READ, *_of("ecr", _PUSH)])),
    ),
    ManagedPolicy(
        "AmazonEC2ContainerRegistryReadOnly",
        "/",
        "v3",
        "Provides read-only access to Amazon ECR repositories",
        "2015-12-21T17:04:15Z",
        "2019-12-10T20:56:22Z",
        _document(_allow(_READ)),
    ),
    ManagedPolicy(
        "AmazonEC2ContainerRegistryPullOnly",
        "/",
        "v1",
        "Provides what a pull from Amazon ECR needs",
        "2024-10-09T20:30:07Z",
        "2024-10-09T20:30:07Z",
        _document(_allow(_of("ecr", "GetAuthorizationToken BatchGetImage GetDownloadUrlForLayer BatchImportUpstreamImage"))),
    ),
    ManagedPolicy(
        "AmazonElasticContainerRegistryPublicFullAccess",
        "/",
        "v1",
        "Provides administrative access to Amazon ECR Public resources",
        "2020-12-01T17:25:07Z",
        "2020-12-01T17:25:07Z",
        _document(_allow(["ecr-public:*", "sts:GetServiceBearerToken"])),
    ),
    ManagedPolicy(
        "AmazonElasticContainerRegistryPublicPowerUser",
        "/",
        "v1",
        "Provides full access to images in Amazon ECR Public repositories, but neither deletes nor creates them",
        "2020-12-01T16:16:44Z",
        "2020-12-01T16:16:44Z",
        _document(_allow([*_PUBLIC_READ, *_of("ecr-public", _PUSH)])),
    ),
    ManagedPolicy(
        "AmazonElasticContainerRegistryPublicReadOnly",
        "/",
        "v1",
        "Provides read-only access to Amazon ECR Public repositories",
        "2020-12-01T17:27:21Z",
        "2020-12-01T17:27:21Z",
        _document(_allow(_PUBLIC_READ)),
    ),
    ManagedPolicy(
        "AWSECRPullThroughCache_ServiceRolePolicy",
        _SERVICE_LINKED,
        "v4",
        "Lets pull through cache rules import images and read the credentials of their upstream registries",
        "2021-11-26T21:52:22Z",
        "2025-03-12T18:20:14Z",
        _document(
            _allow(
                _of(
                    "ecr",
                    "GetAuthorizationToken BatchCheckLayerAvailability InitiateLayerUpload UploadLayerPart CompleteLayerUpload "
                    "PutImage BatchGetImage BatchImportUpstreamImage GetDownloadUrlForLayer GetImageCopyStatus",
                ),
                condition=_SAME_ACCOUNT,
            ),
            _allow(
                "secretsmanager:GetSecretValue",
                "arn:*:secretsmanager:*:*:secret:ecr-pullthroughcache/*",
                condition=_SAME_ACCOUNT,
            ),
        ),
    ),
    ManagedPolicy(
        "ECRReplicationServiceRolePolicy",
        _SERVICE_LINKED,
        "v1",
        "Lets replication write images and create repositories",
        "2020-12-04T22:11:19Z",
        "2020-12-04T22:11:19Z",
        _document(_allow(_of("ecr", "CreateRepository ReplicateImage"))),
    ),
    ManagedPolicy(
        "ECRTemplateServiceRolePolicy",
        _SERVICE_LINKED,
        "v1",
        "Lets repository creation templates create repositories",
        "2024-06-20T00:31:12Z",
        "2024-06-20T00:31:12Z",
        _document(_allow(_of("ecr", "CreateRepository"))),
    ),
    ManagedPolicy(
        "AmazonECSTaskExecutionRolePolicy",
        _SERVICE_ROLE,
        "v1",
        "Lets the agent of a container service pull images and write logs",
        "2017-11-16T18:48:22Z",
        "2017-11-16T18:48:22Z",
        _document(
            _allow(
                [
                    *_of("ecr", "GetAuthorizationToken BatchCheckLayerAvailability GetDownloadUrlForLayer BatchGetImage"),
                    *_of("logs", "CreateLogStream PutLogEvents"),
                ]
            )
        ),
    ),
    ManagedPolicy(
        "AdministratorAccess",
        "/",
        "v1",
        "Provides full access to all services and resources",
        "2015-02-06T18:39:46Z",
        "2015-02-06T18:39:46Z",
        _document(_allow("*")),
    ),
    ManagedPolicy(
        "PowerUserAccess",
        "/",
        "v5",
        "Provides full access to all services and resources, but not to users, groups and accounts",
        "2015-02-06T18:39:47Z",
        "2023-07-06T22:04:00Z",
        _document(
            {"Effect": "Allow", "NotAction": ["iam:*", "organizations:*", "account:*"], "Resource": "*"},
            _allow(
                [
                    *_of("iam", "CreateServiceLinkedRole DeleteServiceLinkedRole ListRoles"),
                    "organizations:DescribeOrganization",
                    *_of("account", "GetAccountInformation GetPrimaryEmail ListRegions"),
                ]
            ),
        ),
    ),
    ManagedPolicy(
        "ReadOnlyAccess",
        "/",
        "v1",
        "Provides read-only access to all services and resources",
        "2015-02-06T18:39:48Z",
        "2015-02-06T18:39:48Z",
        _document(_allow(_reading())),
    ),
    ManagedPolicy(
        "IAMFullAccess",
        "/",
        "v2",
        "Provides full access to IAM",
        "2015-02-06T18:40:38Z",
        "2019-06-21T19:40:00Z",
        _document(
            _allow(
                [
                    "iam:*",
                    *_of(
                        "organizations",
                        "DescribeAccount DescribeOrganization DescribeOrganizationalUnit DescribePolicy ListChildren ListParents "
                        "ListPoliciesForTarget ListRoots ListPolicies ListTargetsForPolicy",
                    ),
                ]
            )
        ),
    ),
    ManagedPolicy(
        "IAMReadOnlyAccess",
        "/",
        "v4",
        "Provides read-only access to IAM",
        "2015-02-06T18:40:39Z",
        "2018-01-25T19:11:27Z",
        _document(
            _allow(
                _of(
                    "iam",
                    "GenerateCredentialReport GenerateServiceLastAccessedDetails Get* List* SimulateCustomPolicy "
                    "SimulatePrincipalPolicy",
                )
            )
        ),
    ),
)

MANAGED: dict[str, ManagedPolicy] = {policy.path + policy.name: policy for policy in _POLICIES}
"""By path and name: what follows ``policy`` in the ARN."""


def find_managed(arn: str) -> ManagedPolicy | None:
    """The managed policy with an ARN, in whatever partition."""
    parts = arn.split(":", 5)
    if len(parts) != 6 or parts[0] != "arn" or parts[2:5] != ["iam", "", "aws"]:
        return None
    return MANAGED.get(parts[5].removeprefix("policy")) if parts[5].startswith("policy/") else None
