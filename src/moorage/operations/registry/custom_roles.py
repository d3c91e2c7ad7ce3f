"""Roles that the registry acts with: `customRoleArn` of pull-through cache rules and creation templates."""

from __future__ import annotations

from moorage.model.errors import ParameterInvalid
from moorage.model.identity import parse_iam_arn
from moorage.model.registry_errors import ConfigurationInvalid
from moorage.model.scope import Scope


def check_custom_role(scope: Scope, role_arn: str | None) -> None:
    """Make sure that a role, if one is given, can be one of the registry's account. Whether it exists shows when it is used.

    Source: ECR CreatePullThroughCacheRule and CreateRepositoryCreationTemplate, `customRoleArn`.

    Raises:
        ParameterInvalid: not the ARN of a role.
        ConfigurationInvalid: one of another account.
    """
    if not role_arn:
        return
    role = parse_iam_arn(role_arn)
    if role is None or role.kind != "role":
        raise ParameterInvalid("customRoleArn", "Invalid ARN")
    if role.account != scope.registry_id:
        raise ConfigurationInvalid("The custom role must be in the same account as the registry")
