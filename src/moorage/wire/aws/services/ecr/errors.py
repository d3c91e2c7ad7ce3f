"""How ECR and ECR Public word their errors: codes and statuses as in their models, messages as ECR is seen to send them."""

from __future__ import annotations

from typing import Any

from moorage.model import errors as domain
from moorage.model import registry_errors as registry
from moorage.wire.aws.common_errors import JSON
from moorage.wire.aws.wording import UNAVAILABLE_MESSAGE, AwsError, Context, Errors, Wording, code, constraint, pattern

_LONGEST_REASON = 300
_OF = "in the registry with id '{e.registry_id}'"
_IN = "with name '{e.repository}' in the registry with id '{e.registry_id}'"
_ID = "{{imageDigest:'{digest}', imageTag:'{tag}'}}"


def _of_image(code: str, text: str) -> Wording:
    """`text` is formatted with the error's attributes, and `image` with what it names its image by."""

    def word(e: Any, context: Context) -> AwsError:
        digest, tag = getattr(e, "digest", None) or "null", getattr(e, "tag", None) or "null"
        return context.modelled(code, text.format(e=e, image=_ID.format(digest=digest, tag=tag)))

    return word


_SETTINGS: Errors = {
    registry.ConfigurationInvalid: _of_image("ValidationException", "{e}"),
    registry.NothingToChange: _of_image("InvalidParameterException", "{e}"),
    registry.UpstreamUnsupported: _of_image("UnsupportedUpstreamRegistryException", "{e}"),
    registry.RuleNotFound: _of_image(
        "PullThroughCacheRuleNotFoundException",
        "The pull through cache rule with ecrRepositoryPrefix '{e.name}' does not exist " + _OF,
    ),
    registry.RuleExists: _of_image(
        "PullThroughCacheRuleAlreadyExistsException",
        "The pull through cache rule with ecrRepositoryPrefix '{e.name}' already exists " + _OF,
    ),
    registry.TemplateNotFound: _of_image(
        "TemplateNotFoundException",
        "The repository creation template with prefix '{e.name}' does not exist " + _OF,
    ),
    registry.TemplateExists: _of_image(
        "TemplateAlreadyExistsException",
        "The repository creation template with prefix '{e.name}' already exists " + _OF,
    ),
    registry.SigningNotConfigured: _of_image(
        "SigningConfigurationNotFoundException", "Signing configuration does not exist in the registry with id '{e.registry_id}'"
    ),
    registry.ExclusionNotFound: _of_image(
        "ExclusionNotFoundException",
        "The pull time update exclusion for '{e.name}' does not exist " + _OF,
    ),
    registry.ExclusionExists: _of_image(
        "ExclusionAlreadyExistsException",
        "The pull time update exclusion for '{e.name}' already exists " + _OF,
    ),
    registry.BackfillNotFound: _of_image(
        "ReplicationBackfillNotFoundException",
        "The replication backfill with id '{e.name}' does not exist " + _OF,
    ),
    registry.BackfillRunning: _of_image(
        "ReplicationBackfillInProgressException",
        "A replication backfill to the region '{e.name}' is in progress " + _OF,
    ),
    registry.BackfillEnded: _of_image(
        "ReplicationBackfillInvalidStatusException",
        "The replication backfill with id '{e.name}' in the registry with id '{e.registry_id}' has ended",
    ),
    registry.LifecyclePolicyNotFound: _of_image(
        "LifecyclePolicyNotFoundException", f"Lifecycle policy does not exist for the repository {_IN}"
    ),
    registry.PreviewNotFound: _of_image(
        "LifecyclePolicyPreviewNotFoundException", f"Lifecycle policy preview does not exist for the repository {_IN}"
    ),
    registry.ScanNotFound: _of_image(
        "ScanNotFoundException", f"Image scan does not exist for the image with '{{image}}' in the repository {_IN}"
    ),
    registry.StorageClassFixed: _of_image(
        "ImageStorageClassUpdateNotSupportedException",
        f"The storage class of the image with imageId {{image}} in the repository {_IN} cannot be updated now",
    ),
    registry.ImageArchived: _of_image(
        "ImageArchivedException", f"The image with imageId {{image}} in the repository {_IN} is archived"
    ),
    registry.NotScannable: _of_image(
        "UnsupportedImageTypeException",
        f"The image with imageId {{image}} in the repository {_IN} is of a type that cannot be scanned",
    ),
}
"""Beside those that every room of the service knows."""


def _image_id(digest: str | None, tag: str | None) -> str:
    return f"{{imageDigest:'{digest or 'null'}', imageTag:'{tag or 'null'}'}}"


def _image_not_found(e: domain.ImageNotFound, context: Context) -> AwsError:
    image = _image_id(e.digest, e.tag)
    where = f"within the repository with name '{e.repository}' in the registry with id '{e.registry_id}'"
    return context.modelled("ImageNotFoundException", f"The image with imageId {image} does not exist {where}")


def _kms(e: domain.KeyUnusable, context: Context) -> AwsError:
    if "KmsException" not in context.service.errors:  # of ECR Public, which knows no keys of customers
        return AwsError("ServiceUnavailableException", UNAVAILABLE_MESSAGE, 503, is_sender_fault=False)
    return context.modelled("KmsException", str(e), kmsError=e.code)


