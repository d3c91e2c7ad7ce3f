"""How many requests an account may make, for each operation and region. Operations are named ``ecr:PutImage``.

Source: ECR User Guide and ECR Public User Guide, "service quotas". Amazon names rates and no bursts: a bucket holds what comes in
a second, as far as nothing else is said here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from moorage.model.errors import InvalidValue
from moorage.model.scope import PUBLIC_HOME
from moorage.model.token_bucket import Rate

RequestKey = tuple[str, str, str]
"""Whose requests are counted together: account, region, operation."""

ANONYMOUS = "anonymous"
"""Stands for the account of those who have none."""
GLOBAL_SERVICES = frozenset(("iam", "organizations", "sts", "ecr-public"))
"""Services whose requests count in one region, whichever was signed for."""

PULLS_PUBLIC = "ecr-public:BatchGetImage"
"""Pulls of public manifests by those who have logged in. ECR Public has no such operation; its quota is of image pulls."""
OPEN_PUBLIC = frozenset((PULLS_PUBLIC, "ecr-public:GetDownloadUrlForLayer", "ecr-public:ListImages"))
"""What is done at public registries and is no operation of their API."""

MOST_PER_SECOND = 1_000_000
"""The highest rate that can be set."""

DEFAULTS: Mapping[str, Rate] = {
    **{
        f"{service}:{name}": Rate(rate, rate)
        for service, rates in {
            "ecr": {
                "GetAuthorizationToken": 500,
                "BatchCheckLayerAvailability": 1_000,
                "InitiateLayerUpload": 100,
                "UploadLayerPart": 500,
                "CompleteLayerUpload": 100,
                "PutImage": 10,
                "BatchGetImage": 2_000,
                "GetDownloadUrlForLayer": 3_000,
            },
            "ecr-public": {
                "GetAuthorizationToken": 200,
                "BatchCheckLayerAvailability": 200,
                "InitiateLayerUpload": 10,
                "UploadLayerPart": 260,
                "CompleteLayerUpload": 10,
                "PutImage": 10,
            },
        }.items()
        for name, rate in rates.items()
    },
    PULLS_PUBLIC: Rate(10, 20),  # an image for several platforms is two manifests
}
"""By operation. What is not here has no rate."""


class Ticket(Protocol):
    """One request's claim to a token of its bucket."""

    def admit(self) -> None:
        """Take the token, if this request has not had it: called where the request was found to be allowed.

        Raises:
            RateExceeded: there is none.
            TokensNeeded: some have to be leased first; the transaction is to run again after that.
        """

    def give_back(self) -> None:
        """Put the token back: the request is to be decided anew."""


def region_of(service: str, region: str) -> str:
    """The region in which a request to a service counts."""
    return PUBLIC_HOME if service in GLOBAL_SERVICES else region


def operation_named(text: str) -> str:
    """An operation as settings name it: of ``ecr`` where no service is named."""
    return text if ":" in text else f"ecr:{text}"


def parse_rate(text: str) -> Rate | None:
    """``rate`` or ``rate/burst``; ``0`` is None: any number. Raises InvalidValue."""
    rate, slash, burst = text.partition("/")
    numbers = [rate, burst] if slash else [rate, rate]
    if not all(
        number.isascii() and number.isdigit() and len(number) <= 7 and int(number) <= MOST_PER_SECOND for number in numbers
    ):
        raise InvalidValue(text[:40], f"requests a second, 0 to {MOST_PER_SECOND:,}, or rate/burst such as 10/50")
    if int(rate) == 0:
        return None
    if int(numbers[1]) == 0:
        raise InvalidValue(text[:40], "a burst of 0 would let nothing through: 1 or more")
    return Rate(int(rate), int(numbers[1]))
