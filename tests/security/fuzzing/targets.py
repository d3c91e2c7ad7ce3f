"""What stands in an account while it is fuzzed, the values that make requests reach it, and all of its state."""

from __future__ import annotations

import base64
import json
import re
from abc import ABC, abstractmethod
from typing import Any

from botocore.model import ServiceModel

from moorage.testing import builders
from moorage.testing.server import KeyPair, MoorageServer
from tests.security.fuzzing.wire import Answer, Wire

NAME = "fuzz/app"
DIGEST = "sha256:" + "a" * 64
MANIFEST = builders.index([]).decode()
_VOLATILE = re.compile(rb'"lastRecordedPullTime":[0-9.]+,?|<RequestId>[^<]*</RequestId>|"[nN]extToken":"[^"]*"')
_LIFECYCLE = {
    "rules": [
        {
            "rulePriority": 1,
            "selection": {"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 900},
            "action": {"type": "expire"},
        }
    ]
}


def _policy(action: str, account_id: str, **more: Any) -> str:
    statement = {"Effect": "Allow", "Principal": {"AWS": account_id}, "Action": action, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


class Target(ABC):
    """A service in an account of its own."""

    def __init__(self, server: MoorageServer, model: ServiceModel, key: KeyPair) -> None:
        self.server, self.model, self.key = server, model, key
        self.wire = Wire(server.host, model, key)

    @abstractmethod
    def prepare(self) -> dict[str, Any]:
        """Make what is missing; return values by the names of members that they fit."""

    @abstractmethod
    def views(self) -> list[tuple[str, Any]]:
        """Operations that together show everything."""

    def snapshot(self) -> list[bytes]:
        """All state, as it is told."""
        views = self.views()
        answers = self.wire.each(lambda view: self.wire.call(*view), views)
        told = zip(views, answers, strict=True)
        return [b"%s %s" % (operation.encode(), _VOLATILE.sub(b"", answer.body)) for (operation, _), answer in told]

    def ask(self, operation: str, **params: Any) -> dict[str, Any]:
        """The document that an operation answers, in the JSON protocol; an error is one too."""
        return dict(json.loads(self.wire.call(operation, params).body))

    def make(self, operation: str, **params: Any) -> Answer:
        """One step of preparation: what is there already stays. Anything else that goes wrong is wrong here."""
        answer = self.wire.call(operation, params)
        is_there = any(word in str(answer.code) for word in ("AlreadyExists", "InProgress", "AlreadyIn"))
        assert answer.is_ok or is_there, (operation, answer)
        return answer


class Ecr(Target):
    """Private repositories, and the settings of their registry."""

    def prepare(self) -> dict[str, Any]:
        account_id, other = self.key.account_id, self.server.root.account_id
        repository_policy = _policy("ecr:BatchGetImage", other)
        registry_policy = _policy("ecr:ReplicateImage", other, Resource=f"arn:aws:ecr:us-east-1:{account_id}:repository/*")
        lifecycle = json.dumps(_LIFECYCLE)
        profile = f"arn:aws:signer:us-east-1:{account_id}:/signing-profiles/fuzz"
        principal = f"arn:aws:iam::{account_id}:role/fuzz"
        destination = {"region": "eu-west-1", "registryId": account_id}
        self.make("CreateRepository", repositoryName=NAME)
        self.make("PutImage", repositoryName=NAME, imageManifest=MANIFEST, imageTag="v1")
        self.make("SetRepositoryPolicy", repositoryName=NAME, policyText=repository_policy)
        self.make("PutLifecyclePolicy", repositoryName=NAME, lifecyclePolicyText=lifecycle)
        self.make("StartLifecyclePolicyPreview", repositoryName=NAME)
        self.make("PutRegistryPolicy", policyText=registry_policy)
        self.make("CreatePullThroughCacheRule", ecrRepositoryPrefix="fuzz", upstreamRegistryUrl="public.ecr.aws")
        self.make("CreateRepositoryCreationTemplate", prefix="fuzz", appliedFor=["CREATE_ON_PUSH"])
        self.make("PutSigningConfiguration", signingConfiguration={"rules": [{"signingProfileArn": profile}]})
        self.make("RegisterPullTimeUpdateExclusion", principalArn=principal)
        self.make("PutReplicationConfiguration", replicationConfiguration={"rules": [{"destinations": [destination]}]})
        self.make("PutRegistryScanningConfiguration", scanType="BASIC", rules=[])
        self.make("StartReplicationBackfill", destination=destination)
        backfill = self.ask("ListReplicationBackfills")["backfills"][0]["replicationBackfillId"]
        upload = self.ask("InitiateLayerUpload", repositoryName=NAME)["uploadId"]
        self.make("UploadLayerPart", repositoryName=NAME, uploadId=upload, partFirstByte=0, partLastByte=0, layerPartBlob="YQ==")
        return {
            "registryId": account_id, "registryIds": [account_id], "repositoryName": NAME, "repositoryNames": [NAME],
            "resourceArn": f"arn:aws:ecr:us-east-1:{account_id}:repository/{NAME}", "imageTag": "v1",
            "imageIds": [{"imageTag": "v1"}], "imageId": {"imageTag": "v1"}, "imageDigest": builders.digest(MANIFEST.encode()),
            "imageManifest": MANIFEST, "subjectId": {"imageDigest": DIGEST}, "uploadId": upload, "layerDigest": DIGEST,
            "layerDigests": [DIGEST], "partFirstByte": 1, "partLastByte": 1, "layerPartBlob": "YQ==",
            "policyText": registry_policy, "lifecyclePolicyText": lifecycle, "repositoryPolicy": repository_policy,
            "lifecyclePolicy": lifecycle, "ecrRepositoryPrefix": "fuzz", "ecrRepositoryPrefixes": ["fuzz"], "prefix": "fuzz",
            "prefixes": ["fuzz"], "upstreamRegistryUrl": "public.ecr.aws", "signingProfileArn": profile,
            "principalArn": principal, "replicationBackfillId": backfill, "region": "eu-west-1", "name": "BLOB_MOUNTING",
            "value": "ENABLED", "Key": "team", "Value": "red", "tagKeys": ["team"], "encryptionType": "AES256",
            "customRoleArn": principal, "targetStorageClass": "STANDARD", "imageTagMutability": "MUTABLE",
        }  # fmt: skip

    def views(self) -> list[tuple[str, Any]]:
        listed = [each["repositoryName"] for each in self.ask("DescribeRepositories", maxResults=1000)["repositories"]]
        views: list[tuple[str, Any]] = [("DescribeRepositories", {"maxResults": 1000})]
        for name in listed:
            of = {"repositoryName": name}
            views += [
                ("DescribeImages", of | {"filter": {"imageStatus": "ANY"}}),
                ("ListImages", of | {"filter": {"imageStatus": "ANY"}}),
                ("GetRepositoryPolicy", of),
                ("GetLifecyclePolicy", of),
                ("GetLifecyclePolicyPreview", of),
                ("BatchCheckLayerAvailability", of | {"layerDigests": [DIGEST]}),
                ("ListTagsForResource", {"resourceArn": f"arn:aws:ecr:us-east-1:{self.key.account_id}:repository/{name}"}),
            ]
        settings = ("BASIC_SCAN_TYPE_VERSION", "BLOB_MOUNTING", "REGISTRY_POLICY_SCOPE")
        return [
            *views,
            *(("GetAccountSetting", {"name": name}) for name in settings),
            *((operation, {}) for operation in (
                "DescribeRegistry", "GetRegistryPolicy", "GetRegistryScanningConfiguration", "GetSigningConfiguration",
                "DescribePullThroughCacheRules", "DescribeRepositoryCreationTemplates", "ListPullTimeUpdateExclusions",
                "ListReplicationBackfills",
            )),
        ]  # fmt: skip


class EcrPublic(Target):
    """Public repositories, and the catalogue."""

    def prepare(self) -> dict[str, Any]:
        account_id = self.key.account_id
        policy = _policy("ecr-public:PutImage", self.server.root.account_id)
        self.make("CreateRepository", repositoryName=NAME)
        self.make("PutImage", repositoryName=NAME, imageManifest=MANIFEST, imageTag="v1")
        self.make("SetRepositoryPolicy", repositoryName=NAME, policyText=policy)
        self.make("PutRepositoryCatalogData", repositoryName=NAME, catalogData={"description": "fuzzed"})
        upload = self.ask("InitiateLayerUpload", repositoryName=NAME)["uploadId"]
        self.make("UploadLayerPart", repositoryName=NAME, uploadId=upload, partFirstByte=0, partLastByte=0, layerPartBlob="YQ==")
        return {
            "registryId": account_id, "repositoryName": NAME, "repositoryNames": [NAME], "policyText": policy,
            "resourceArn": f"arn:aws:ecr-public::{account_id}:repository/{NAME}", "imageTag": "v1", "uploadId": upload,
            "imageIds": [{"imageTag": "v1"}], "imageManifest": MANIFEST, "layerDigests": [DIGEST], "partFirstByte": 1,
            "partLastByte": 1, "layerPartBlob": "YQ==", "Key": "team", "Value": "red", "tagKeys": ["team"],
            "logoImageBlob": "YQ==", "imageDigest": builders.digest(MANIFEST.encode()),
        }  # fmt: skip

    def views(self) -> list[tuple[str, Any]]:
        listed = [each["repositoryName"] for each in self.ask("DescribeRepositories", maxResults=1000)["repositories"]]
        views: list[tuple[str, Any]] = [("DescribeRepositories", {"maxResults": 1000})]
        for name in listed:
            of = {"repositoryName": name}
            views += [(each, of) for each in ("DescribeImages", "DescribeImageTags", "GetRepositoryPolicy")]
            views += [
                ("GetRepositoryCatalogData", of),
                ("ListTagsForResource", {"resourceArn": f"arn:aws:ecr-public::{self.key.account_id}:repository/{name}"}),
            ]
        return [*views, ("DescribeRegistries", {}), ("GetRegistryCatalogData", {})]


class ServiceQuotas(Target):
    """Quotas: nobody may change them."""

    def prepare(self) -> dict[str, Any]:
        return {"ServiceCode": "ecr", "QuotaCode": "L-CFEB8E8D"}

    def views(self) -> list[tuple[str, Any]]:
        return [("ListServiceQuotas", {"ServiceCode": "ecr"}), ("ListRequestedServiceQuotaChangeHistory", {})]


class Organizations(Target):
    """The organisation of the installation, seen by its management account."""

    def prepare(self) -> dict[str, Any]:
        self.make("CreateOrganization")
        account_id, root = self.key.account_id, self.ask("ListRoots")["Roots"][0]["Id"]
        return {"ChildId": account_id, "ParentId": root, "AccountId": account_id, "ResourceId": account_id, "Key": "team",
                "Value": "red", "AccountName": "fuzzed", "Email": "fuzz@example.com"}  # fmt: skip

    def views(self) -> list[tuple[str, Any]]:
        tags = ("ListTagsForResource", {"ResourceId": self.key.account_id})
        return [("ListAccounts", {"MaxResults": 20}), ("ListCreateAccountStatus", {}), ("DescribeOrganization", {}), tags]


class Iam(Target):
    """Identities of all kinds."""

    def prepare(self) -> dict[str, Any]:
        account_id = self.key.account_id
        assume = {"Effect": "Allow", "Principal": {"AWS": account_id}, "Action": "sts:AssumeRole"}
        trust = json.dumps({"Version": "2012-10-17", "Statement": assume})
        policy = json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "ecr:*", "Resource": "*"}})
        self.make("CreateUser", UserName="fuzz")
        self.make("CreateGroup", GroupName="fuzz")
        self.make("CreateRole", RoleName="fuzz", AssumeRolePolicyDocument=trust)
        self.make("CreatePolicy", PolicyName="fuzz", PolicyDocument=policy)
        self.make("CreateInstanceProfile", InstanceProfileName="fuzz")
        self.make("AddUserToGroup", UserName="fuzz", GroupName="fuzz")
        for kind in ("User", "Group", "Role"):
            self.make(f"Put{kind}Policy", **{f"{kind}Name": "fuzz"}, PolicyName="own", PolicyDocument=policy)
        return {
            "UserName": "fuzz", "GroupName": "fuzz", "RoleName": "fuzz", "PolicyName": "own", "InstanceProfileName": "fuzz",
            "PolicyArn": f"arn:aws:iam::{account_id}:policy/fuzz", "PolicyDocument": policy, "AssumeRolePolicyDocument": trust,
            "VersionId": "v1", "PolicySourceArn": f"arn:aws:iam::{account_id}:user/fuzz", "ActionNames": ["ecr:PutImage"],
            "PolicyInputList": [policy], "Arn": f"arn:aws:iam::{account_id}:user/fuzz", "Key": "team", "Value": "red",
            "Url": "https://127.0.0.1/fuzz", "Path": "/", "PathPrefix": "/", "TagKeys": ["team"], "VirtualMFADeviceName": "fuzz",
        }  # fmt: skip

    def views(self) -> list[tuple[str, Any]]:
        return [
            ("GetAccountAuthorizationDetails", {"MaxItems": 1000}), ("GetAccountSummary", {}), ("ListUsers", {"MaxItems": 1000}),
            ("ListAccountAliases", {}), ("GetAccountPasswordPolicy", {}), ("ListSAMLProviders", {}),
            ("ListOpenIDConnectProviders", {}), ("ListInstanceProfiles", {"MaxItems": 1000}), ("ListVirtualMFADevices", {}),
            ("ListAccessKeys", {}), ("ListAccessKeys", {"UserName": "fuzz"}), ("GetLoginProfile", {"UserName": "fuzz"}),
            ("ListGroups", {"MaxItems": 1000}), ("ListRoles", {"MaxItems": 1000}),
            ("ListUserPolicies", {"UserName": "fuzz"}), ("ListRoleTags", {"RoleName": "fuzz"}),
        ]  # fmt: skip


class Sts(Target):
    """Sessions, which leave nothing behind."""

    def prepare(self) -> dict[str, Any]:
        role = f"arn:aws:iam::{self.key.account_id}:role/fuzz"
        assertion = base64.b64encode(b"<Response/>").decode()
        return {"RoleArn": role, "RoleSessionName": "fuzz", "WebIdentityToken": "a.b.c", "SAMLAssertion": assertion,
                "PrincipalArn": role, "AccessKeyId": self.key.access_key_id, "EncodedMessage": "aa", "Name": "fuzz"}  # fmt: skip

    def views(self) -> list[tuple[str, Any]]:
        return [("GetCallerIdentity", {})]


TARGETS: dict[str, type[Target]] = {
    "ecr": Ecr,
    "ecr-public": EcrPublic,
    "service-quotas": ServiceQuotas,
    "organizations": Organizations,
    "iam": Iam,
    "sts": Sts,
}
