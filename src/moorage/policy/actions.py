"""What is known of actions: of ECR's own, everything that its authorization reference says; of the others, their names.

Source: AWS service authorization reference, "Actions, resources, and condition keys for Amazon Elastic Container Registry" and
"... Registry Public". Knowing an action is for simulations, findings and documentation: a policy may name any other.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from moorage.policy.action_names import OPERATIONS, PERMISSIONS_ONLY


class Level(enum.Enum):
    """Access level of an action."""

    LIST = "List"
    READ = "Read"
    WRITE = "Write"
    TAGGING = "Tagging"
    PERMISSIONS = "Permissions management"


@dataclass(frozen=True, slots=True)
class Action:
    """What the reference says of an action."""

    name: str
    """With its service: ``ecr:PutImage``."""
    level: Level
    resource: str
    """Resource type: ``repository`` or ``registry``; ``*`` if it has none."""
    keys: tuple[str, ...]
    """Condition keys beside the global ones."""
    dependent: tuple[str, ...] = ()
    """Actions that a caller may need as well."""


BORROWED = {"ecr:ListImageReferrers": "ecr:BatchGetImage"}
"""Operations that are permitted by the action of another one, and have none of their own."""

# One action to a line: name, R if its resource type is the repository, level where the name does not tell it.
_ECR = """
BatchCheckLayerAvailability R Read
BatchDeleteImage R
BatchGetImage R Read
BatchGetRepositoryScanningConfiguration R Read
BatchImportUpstreamImage R
CompleteLayerUpload R
CreatePullThroughCacheRule *
CreateRepository R
CreateRepositoryCreationTemplate *
DeleteLifecyclePolicy R
DeletePullThroughCacheRule *
DeleteRegistryPolicy * Permissions
DeleteRepository R
DeleteRepositoryCreationTemplate *
DeleteRepositoryPolicy R Permissions
DeleteSigningConfiguration *
DeregisterPullTimeUpdateExclusion *
DescribeImageReplicationStatus R
DescribeImageScanFindings R
DescribeImageSigningStatus R
DescribeImages R List
DescribePullThroughCacheRules * List
DescribeRegistry *
DescribeReplicationBackfillResults *
DescribeRepositories R
DescribeRepositoryCreationTemplates *
GetAccountSetting *
GetAuthorizationToken *
GetDownloadUrlForLayer R
GetImageCopyStatus *
GetLifecyclePolicy R
GetLifecyclePolicyPreview R
GetRegistryPolicy *
GetRegistryScanningConfiguration *
GetRepositoryPolicy R
GetSigningConfiguration *
InitiateLayerUpload R
ListImages R
ListPullTimeUpdateExclusions *
ListReplicationBackfills *
ListTagsForResource R Read
PutAccountSetting *
PutImage R
PutImageScanningConfiguration R
PutImageTagMutability R
PutLifecyclePolicy R
PutRegistryPolicy * Permissions
PutRegistryScanningConfiguration *
PutReplicationConfiguration *
PutSigningConfiguration *
RegisterPullTimeUpdateExclusion *
ReplicateImage R
SetRepositoryPolicy R Permissions
StartImageScan R
StartLifecyclePolicyPreview R
StartReplicationBackfill *
StopReplicationBackfill *
TagResource R Tagging
UntagResource R Tagging
UpdateImageStorageClass R
UpdatePullThroughCacheRule *
UpdateRepositoryCreationTemplate *
UploadLayerPart R
ValidatePullThroughCacheRule * Read
"""
_ECR_PUBLIC = """
BatchCheckLayerAvailability R Read
BatchDeleteImage R
CompleteLayerUpload R
CreateRepository R
DeleteRepository R
DeleteRepositoryPolicy R Permissions
DescribeImageTags R List
DescribeImages R
DescribeRegistries G List
DescribeRepositories R List
GetAuthorizationToken *
GetRegistryCatalogData G
GetRepositoryCatalogData R
GetRepositoryPolicy R
InitiateLayerUpload R
ListTagsForResource R
PutImage R
PutRegistryCatalogData G
PutRepositoryCatalogData R
SetRepositoryPolicy R Permissions
TagResource R Tagging
UntagResource R Tagging
UploadLayerPart R
"""
ECR_PERMISSIONS_ONLY = ("BatchImportUpstreamImage", "GetImageCopyStatus", "ReplicateImage")
"""Actions of ``ecr`` that no operation is named after."""

_TEMPLATE = (
    "ecr:CreateRepository",
    "ecr:PutLifecyclePolicy",
    "ecr:SetRepositoryPolicy",
    "iam:CreateServiceLinkedRole",
    "iam:PassRole",
)
_DEPENDENT = {
    "ecr:CreateRepository": ("ecr:TagResource",),
    "ecr:CreatePullThroughCacheRule": ("iam:CreateServiceLinkedRole",),
    "ecr:PutReplicationConfiguration": ("iam:CreateServiceLinkedRole",),
    "ecr:CreateRepositoryCreationTemplate": _TEMPLATE,
    "ecr:UpdateRepositoryCreationTemplate": _TEMPLATE,
    "ecr-public:CreateRepository": ("ecr-public:TagResource",),
    "ecr-public:GetAuthorizationToken": ("sts:GetServiceBearerToken",),
}
_TAG_KEYS = {
    "CreateRepository": ("aws:RequestTag/${TagKey}", "aws:TagKeys"),
    "ListTagsForResource": ("aws:RequestTag/${TagKey}", "aws:TagKeys"),
    "TagResource": ("aws:RequestTag/${TagKey}", "aws:TagKeys"),
    "UntagResource": ("aws:TagKeys",),
    "GetAccountSetting": ("ecr:AccountSetting",),
    "PutAccountSetting": ("ecr:AccountSetting",),
}
_RESOURCES = {"R": "repository", "G": "registry", "*": "*"}


def _level(name: str, given: str) -> Level:
    if given:
        return Level[given.upper()]
    if name.startswith("List"):
        return Level.LIST
    return Level.READ if name.startswith(("Get", "Describe")) else Level.WRITE


def _actions(service: str, lines: str) -> dict[str, Action]:
    actions = {}
    for line in lines.strip().splitlines():
        name, resource, given = (line + " ").split(" ", 2)
        full = f"{service}:{name}"
        of_resource = ("aws:ResourceTag/${TagKey}", f"{service}:ResourceTag/${{TagKey}}") if resource == "R" else ()
        keys = of_resource + _TAG_KEYS.get(name, ())
        level = _level(name, given.strip())
        actions[full.lower()] = Action(full, level, _RESOURCES[resource], keys, _DEPENDENT.get(full, ()))
    return actions


DESCRIBED: dict[str, Action] = {**_actions("ecr", _ECR), **_actions("ecr-public", _ECR_PUBLIC)}
"""The actions of ``ecr`` and ``ecr-public`` by their names in lower case."""

NAMES: dict[str, str] = {
    **{action.name.lower(): action.name for action in DESCRIBED.values()},
    **{
        f"{service}:{name}".lower(): f"{service}:{name}"
        for table in (OPERATIONS, PERMISSIONS_ONLY)
        for service, names in table.items()
        for name in names
    },
}
"""All known actions: from lower case to how they are written."""

SERVICES = frozenset(name.partition(":")[0] for name in NAMES)
"""The services whose actions are known."""
