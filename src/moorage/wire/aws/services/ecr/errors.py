"""How ECR words the errors about settings of a registry and its repositories: codes and statuses as in its model."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from moorage.model import errors as domain
from moorage.model import registry_errors as registry

if TYPE_CHECKING:
    from moorage.wire.aws.errors import AwsError, _Context

_Wording = Callable[[Any, "_Context"], "AwsError"]

_OF = "in the registry with id '{e.registry_id}'"
_IN = "with name '{e.repository}' in the registry with id '{e.registry_id}'"
_ID = "{{imageDigest:'{digest}', imageTag:'{tag}'}}"


def _code(code: str, text: str) -> _Wording:
    """`text` is formatted with the error's attributes, and `image` with what it names its image by."""

    def word(e: Any, context: _Context) -> AwsError:
        digest, tag = getattr(e, "digest", None) or "null", getattr(e, "tag", None) or "null"
        return context.modelled(code, text.format(e=e, image=_ID.format(digest=digest, tag=tag)))

    return word


SETTINGS: dict[type[domain.DomainError], _Wording] = {
    registry.ConfigurationInvalid: _code("ValidationException", "{e}"),
    registry.NothingToChange: _code("InvalidParameterException", "{e}"),
    registry.UpstreamUnsupported: _code("UnsupportedUpstreamRegistryException", "{e}"),
    registry.RuleNotFound: _code(
        "PullThroughCacheRuleNotFoundException",
        "The pull through cache rule with ecrRepositoryPrefix '{e.name}' does not exist " + _OF,
    ),
    registry.RuleExists: _code(
        "PullThroughCacheRuleAlreadyExistsException",
        "The pull through cache rule with ecrRepositoryPrefix '{e.name}' already exists " + _OF,
    ),
    registry.TemplateNotFound: _code(
        "TemplateNotFoundException",
        "The repository creation template with prefix '{e.name}' does not exist " + _OF,
    ),
    registry.TemplateExists: _code(
        "TemplateAlreadyExistsException",
        "The repository creation template with prefix '{e.name}' already exists " + _OF,
    ),
    registry.SigningNotConfigured: _code(
        "SigningConfigurationNotFoundException", "Signing configuration does not exist in the registry with id '{e.registry_id}'"
    ),
    registry.ExclusionNotFound: _code(
        "ExclusionNotFoundException",
        "The pull time update exclusion for '{e.name}' does not exist " + _OF,
    ),
    registry.ExclusionExists: _code(
        "ExclusionAlreadyExistsException",
        "The pull time update exclusion for '{e.name}' already exists " + _OF,
    ),
    registry.BackfillNotFound: _code(
        "ReplicationBackfillNotFoundException",
        "The replication backfill with id '{e.name}' does not exist " + _OF,
    ),
    registry.BackfillRunning: _code(
        "ReplicationBackfillInProgressException",
        "A replication backfill to the region '{e.name}' is in progress " + _OF,
    ),
    registry.BackfillEnded: _code(
        "ReplicationBackfillInvalidStatusException",
        "The replication backfill with id '{e.name}' in the registry with id '{e.registry_id}' has ended",
    ),
    registry.LifecyclePolicyNotFound: _code(
        "LifecyclePolicyNotFoundException", f"Lifecycle policy does not exist for the repository {_IN}"
    ),
    registry.PreviewNotFound: _code(
        "LifecyclePolicyPreviewNotFoundException", f"Lifecycle policy preview does not exist for the repository {_IN}"
    ),
    registry.ScanNotFound: _code(
        "ScanNotFoundException", f"Image scan does not exist for the image with '{{image}}' in the repository {_IN}"
    ),
    registry.StorageClassFixed: _code(
        "ImageStorageClassUpdateNotSupportedException",
        f"The storage class of the image with imageId {{image}} in the repository {_IN} cannot be updated now",
    ),
    registry.ImageArchived: _code(
        "ImageArchivedException", f"The image with imageId {{image}} in the repository {_IN} is archived"
    ),
    registry.NotScannable: _code(
        "UnsupportedImageTypeException",
        f"The image with imageId {{image}} in the repository {_IN} is of a type that cannot be scanned",
    ),
}
"""Beside those that every room of the service knows."""