def _layer_part(e: domain.UploadInvalid, context: Context) -> AwsError:
    where = f"in the repository with name '{e.repository}' in the registry with id '{e.registry_id}'"
    return context.modelled(
        "InvalidLayerPartException",
        f"Invalid layer part upload for upload with id '{e.upload_id}' {where}",
        registryId=e.registry_id,
        repositoryName=e.repository,
        uploadId=e.upload_id,
        lastValidByteReceived=e.received - 1 if e.received else None,
    )


def _malformed_policy(e: domain.MalformedPolicy, context: Context) -> AwsError:
    """What is wrong with a policy.

    Terraform's provider takes "Invalid repository policy provided" for a principal that IAM does not show yet, and tries again
    for two minutes: only what another try can mend has this text.
    """
    if e.kind == "registry":
        text = "Principal not found" if isinstance(e, domain.PrincipalNotFound) else "Invalid registry policy provided"
    elif isinstance(e, domain.PrincipalNotFound):
        text = "Invalid repository policy provided: Principal not found"
    else:
        text = f"The policy document is malformed: {e.detail or e}"[:_LONGEST_REASON]
    return context.constraint("PolicyText", text, "")


ECR: Errors = {
    **JSON,
    **_SETTINGS,
    domain.DigestInvalid: pattern("imageDigest", "[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+"),
    domain.NameInvalid: pattern("repositoryName", r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*"),
    domain.TagInvalid: pattern("imageTag", "[a-zA-Z0-9-_.]+"),
    domain.ManifestInvalid: constraint("ImageManifest", "Invalid JSON syntax"),
    domain.ManifestTypeMissing: code(
        "InvalidParameterException", "image manifest mediatype not provided in manifest or parameter"
    ),
    domain.RangeInvalid: constraint("partFirstByte", "Invalid range"),
    domain.MalformedPolicy: _malformed_policy,
    domain.PrincipalNotFound: _malformed_policy,
    domain.RepositoryNotFound: code("RepositoryNotFoundException", "{e.message}"),
    domain.ImageNotFound: _image_not_found,
    domain.BlobNotFound: code(
        "LayersNotFoundException", f"The layer with digest '{{e.digest}}' does not exist in the repository {_IN}"
    ),
    domain.UploadNotFound: code(
        "UploadNotFoundException", f"Upload with id '{{e.upload_id}}' could not be found for the repository {_IN}"
    ),
    domain.LayersNotFound: code(
        "LayersNotFoundException",
        f"Layers with digests '[{{digests}}]' required for pushing image into repository {_IN} do not exist",
    ),
    domain.ReferencedImagesNotFound: code(
        "ReferencedImagesNotFoundException",
        f"Images with digests '[{{digests}}]' required for pushing image into repository {_IN} do not exist",
    ),
    domain.RepositoryPolicyNotFound: code(
        "RepositoryPolicyNotFoundException", f"Repository policy does not exist for the repository {_IN}"
    ),
    domain.RegistryPolicyNotFound: code(
        "RegistryPolicyNotFoundException", "Registry policy does not exist in the registry with id '{e.registry_id}'"
    ),
    domain.SettingInvalid: code("ValidationException", "Invalid value for account setting"),
    domain.RepositoryExists: code(
        "RepositoryAlreadyExistsException",
        "The repository with name '{e.repository}' already exists in the registry with id '{e.registry_id}'",
    ),
    domain.RepositoryNotEmpty: code(
        "RepositoryNotEmptyException",
        "The repository with name '{e.repository}' in registry with id '{e.registry_id}' cannot be deleted because it still "
        "contains images",
    ),
    domain.ImageExists: lambda e, context: context.modelled(
        "ImageAlreadyExistsException",
        f"Image with digest '{e.digest}' and tag '{e.tag or 'null'}' already exists in the repository with name '{e.repository}' "
        f"in registry with id '{e.registry_id}'",
    ),
    domain.TagImmutable: code(
        "ImageTagAlreadyExistsException",
        "The image tag '{e.tag}' already exists in the '{e.repository}' repository and cannot be overwritten because the tag is "
        "immutable.",
    ),
    domain.LayerExists: code(
        "LayerAlreadyExistsException", f"Layer with digest '{{e.digest}}' already exists in the repository {_IN}"
    ),
    domain.LayerInaccessible: code(
        "LayerInaccessibleException",
        f"The layer with digest '{{e.digest}}' is not associated with an image in the repository {_IN}",
    ),
    domain.RangeMismatch: _layer_part,
    domain.LengthMismatch: _layer_part,
    domain.UploadBusy: _layer_part,
    domain.LayerMismatch: code(
        "ImageDigestDoesNotMatchException",
        "The image with digest '{e.claimed}' in repository '{e.repository}' and registry ID '{e.registry_id}' does not match the "
        "image digest that Amazon ECR has calculated.",
    ),
    domain.DigestMismatch: code(
        "InvalidLayerException",
        "Layer digest '{e.claimed}' does not match the digest '{e.computed}' computed for the uploaded layer",
    ),
    domain.UploadEmpty: code("EmptyUploadException", "The upload with id '{e.upload_id}' does not contain any layer parts"),
    domain.PartTooSmall: code("LayerPartTooSmallException", "Layer parts must be at least 5 MiB in size"),
    domain.KeyUnusable: _kms,
    domain.KeyUnavailable: _kms,
}

NOT_MET = frozenset(
    (domain.AccountExists, domain.AliasTaken, domain.ImageReferenced, domain.BlobReferenced, domain.DataLimitExceeded)
)
"""Errors that no operation of ``ecr`` raises: the command line's, the batch failures', the /v2/ plane's."""
