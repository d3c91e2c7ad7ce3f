"""Whose registry: partition, region and account. Every query that starts from a name takes a Scope; nothing below the
addressing table knows a default.

An account has a private registry in every region, and one public registry, which names no region (nor do its ARNs): an empty
region is what tells the two apart, in a Scope as in the table of registries, so that no query can mix them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from moorage.model.errors import InvalidValue

_ACCOUNT = re.compile(r"[0-9]{12}")
_REGION = re.compile(r"[a-z]{2,4}(-[a-z]{2,10}){1,3}-[0-9]{1,2}")

PUBLIC_PARTITION, PUBLIC_HOME = "aws", "us-east-1"
"""Where ECR Public lives: what a policy sees as the requested region of everything that is done there."""
PUBLIC_REGIONS = frozenset((PUBLIC_HOME, "us-west-2"))
"""The regions in which its API is offered."""


def is_account_id(text: str) -> bool:
    """Tell whether `text` has the form of an AWS account id: twelve digits."""
    return _ACCOUNT.fullmatch(text) is not None


def is_region(text: str) -> bool:
    """Tell whether `text` has the form of a region's name, such as ``us-east-1`` or ``us-gov-west-1``."""
    return len(text) <= 32 and _REGION.fullmatch(text) is not None


def partition_of(region: str) -> str:
    """The partition a region lies in, by its name."""
    if region.startswith("cn-"):
        return "aws-cn"
    if region.startswith("us-gov-"):
        return "aws-us-gov"
    return "aws"


@dataclass(frozen=True, slots=True)
class Scope:
    """One registry: of an account in a region, or, with an empty region, an account's public one."""

    partition: str
    region: str
    registry_id: str

    @staticmethod
    def of(region: str, registry_id: str) -> Scope:
        """The Scope of an account in a region. Raises InvalidValue for a malformed region or account."""
        if not is_account_id(registry_id):
            raise InvalidValue(registry_id[:20], "an account id has 12 digits")
        if not is_region(region):
            raise InvalidValue(region[:40], "not the name of a region")
        return Scope(partition_of(region), region, registry_id)

    @staticmethod
    def public(registry_id: str) -> Scope:
        """The Scope of an account's public registry."""
        return Scope(PUBLIC_PARTITION, "", registry_id)

    @property
    def is_public(self) -> bool:
        """Everybody may pull from this registry."""
        return not self.region

    @property
    def service(self) -> str:
        """The service whose actions are done here: ``ecr`` or ``ecr-public``."""
        return "ecr" if self.region else "ecr-public"

    @property
    def registry_arn(self) -> str:
        """The ARN of the registry itself. Only public ones have one."""
        return f"arn:{self.partition}:{self.service}:{self.region}:{self.registry_id}:registry/{self.registry_id}"

    def repository_arn(self, name: str) -> str:
        """The ARN of a repository in this registry, whether it exists or not."""
        service = "ecr" if self.region else "ecr-public"
        return f"arn:{self.partition}:{service}:{self.region}:{self.registry_id}:repository/{name}"
