"""The quotas of ECR and ECR Public that hold here: what they are by default, and what the operator has made of those that can
be changed.

Source: ECR User Guide and ECR Public User Guide, "service quotas". Codes are Amazon's where they are known; those of ours begin
with ``M-``.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from moorage.model import limits, rates


class Quota(Struct, frozen=True):
    """One quota. `setting` is what it is called under ``limits``; empty: it cannot be changed there.

    A quota of a rate has its `operation` instead, by which ``rates`` changes it.
    """

    code: str
    name: str
    default: int
    description: str
    setting: str = ""
    operation: str = ""

    @property
    def is_adjustable(self) -> bool:
        """The operator can change it."""
        return bool(self.setting or self.operation)


def _rate(code: str, name: str, service: str = "ecr") -> Quota:
    operation = f"{service}:{name}"
    text = f"{name} requests that an account can make per second in a region"
    return Quota(code, f"Rate of {name} requests", rates.DEFAULTS[operation].per_second, text, operation=operation)


_OF_ECR = (
    Quota(
        "L-CFEB8E8D", "Registered repositories", limits.REPOSITORIES_PER_REGISTRY, "repositories of a registry", "repositories"
    ),
    Quota("L-03A36CE1", "Images per repository", limits.IMAGES_PER_REPOSITORY, "images of a repository", "images_per_repository"),
    Quota("M-TAGS", "Tags per image", limits.TAGS_PER_IMAGE, "tags of an image", "tags_per_image"),
    Quota(
        "L-6EF7FC96",
        "Pull through cache rules per registry",
        limits.PULL_THROUGH_RULES,
        "pull-through cache rules of a registry",
        "pull_through_rules",
    ),
    Quota(
        "M-TEMPLATES",
        "Repository creation templates per registry",
        limits.CREATION_TEMPLATES,
        "repository creation templates of a registry",
        "creation_templates",
    ),
    Quota(
        "M-EXCLUSIONS",
        "Pull time update exclusions per registry",
        limits.PULL_TIME_EXCLUSIONS,
        "principals whose pulls do not count as the last pull of an image",
        "pull_time_exclusions",
    ),
    Quota(
        "L-24725E9A",
        "Unique destinations across all rules in a replication configuration",
        limits.REPLICATION_DESTINATIONS,
        "destinations of a registry's replication",
        "replication_destinations",
    ),
    Quota(
        "M-BACKFILLS",
        "Running replication backfills per registry",
        limits.RUNNING_BACKFILLS,
        "replication backfills of a registry that have not ended",
        "running_backfills",
    ),
    Quota("L-9B60BFFB", "Rules per replication configuration", 25, "rules of a registry's replication"),
    Quota("L-241DEEBA", "Filters per rule in a replication configuration", 100, "filters of a rule of replication"),
    Quota("M-RULES", "Rules per lifecycle policy", 50, "rules of a lifecycle policy"),
    Quota("M-LENGTH", "Lifecycle policy length", 30_720, "characters of a lifecycle policy"),
    Quota("M-PARTS", "Layer parts", limits.UPLOAD_PARTS, "parts of an upload"),
    Quota("M-LAYER", "Maximum layer size", limits.LAYER_BYTES // limits.MIB, "MiB of a layer"),
    Quota(
        "M-PART", "Minimum layer part size", limits.PART_BYTES_MIN // limits.MIB, "MiB that a part must have that is not the last"
    ),
    _rate("L-55A41110", "GetAuthorizationToken"),
    _rate("L-B9173138", "BatchCheckLayerAvailability"),
    _rate("L-95B28F8D", "InitiateLayerUpload"),
    _rate("L-A1670B10", "UploadLayerPart"),
    _rate("L-44194860", "CompleteLayerUpload"),
    _rate("L-AD52DFB2", "PutImage"),
    _rate("L-16E70933", "BatchGetImage"),
    _rate("L-A60A366D", "GetDownloadUrlForLayer"),
)
_OF_ECR_PUBLIC = (
    Quota(
        "M-REPOSITORIES",
        "Registered repositories",
        limits.PUBLIC_REPOSITORIES_PER_REGISTRY,
        "repositories of a public registry",
        "public_repositories",
    ),
    Quota("M-IMAGES", "Images per repository", limits.IMAGES_PER_REPOSITORY, "images of a repository", "images_per_repository"),
    Quota("M-TAGS", "Tags per image", limits.TAGS_PER_IMAGE, "tags of an image", "tags_per_image"),
    Quota("M-PARTS", "Layer parts", limits.PUBLIC_UPLOAD_PARTS, "parts of an upload"),
    Quota("M-LAYER", "Maximum layer size", limits.PUBLIC_LAYER_BYTES // limits.MIB, "MiB of a layer"),
    *(
        _rate(f"M-RATE-{number}", name, "ecr-public")
        for number, name in enumerate(
            (
                "GetAuthorizationToken",
                "BatchCheckLayerAvailability",
                "InitiateLayerUpload",
                "UploadLayerPart",
                "CompleteLayerUpload",
                "PutImage",
            ),
            1,
        )
    ),
    Quota(
        "M-PULLS",
        "Rate of authenticated image pulls",
        rates.DEFAULTS[rates.PULLS_PUBLIC].per_second,
        "manifests that an account can pull per second",
        operation=rates.PULLS_PUBLIC,
    ),
)
QUOTAS: Mapping[str, tuple[Quota, ...]] = {"ecr": _OF_ECR, "ecr-public": _OF_ECR_PUBLIC}
"""By service."""
SETTABLE = {quota.setting: quota for quota in (*_OF_ECR, *_OF_ECR_PUBLIC) if quota.setting}
"""By the name under ``limits``."""


class Quotas:
    """The values in force in this process: a thing of the database's memory, so that each installation has its own."""

    def __init__(self) -> None:
        self._chosen: Mapping[str, int] = {}

    def choose(self, values: Mapping[str, int]) -> None:
        """Put the operator's values, by the names of `SETTABLE` and by operations, in the place of the defaults."""
        self._chosen = dict(values)

    def of(self, setting: str) -> int:
        """The value of a quota that can be changed."""
        return self._chosen.get(setting, SETTABLE[setting].default)

    def value_of(self, quota: Quota) -> int:
        """The value of any quota."""
        return self._chosen.get(quota.setting or quota.operation, quota.default) if quota.is_adjustable else quota.default
