"""The managed policies of AWS as IAM's operations show them: present in every account under their own ARNs, and immutable."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache

from msgspec import Struct

from moorage.metadata.identity.records import ManagedPolicy, PolicyVersion
from moorage.policy import managed

AWS = "aws"


class AwsPolicy(Struct, frozen=True):
    """A policy of AWS in its newest version."""

    policy: ManagedPolicy
    version: PolicyVersion
    is_attachable: bool
    """Whether users may attach it: not if it is made for a service's own role."""

    @property
    def arn(self) -> str:
        """Its ARN."""
        return self.policy.arn


def find(arn: str) -> AwsPolicy | None:
    """The policy of AWS with that ARN."""
    return _by_arn().get(arn)


def list_all() -> list[AwsPolicy]:
    """All policies of AWS, by name."""
    return list(_by_arn().values())


@cache
def _by_arn() -> dict[str, AwsPolicy]:
    shown = sorted(map(_shown, managed.MANAGED.values()), key=lambda found: found.policy.name.lower())
    return {found.arn: found for found in shown}


def _shown(found: managed.ManagedPolicy) -> AwsPolicy:
    version = int(found.version_id.removeprefix("v"))
    created, updated = _micros(found.created), _micros(found.updated)
    policy = ManagedPolicy(
        found.policy_id, AWS, found.name, found.path, found.arn(), found.description, version, version, created, updated
    )
    return AwsPolicy(policy, PolicyVersion(version, found.document, updated), found.is_attachable)


def _micros(iso: str) -> int:
    moment = datetime.fromisoformat(iso)
    return int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()) * 1_000_000
