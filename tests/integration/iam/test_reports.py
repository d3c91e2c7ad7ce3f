"""Reports: credentials, authorization details, last accesses."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from moorage.testing.server import KeyPair
from tests.integration.aws.errors import refused
from tests.integration.iam.documents import ADMINISTRATOR, POLICY, READ_ONLY, TRUST, allowing, text


def test_credential_report(own: Any, account: KeyPair) -> None:
    with refused("ReportNotPresent", status=410):
        own.get_credential_report()
    for name in ("b", "a"):
        own.create_user(UserName=name)
    key = own.create_access_key(UserName="a")["AccessKey"]
    own.update_access_key(UserName="a", AccessKeyId=key["AccessKeyId"], Status="Inactive")
    own.create_login_profile(UserName="a", Password="correct Horse 1")
    assert own.generate_credential_report()["State"] == "STARTED"
    assert own.generate_credential_report()["State"] == "COMPLETE"
    report = own.get_credential_report()
    assert report["ReportFormat"] == "text/csv"
    root, a, b = csv.DictReader(io.StringIO(report["Content"].decode()))
    assert (root["user"], root["arn"]) == ("<root_account>", f"arn:aws:iam::{account.account_id}:root")
    assert (root["access_key_1_active"], root["access_key_2_active"], root["mfa_active"]) == ("true", "false", "false")
    assert (a["user"], a["password_enabled"], a["access_key_1_active"]) == ("a", "true", "false")
    assert a["access_key_1_last_rotated"] == key["CreateDate"].strftime("%Y-%m-%dT%H:%M:%S+00:00")
    assert (a["password_last_used"], a["password_next_rotation"]) == ("no_information", "N/A")
    assert (b["user"], b["password_enabled"], b["access_key_1_last_rotated"]) == ("b", "false", "N/A")


def test_authorization_details(own: Any) -> None:
    policy = own.create_policy(PolicyName="p", PolicyDocument=POLICY)["Policy"]["Arn"]
    own.create_policy_version(PolicyArn=policy, PolicyDocument=text(allowing("ecr:Other")))
    own.create_user(UserName="u", PermissionsBoundary=READ_ONLY, Tags=[{"Key": "a", "Value": "b"}])
    own.create_group(GroupName="g")
    own.add_user_to_group(GroupName="g", UserName="u")
    own.put_group_policy(GroupName="g", PolicyName="inline", PolicyDocument=POLICY)
    own.create_role(RoleName="r", AssumeRolePolicyDocument=TRUST)
    own.attach_role_policy(RoleName="r", PolicyArn=policy)
    own.attach_role_policy(RoleName="r", PolicyArn=ADMINISTRATOR)
    own.create_instance_profile(InstanceProfileName="i")
    own.add_role_to_instance_profile(InstanceProfileName="i", RoleName="r")
    found = own.get_account_authorization_details()
    (user,), (group,), (role,) = found["UserDetailList"], found["GroupDetailList"], found["RoleDetailList"]
    assert (user["UserName"], user["GroupList"], user["Tags"]) == ("u", ["g"], [{"Key": "a", "Value": "b"}])
    assert user["PermissionsBoundary"]["PermissionsBoundaryArn"] == READ_ONLY
    assert group["GroupPolicyList"] == [{"PolicyName": "inline", "PolicyDocument": json.loads(POLICY)}]
    assert role["AssumeRolePolicyDocument"] == json.loads(TRUST)
    assert [entry["PolicyArn"] for entry in role["AttachedManagedPolicies"]] == [ADMINISTRATOR, policy]
    assert role["InstanceProfileList"][0]["InstanceProfileName"] == "i"
    assert [entry["Arn"] for entry in found["Policies"]] == [policy, ADMINISTRATOR, READ_ONLY]
    versions = found["Policies"][0]["PolicyVersionList"]
    assert [(entry["VersionId"], entry["IsDefaultVersion"]) for entry in versions] == [("v2", False), ("v1", True)]
    pages = list(own.get_paginator("get_account_authorization_details").paginate(PaginationConfig={"PageSize": 1}))
    assert len(pages) == 6
    only = own.get_account_authorization_details(Filter=["Role", "AWSManagedPolicy"])
    assert (only["UserDetailList"], len(only["RoleDetailList"]), len(only["Policies"])) == ([], 1, 2)


def test_last_accessed(own: Any) -> None:
    user = own.create_user(UserName="u")["User"]["Arn"]
    group = own.create_group(GroupName="g")["Group"]["Arn"]
    own.add_user_to_group(GroupName="g", UserName="u")
    policy = own.create_policy(PolicyName="p", PolicyDocument=POLICY)["Policy"]["Arn"]
    own.attach_group_policy(GroupName="g", PolicyArn=policy)
    for arn in (user, group, policy):
        job = own.generate_service_last_accessed_details(Arn=arn, Granularity="ACTION_LEVEL")["JobId"]
        found = own.get_service_last_accessed_details(JobId=job)
        assert (found["JobStatus"], found["JobType"]) == ("COMPLETED", "ACTION_LEVEL")
        assert [entry["ServiceNamespace"] for entry in found["ServicesLastAccessed"]] == ["ecr", "ecr-public", "iam", "sts"]
        assert found["ServicesLastAccessed"][0]["TotalAuthenticatedEntities"] == 0
        entities = own.get_service_last_accessed_details_with_entities(JobId=job, ServiceNamespace="ecr")["EntityDetailsList"]
        assert [(entry["EntityInfo"]["Arn"], entry["EntityInfo"]["Type"]) for entry in entities] == [(user, "USER")]
    with refused("NoSuchEntity", "The user with name nobody cannot be found.", 404):
        own.generate_service_last_accessed_details(Arn=user.replace("user/u", "user/nobody"))
    with refused("InvalidInput"):
        own.generate_service_last_accessed_details(Arn="arn:aws:s3:::bucket/object")
    with refused("NoSuchEntity", status=404):
        own.get_service_last_accessed_details(JobId="0" * 36)


def test_policies_granting_service_access(own: Any) -> None:
    user = own.create_user(UserName="u")["User"]["Arn"]
    own.create_group(GroupName="g")
    own.add_user_to_group(GroupName="g", UserName="u")
    own.put_group_policy(GroupName="g", PolicyName="inline", PolicyDocument=text(allowing("iam:Get*")))
    own.attach_user_policy(UserName="u", PolicyArn=READ_ONLY)
    found = own.list_policies_granting_service_access(Arn=user, ServiceNamespaces=["ecr", "iam", "sts"])
    granted = {entry["ServiceNamespace"]: entry["Policies"] for entry in found["PoliciesGrantingServiceAccess"]}
    assert [policy["PolicyArn"] for policy in granted["ecr"]] == [READ_ONLY]
    assert granted["iam"] == [{"PolicyName": "inline", "PolicyType": "INLINE", "EntityType": "GROUP", "EntityName": "g"}]
    assert granted["sts"] == []
