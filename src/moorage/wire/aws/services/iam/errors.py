"""Errors of identities as IAM words them. Codes and statuses are those of its model; a test compares."""

from __future__ import annotations

from dataclasses import replace

from moorage.model import errors as domain
from moorage.model import identity_errors as identity
from moorage.wire.aws.common_errors import QUERY
from moorage.wire.aws.wording import Errors, Wording, code

_NOT_FOUND = {
    "user": "The user with name {e.name} cannot be found.",
    "group": "The group with name {e.name} cannot be found.",
    "role": "The role with name {e.name} cannot be found.",
    "user policy": "The user policy with name {e.name} cannot be found.",
    "group policy": "The group policy with name {e.name} cannot be found.",
    "role policy": "The role policy with name {e.name} cannot be found.",
    "user boundary": "The user with name {e.name} does not have a permissions boundary.",
    "role boundary": "The role with name {e.name} does not have a permissions boundary.",
    "policy": "Policy {e.name} was not found.",
    "attachable policy": "Policy {e.name} does not exist or is not attachable.",
    "policy version": "Policy {e.name} version {e.part} does not exist or is not attachable.",
    "access key": "The Access Key with id {e.name} cannot be found",
    "instance-profile": "Instance Profile {e.name} cannot be found.",
    "oidc provider": "OpenIDConnect Provider not found for arn {e.name}",
    "saml provider": "Manifest not found for arn {e.name}",
    "login profile": "Login Profile for User {e.name} cannot be found.",
    "password policy": "The Password Policy with domain name {e.name} cannot be found.",
    "mfa device": "VirtualMFADevice with serial number {e.name} does not exist.",
    "account alias": "The account alias {e.name} does not exist.",
    "deletion": "The deletion task {e.name} cannot be found.",
    "report": "The job {e.name} cannot be found.",
    "member": "The user with name {e.name} is not in the group with name {e.part}.",
}
"""By kind: what is said when there is none."""

_EXISTS = {
    "user": "User with name {e.name} already exists.",
    "group": "Group with name {e.name} already exists.",
    "role": "Role with name {e.name} already exists.",
    "policy": "A policy called {e.name} already exists. Duplicate names are not allowed.",
    "instance-profile": "Instance Profile {e.name} already exists.",
    "oidc provider": "Provider with url https://{e.name} already exists.",
    "saml provider": "Provider with name {e.name} already exists.",
    "login profile": "Login Profile for user {e.name} already exists.",
    "mfa device": "MFADevice entity at the same path and name already exists.",
    "enabled mfa device": "MFA Device is already in use.",
    "account alias": "The account alias {e.name} already exists.",
}
_UNMODIFIABLE = {
    "role": "Cannot perform the operation on the protected role '{e.name}' - this role is only modifiable by AWS",
    "policy": "Cannot perform the operation on the protected policy {e.name}: it is managed by AWS",
}


def _by_kind(code: str, texts: dict[str, str]) -> Wording:
    return lambda e, context: context.modelled(code, texts[e.kind].format(e=e))


IAM: Errors = {
    **QUERY,
    domain.TokenInvalid: code("ValidationError", "Invalid Marker."),
    domain.LimitExceeded: code("LimitExceeded"),
    identity.EntityNotFound: _by_kind("NoSuchEntity", _NOT_FOUND),
    identity.EntityExists: _by_kind("EntityAlreadyExists", _EXISTS),
    identity.DeleteConflict: code("DeleteConflict"),
    identity.Unmodifiable: _by_kind("UnmodifiableEntity", _UNMODIFIABLE),
    identity.NotAttachable: code("PolicyNotAttachable", "Cannot attach a Service Role Policy to a Customer Role."),
    identity.InputInvalid: code("InvalidInput"),
    identity.RequestInvalid: code("ValidationError"),
    identity.UserTypeInvalid: code("InvalidUserType"),
    identity.PasswordRefused: code("PasswordPolicyViolation"),
    identity.OldPasswordWrong: lambda e, context: replace(context.modelled("AccessDenied", str(e)), status=403),
    identity.TriesExhausted: code(
        "EntityTemporarilyUnmodifiable", "Too many failed attempts for the user {e.name}: try again in {e.seconds} seconds."
    ),
    identity.CodeRefused: code("InvalidAuthenticationCode", "Authentication code for device is not valid."),
    identity.ReportMissing: code("ReportNotPresent"),
    identity.ReportOutdated: code("ReportExpired"),
}
"""Beside those of the query protocol."""
