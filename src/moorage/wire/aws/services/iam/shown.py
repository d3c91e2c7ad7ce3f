"""Entities in the shapes of the API. Documents go out percent-encoded (RFC 3986), times in whole seconds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from moorage.metadata.identity.records import Identity, PolicyVersion
from moorage.operations.identity.entities import Described
from moorage.operations.identity.instance_profiles import ProfileView
from moorage.operations.identity.managed_policies import PolicyView


def seconds(micros: int | None) -> int | None:
    """A time of the database as IAM shows it."""
    return None if micros is None else micros // 1_000_000


def encoded(document: str) -> str:
    """A policy document as IAM sends it."""
    return quote(document, safe="")


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as a list; by key, as they were found."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def identity(found: Identity) -> dict[str, Any]:
    """What lists show of a user, a group or a role."""
    noun = found.kind.capitalize()
    shown: dict[str, Any] = {
        "Path": found.path,
        f"{noun}Name": found.name,
        f"{noun}Id": found.id,
        "Arn": found.arn,
        "CreateDate": seconds(found.created_at),
    }
    if found.kind == "user":
        shown["PasswordLastUsed"] = seconds(found.last_used_at)
    if found.kind == "role":
        shown["AssumeRolePolicyDocument"] = encoded(found.trust_policy or "")
        shown["Description"] = found.description or None
        shown["MaxSessionDuration"] = found.max_session_seconds
    return shown


def in_full(found: Described) -> dict[str, Any]:
    """What Get... and Create... show of a user or a role: tags and boundary as well."""
    shown = identity(found.identity)
    if found.identity.boundary_arn is not None:
        shown["PermissionsBoundary"] = boundary(found.identity.boundary_arn)
    if found.signin_seconds is not None:
        shown["MaxSigninSessionDuration"] = found.signin_seconds
    if found.tags:
        shown["Tags"] = tag_list(found.tags)
    return shown


def boundary(arn: str) -> dict[str, str]:
    """A permissions boundary."""
    return {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn}


def role_last_used(found: Identity) -> dict[str, Any]:
    """When and where a role was last used; empty if never."""
    return {"LastUsedDate": seconds(found.last_used_at), "Region": found.last_used_region}


def policy(view: PolicyView, *, in_list: bool = False) -> dict[str, Any]:
    """A managed policy; lists show neither description nor tags."""
    found = view.policy
    shown: dict[str, Any] = {
        "PolicyName": found.name,
        "PolicyId": found.id,
        "Arn": found.arn,
        "Path": found.path,
        "DefaultVersionId": f"v{found.default_version}",
        "AttachmentCount": view.attachments,
        "PermissionsBoundaryUsageCount": view.bounded,
        "IsAttachable": view.is_attachable,
        "CreateDate": seconds(found.created_at),
        "UpdateDate": seconds(found.updated_at),
    }
    if not in_list:
        shown["Description"] = found.description or None
        shown["Tags"] = tag_list(view.tags)
    return shown


def version(found: PolicyVersion, is_default: bool, *, with_document: bool = True) -> dict[str, Any]:
    """A version of a managed policy."""
    return {
        "Document": encoded(found.document) if with_document else None,
        "VersionId": f"v{found.version}",
        "IsDefaultVersion": is_default,
        "CreateDate": seconds(found.created_at),
    }


def attached(policies: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    """Names and ARNs of attached policies."""
    return [{"PolicyName": name, "PolicyArn": arn} for name, arn in policies]


def instance_profile(view: ProfileView) -> dict[str, Any]:
    """An instance profile with the role that it holds."""
    found = view.profile
    return {
        "Path": found.path,
        "InstanceProfileName": found.name,
        "InstanceProfileId": found.id,
        "Arn": found.arn,
        "CreateDate": seconds(found.created_at),
        "Roles": [identity(view.role)] if view.role is not None else [],
        "Tags": tag_list(view.tags) if view.tags else None,
    }
