"""Everything that can be made, changed and taken away: how, and what is said to those who come second."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.integration.iam.documents import ADMINISTRATOR, POLICY, TRUST

_READ_POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Sid": "read", "Effect": "Allow", "Principal": "*", "Action": ["ecr:BatchGetImage"]}],
    }
)
_SELECTION = {"tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": 5}
_RULES = {"rules": [{"rulePriority": 1, "selection": _SELECTION, "action": {"type": "expire"}}]}
_METADATA = "<EntityDescriptor>" + "x" * 1000 + "</EntityDescriptor>"
_PASSWORD = "correct-Horse-9-battery"


@dataclass(frozen=True)
class Subject:
    """One kind of thing. Every function takes a client of `service` and a fresh name; what it returns False for was not there.

    Attributes:
        taken: what the second of those who make it hears; empty where it may be made twice.
        gone: what the second of those who take it away hears.
        prepared: makes what the thing needs, once.
        update: what must not bring back what was taken away.
    """

    name: str
    service: str
    create: Callable[[Any, str], Any]
    taken: str
    delete: Callable[[Any, str], Any]
    gone: str
    is_there: Callable[[Any, str], bool]
    update: Callable[[Any, str], Any] | None = None
    prepared: Callable[[Any, str], Any] | None = None


def _user(iam: Any, name: str) -> None:
    iam.create_user(UserName=name)


def _role(iam: Any, name: str) -> None:
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)


def _user_and_group(iam: Any, name: str) -> None:
    _user(iam, name)
    iam.create_group(GroupName=name)


def _role_and_profile(iam: Any, name: str) -> None:
    _role(iam, name)
    iam.create_instance_profile(InstanceProfileName=name)


def _policy_arn(iam: Any, name: str) -> str:
    return f"arn:aws:iam::{_account(iam)}:policy/{name}"


def _account(iam: Any) -> str:
    return str(iam.meta.account_id)


def _found(call: Callable[[], Any], missing: type[Exception]) -> bool:
    try:
        call()
    except missing:
        return False
    return True


def _names(listed: list[dict[str, Any]], key: str) -> list[Any]:
    return [each[key] for each in listed]


def _profile_arn(iam: Any, name: str) -> str:
    return f"arn:aws:iam::{_account(iam)}:saml-provider/{name}"


def _serial(iam: Any, name: str) -> str:
    return f"arn:aws:iam::{_account(iam)}:mfa/{name}"


ENTITY, NONE = "EntityAlreadyExists", "NoSuchEntity"

IAM = (
    Subject(
        "user", "iam", _user, ENTITY,
        lambda c, n: c.delete_user(UserName=n), NONE,
        lambda c, n: n in _names(c.list_users()["Users"], "UserName"),
        lambda c, n: c.update_user(UserName=n, NewPath="/moved/"),
    ),
    Subject(
        "group", "iam", lambda c, n: c.create_group(GroupName=n), ENTITY,
        lambda c, n: c.delete_group(GroupName=n), NONE,
        lambda c, n: n in _names(c.list_groups()["Groups"], "GroupName"),
        lambda c, n: c.update_group(GroupName=n, NewPath="/moved/"),
    ),
    Subject(
        "role", "iam", _role, ENTITY,
        lambda c, n: c.delete_role(RoleName=n), NONE,
        lambda c, n: n in _names(c.list_roles()["Roles"], "RoleName"),
        lambda c, n: c.tag_role(RoleName=n, Tags=[{"Key": "a", "Value": "b"}]),
    ),
    Subject(
        "managed policy", "iam", lambda c, n: c.create_policy(PolicyName=n, PolicyDocument=POLICY), ENTITY,
        lambda c, n: c.delete_policy(PolicyArn=_policy_arn(c, n)), NONE,
        lambda c, n: n in _names(c.list_policies(Scope="Local")["Policies"], "PolicyName"),
        lambda c, n: c.tag_policy(PolicyArn=_policy_arn(c, n), Tags=[{"Key": "a", "Value": "b"}]),
    ),
    Subject(
        "inline policy", "iam", lambda c, n: c.put_user_policy(UserName=n, PolicyName="p", PolicyDocument=POLICY), "",
        lambda c, n: c.delete_user_policy(UserName=n, PolicyName="p"), NONE,
        lambda c, n: c.list_user_policies(UserName=n)["PolicyNames"] == ["p"],
        prepared=_user,
    ),
    Subject(
        "attachment", "iam", lambda c, n: c.attach_user_policy(UserName=n, PolicyArn=ADMINISTRATOR), "",
        lambda c, n: c.detach_user_policy(UserName=n, PolicyArn=ADMINISTRATOR), NONE,
        lambda c, n: bool(c.list_attached_user_policies(UserName=n)["AttachedPolicies"]),
        prepared=_user,
    ),
    Subject(
        "boundary", "iam", lambda c, n: c.put_user_permissions_boundary(UserName=n, PermissionsBoundary=ADMINISTRATOR), "",
        lambda c, n: c.delete_user_permissions_boundary(UserName=n), NONE,
        lambda c, n: "PermissionsBoundary" in c.get_user(UserName=n)["User"],
        prepared=_user,
    ),
    Subject(
        "member", "iam", lambda c, n: c.add_user_to_group(UserName=n, GroupName=n), "",
        lambda c, n: c.remove_user_from_group(UserName=n, GroupName=n), NONE,
        lambda c, n: bool(c.list_groups_for_user(UserName=n)["Groups"]),
        prepared=_user_and_group,
    ),
    Subject(
        "instance profile", "iam", lambda c, n: c.create_instance_profile(InstanceProfileName=n), ENTITY,
        lambda c, n: c.delete_instance_profile(InstanceProfileName=n), NONE,
        lambda c, n: n in _names(c.list_instance_profiles()["InstanceProfiles"], "InstanceProfileName"),
        lambda c, n: c.tag_instance_profile(InstanceProfileName=n, Tags=[{"Key": "a", "Value": "b"}]),
    ),
    Subject(
        "role in a profile", "iam", lambda c, n: c.add_role_to_instance_profile(InstanceProfileName=n, RoleName=n),
        "LimitExceeded",
        lambda c, n: c.remove_role_from_instance_profile(InstanceProfileName=n, RoleName=n), NONE,
        lambda c, n: bool(c.get_instance_profile(InstanceProfileName=n)["InstanceProfile"]["Roles"]),
        prepared=_role_and_profile,
    ),
    Subject(
        "SAML provider", "iam", lambda c, n: c.create_saml_provider(Name=n, SAMLMetadataDocument=_METADATA), ENTITY,
        lambda c, n: c.delete_saml_provider(SAMLProviderArn=_profile_arn(c, n)), NONE,
        lambda c, n: _profile_arn(c, n) in _names(c.list_saml_providers()["SAMLProviderList"], "Arn"),
        lambda c, n: c.update_saml_provider(SAMLProviderArn=_profile_arn(c, n), SAMLMetadataDocument=_METADATA),
    ),
    Subject(
        "login profile", "iam", lambda c, n: c.create_login_profile(UserName=n, Password=_PASSWORD), ENTITY,
        lambda c, n: c.delete_login_profile(UserName=n), NONE,
        lambda c, n: _found(lambda: c.get_login_profile(UserName=n), c.exceptions.NoSuchEntityException),
        lambda c, n: c.update_login_profile(UserName=n, PasswordResetRequired=True),
        prepared=_user,
    ),
    Subject(
        "MFA device", "iam", lambda c, n: c.create_virtual_mfa_device(VirtualMFADeviceName=n), ENTITY,
        lambda c, n: c.delete_virtual_mfa_device(SerialNumber=_serial(c, n)), NONE,
        lambda c, n: _serial(c, n) in _names(c.list_virtual_mfa_devices()["VirtualMFADevices"], "SerialNumber"),
        lambda c, n: c.tag_mfa_device(SerialNumber=_serial(c, n), Tags=[{"Key": "a", "Value": "b"}]),
    ),
    Subject(
        "alias", "iam", lambda c, n: c.create_account_alias(AccountAlias=n.lower()), "",
        lambda c, n: c.delete_account_alias(AccountAlias=n.lower()), NONE,
        lambda c, n: bool(c.list_account_aliases()["AccountAliases"]),
    ),
    Subject(
        "password policy", "iam", lambda c, n: c.update_account_password_policy(MinimumPasswordLength=10), "",
        lambda c, n: c.delete_account_password_policy(), NONE,
        lambda c, n: _found(c.get_account_password_policy, c.exceptions.NoSuchEntityException),
    ),
    Subject(
        "service-linked role", "iam", lambda c, n: c.create_service_linked_role(AWSServiceName="ecr.amazonaws.com"),
        "InvalidInput",
        lambda c, n: c.delete_service_linked_role(RoleName="AWSServiceRoleForECRTemplate"), NONE,
        lambda c, n: bool(c.list_roles(PathPrefix="/aws-service-role/")["Roles"]),
    ),
)  # fmt: skip


def _repository(ecr: Any, name: str) -> None:
    ecr.create_repository(repositoryName=name)


ECR = (
    Subject(
        "repository", "ecr", _repository, "RepositoryAlreadyExistsException",
        lambda c, n: c.delete_repository(repositoryName=n), "RepositoryNotFoundException",
        lambda c, n: n in _names(c.describe_repositories()["repositories"], "repositoryName"),
        lambda c, n: c.put_image_tag_mutability(repositoryName=n, imageTagMutability="IMMUTABLE"),
    ),
    Subject(
        "public repository", "ecr-public", _repository, "RepositoryAlreadyExistsException",
        lambda c, n: c.delete_repository(repositoryName=n), "RepositoryNotFoundException",
        lambda c, n: n in _names(c.describe_repositories()["repositories"], "repositoryName"),
        lambda c, n: c.put_repository_catalog_data(repositoryName=n, catalogData={"description": "x"}),
    ),
    Subject(
        "creation template", "ecr",
        lambda c, n: c.create_repository_creation_template(prefix=n, appliedFor=["CREATE_ON_PUSH"]),
        "TemplateAlreadyExistsException",
        lambda c, n: c.delete_repository_creation_template(prefix=n), "TemplateNotFoundException",
        lambda c, n: bool(c.describe_repository_creation_templates(prefixes=[n])["repositoryCreationTemplates"]),
        lambda c, n: c.update_repository_creation_template(prefix=n, description="changed"),
    ),
    Subject(
        "pull-through rule", "ecr",
        lambda c, n: c.create_pull_through_cache_rule(ecrRepositoryPrefix=n, upstreamRegistryUrl="quay.io"),
        "PullThroughCacheRuleAlreadyExistsException",
        lambda c, n: c.delete_pull_through_cache_rule(ecrRepositoryPrefix=n), "PullThroughCacheRuleNotFoundException",
        lambda c, n: bool(c.describe_pull_through_cache_rules()["pullThroughCacheRules"]),
    ),
    Subject(
        "pull time exclusion", "ecr",
        lambda c, n: c.register_pull_time_update_exclusion(principalArn=f"arn:aws:iam::111122223333:role/{n}"),
        "ExclusionAlreadyExistsException",
        lambda c, n: c.deregister_pull_time_update_exclusion(principalArn=f"arn:aws:iam::111122223333:role/{n}"),
        "ExclusionNotFoundException",
        lambda c, n: bool(c.list_pull_time_update_exclusions()["pullTimeUpdateExclusions"]),
    ),
    Subject(
        "repository policy", "ecr",
        lambda c, n: c.set_repository_policy(repositoryName=n, policyText=_READ_POLICY), "",
        lambda c, n: c.delete_repository_policy(repositoryName=n), "RepositoryPolicyNotFoundException",
        lambda c, n: _found(
            lambda: c.get_repository_policy(repositoryName=n), c.exceptions.RepositoryPolicyNotFoundException
        ),
        prepared=_repository,
    ),
    Subject(
        "lifecycle policy", "ecr",
        lambda c, n: c.put_lifecycle_policy(repositoryName=n, lifecyclePolicyText=json.dumps(_RULES)), "",
        lambda c, n: c.delete_lifecycle_policy(repositoryName=n), "LifecyclePolicyNotFoundException",
        lambda c, n: _found(lambda: c.get_lifecycle_policy(repositoryName=n), c.exceptions.LifecyclePolicyNotFoundException),
        prepared=_repository,
    ),
    Subject(
        "registry policy", "ecr",
        lambda c, n: c.put_registry_policy(policyText=json.dumps({"Version": "2012-10-17", "Statement": [{
            "Sid": "a", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::000000000000:root"},
            "Action": ["ecr:ReplicateImage"], "Resource": "*"}]})),
        "",
        lambda c, n: c.delete_registry_policy(), "RegistryPolicyNotFoundException",
        lambda c, n: _found(c.get_registry_policy, c.exceptions.RegistryPolicyNotFoundException),
    ),
    Subject(
        "signing configuration", "ecr",
        lambda c, n: c.put_signing_configuration(signingConfiguration={"rules": [
            {"signingProfileArn": f"arn:aws:signer:us-east-1:111122223333:/signing-profiles/{n.replace('-', '_')}"}]}),
        "",
        lambda c, n: c.delete_signing_configuration(), "SigningConfigurationNotFoundException",
        lambda c, n: _found(c.get_signing_configuration, c.exceptions.SigningConfigurationNotFoundException),
    ),
)  # fmt: skip
SUBJECTS = (*ECR, *IAM)
