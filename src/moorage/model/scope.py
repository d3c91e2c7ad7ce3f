"""Whose registry: partition, region and account. Every query that starts from a name takes a Scope; nothing below the
addressing table knows a default."""

from __future__ import annotations

import re
from dataclasses import dataclass

from moorage.model.errors import InvalidValue

_ACCOUNT = re.compile(r"[0-9]{12}")
_REGION = re.compile(r"[a-z]{2,4}(-[a-z]{2,10}){1,3}-[0-9]{1,2}")


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
    """One private registry: an account in a region."""

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

    def repository_arn(self, name: str) -> str:
        """The ARN of a repository in this registry, whether it exists or not."""
        return f"arn:{self.partition}:ecr:{self.region}:{self.registry_id}:repository/{name}"
