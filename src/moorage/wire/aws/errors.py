"""The domain's errors, and the wire's own, as the services word them: one table each, codes and statuses from the models.

Messages are those that Amazon ECR is seen to send. The tables hold codes; whether a code is modelled for its service is a test.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from moorage.auth.signature_errors import SignatureRefused
from moorage.metadata.database import DatabaseUnavailable
from moorage.model import errors as domain
from moorage.storage.blob_store import StoreUnavailable
from moorage.wire.aws.faults import (
    BodyStalled,
    BodyTooLarge,
    ConstraintFault,
    MissingAction,
    Overloaded,
    SerializationFault,
    UnknownOperation,
)
from moorage.wire.aws.models import OperationPlan, ServicePlan
from moorage.wire.aws.services.ecr.errors import SETTINGS
from moorage.wire.aws.services.iam.errors import IAM
from moorage.wire.aws.services.organizations.errors import ORGANIZATIONS
from moorage.wire.aws.services.service_quotas.errors import SERVICE_QUOTAS
from moorage.wire.aws.services.sts.errors import STS
from moorage.wire.aws.signature_words import signature_error
from moorage.wire.aws.validate import has_parameter_family, parameter_message, validation_message

NO_ROOM_MESSAGE = "The registry has no room left for changes: reads go on. Tell its operator."
UNAVAILABLE_MESSAGE = "The registry is temporarily unavailable: try again."
INTERNAL_MESSAGE = "The server could not process the request because of an internal error."
"""All that a client learns about a fault of this server; the log has the rest under the request id."""

_LONGEST_REASON = 300

COMMON_CODES = {
    "json": frozenset(
        (
            "AccessDeniedException",
            "ExpiredTokenException",
            "IncompleteSignatureException",
            "InvalidSignatureException",
            "MissingAuthenticationTokenException",
            "RequestEntityTooLargeException",
            "RequestTimeoutException",
            "SerializationException",
            "ServerException",
            "ServiceUnavailableException",
            "ThrottlingException",
            "UnknownOperationException",
            "UnrecognizedClientException",
            "ValidationException",
        )
    ),
    "query": frozenset(
        (
            "AccessDenied",
            "ExpiredToken",
            "IncompleteSignature",
            "InternalFailure",
            "InvalidAction",
            "InvalidClientTokenId",
            "MissingAction",
            "MissingAuthenticationToken",
            "RequestEntityTooLarge",
            "RequestExpired",
            "RequestTimeout",
            "SignatureDoesNotMatch",
            "Throttling",
            "ValidationError",
        )
    ),
}
"""Codes that every operation of a protocol may answer with, though no model lists them."""


@dataclass(frozen=True, slots=True)
class AwsError:
    """An error as it goes out. `members` are what its shape has beside the message."""

    code: str
    message: str
    status: int = 400
    is_sender_fault: bool = True
    members: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Context:
    service: ServicePlan
    operation: OperationPlan | None

    def modelled(self, code: str, message: str, **members: Any) -> AwsError:
        """An error of the service's model, with the status that it has there."""
        plan = self.service.errors.get(code)
        if plan is None:
            return AwsError(code, message, members=members)
        known = {name: value for name, value in members.items() if name in plan.shape.members}
        return AwsError(code, message, plan.status, plan.is_sender_fault, known)

    def constraint(self, member: str, constraint: str, value: str) -> AwsError:
        """A rule beyond the shape that a member breaks, in the family of messages that the operation has."""
        if self.operation is not None and has_parameter_family(self.service, self.operation):
            return self.modelled("InvalidParameterException", parameter_message(member, constraint))
        code = "ValidationError" if self.service.protocol == "query" else "ValidationException"
        return self.modelled(code, validation_message(member, f"'{value[:256]}'", constraint))


_Wording = Callable[[Any, _Context], AwsError]


def _code(code: str, text: str) -> _Wording:
    """`text` is formatted with the error's attributes: ``{e.registry_id}``."""
    return lambda e, context: context.modelled(code, text.format(e=e, digests=", ".join(getattr(e, "digests", ()))))


def _pattern(member: str, pattern: str) -> _Wording:
    return lambda e, context: context.constraint(member, f"must satisfy regular expression '{pattern}'", e.value)


def _constraint(member: str, text: str) -> _Wording:
    return lambda e, context: context.constraint(member, text, e.value)


def _kms(e: domain.KeyUnusable, context: _Context) -> AwsError:
    return context.modelled("KmsException", str(e), kmsError=e.code)


def _server_fault(_error: object, _context: _Context) -> AwsError:
    return AwsError("ServerException", INTERNAL_MESSAGE, 500, is_sender_fault=False)


def _image_id(digest: str | None, tag: str | None) -> str:
    return f"{{imageDigest:'{digest or 'null'}', imageTag:'{tag or 'null'}'}}"


def _image_not_found(e: domain.ImageNotFound, context: _Context) -> AwsError:
    image = _image_id(e.digest, e.tag)
    where = f"within the repository with name '{e.repository}' in the registry with id '{e.registry_id}'"
    return context.modelled("ImageNotFoundException", f"The image with imageId {image} does not exist {where}")


def _layer_part(e: domain.UploadInvalid, context: _Context) -> AwsError:
    where = f"in the repository with name '{e.repository}' in the registry with id '{e.registry_id}'"
    return context.modelled(
        "InvalidLayerPartException",
        f"Invalid layer part upload for upload with id '{e.upload_id}' {where}",
        registryId=e.registry_id,
        repositoryName=e.repository,
        uploadId=e.upload_id,
        lastValidByteReceived=e.received - 1 if e.received else None,
    )


def _malformed_policy(e: domain.MalformedPolicy, context: _Context) -> AwsError:
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


def _parameter(e: domain.ParameterInvalid, context: _Context) -> AwsError:
    return context.constraint(e.member, e.constraint, "")


_IN = "with name '{e.repository}' in the registry with id '{e.registry_id}'"

ECR: dict[type[domain.DomainError], _Wording] = {
    domain.DigestInvalid: _pattern("imageDigest", "[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+"),
    domain.NameInvalid: _pattern("repositoryName", r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*"),
    domain.TagInvalid: _pattern("imageTag", "[a-zA-Z0-9-_.]+"),
    domain.ManifestInvalid: _constraint("ImageManifest", "Invalid JSON syntax"),
    domain.ManifestTypeMissing: _code(
        "InvalidParameterException", "image manifest mediatype not provided in manifest or parameter"
    ),
    domain.TokenInvalid: _constraint("nextToken", "Invalid token"),
    domain.ArnInvalid: _constraint("resourceArn", "Invalid ARN"),
    domain.RangeInvalid: _constraint("partFirstByte", "Invalid range"),
    domain.ParameterInvalid: _parameter,
    domain.MalformedPolicy: _malformed_policy,
    domain.PrincipalNotFound: _malformed_policy,
    domain.NotAuthenticated: _code("UnrecognizedClientException", "The security token included in the request is invalid."),
    domain.AccessDenied: _code("AccessDeniedException", "{e}"),
    domain.RepositoryNotFound: _code("RepositoryNotFoundException", "{e.message}"),
    domain.AccountNotFound: lambda e, context: (
        context.modelled("RegistryNotFoundException", f"The registry with id '{e.account_id}' does not exist")
        if "RegistryNotFoundException" in context.service.errors
        else context.constraint("registryId", "Invalid registry id", e.account_id)
    ),
    domain.ImageNotFound: _image_not_found,
    domain.BlobNotFound: _code(
        "LayersNotFoundException", f"The layer with digest '{{e.digest}}' does not exist in the repository {_IN}"
    ),
    domain.UploadNotFound: _code(
        "UploadNotFoundException", f"Upload with id '{{e.upload_id}}' could not be found for the repository {_IN}"
    ),
    domain.LayersNotFound: _code(
        "LayersNotFoundException",
        f"Layers with digests '[{{digests}}]' required for pushing image into repository {_IN} do not exist",
    ),
    domain.ReferencedImagesNotFound: _code(
        "ReferencedImagesNotFoundException",
        f"Images with digests '[{{digests}}]' required for pushing image into repository {_IN} do not exist",
    ),
    domain.RepositoryPolicyNotFound: _code(
        "RepositoryPolicyNotFoundException", f"Repository policy does not exist for the repository {_IN}"
    ),
    domain.RegistryPolicyNotFound: _code(
        "RegistryPolicyNotFoundException", "Registry policy does not exist in the registry with id '{e.registry_id}'"
    ),
    domain.SettingInvalid: _code("ValidationException", "Invalid value for account setting"),
    domain.RepositoryExists: _code(
        "RepositoryAlreadyExistsException",
        "The repository with name '{e.repository}' already exists in the registry with id '{e.registry_id}'",
    ),
    domain.RepositoryNotEmpty: _code(
        "RepositoryNotEmptyException",
        "The repository with name '{e.repository}' in registry with id '{e.registry_id}' cannot be deleted because it still "
        "contains images",
    ),
    domain.ImageExists: lambda e, context: context.modelled(
        "ImageAlreadyExistsException",
        f"Image with digest '{e.digest}' and tag '{e.tag or 'null'}' already exists in the repository with name '{e.repository}' "
        f"in registry with id '{e.registry_id}'",
    ),
    domain.TagImmutable: _code(
        "ImageTagAlreadyExistsException",
        "The image tag '{e.tag}' already exists in the '{e.repository}' repository and cannot be overwritten because the tag is "
        "immutable.",
    ),
    domain.LayerExists: _code(
        "LayerAlreadyExistsException", f"Layer with digest '{{e.digest}}' already exists in the repository {_IN}"
    ),
    domain.LayerInaccessible: _code(
        "LayerInaccessibleException",
        f"The layer with digest '{{e.digest}}' is not associated with an image in the repository {_IN}",
    ),
    domain.RangeMismatch: _layer_part,
    domain.LengthMismatch: _layer_part,
    domain.UploadBusy: _layer_part,
    domain.LayerMismatch: _code(
        "ImageDigestDoesNotMatchException",
        "The image with digest '{e.claimed}' in repository '{e.repository}' and registry ID '{e.registry_id}' does not match the "
        "image digest that Amazon ECR has calculated.",
    ),
    domain.DigestMismatch: _code(
        "InvalidLayerException",
        "Layer digest '{e.claimed}' does not match the digest '{e.computed}' computed for the uploaded layer",
    ),
    domain.UploadEmpty: _code("EmptyUploadException", "The upload with id '{e.upload_id}' does not contain any layer parts"),
    domain.PartTooSmall: _code("LayerPartTooSmallException", "Layer parts must be at least 5 MiB in size"),
    domain.LimitExceeded: _code("LimitExceededException", "{e}"),
    domain.TooManyTags: _code("TooManyTagsException", "{e}"),
    domain.RateExceeded: _code("ThrottlingException", "{e}"),
    domain.TagKeyInvalid: _code("InvalidTagParameterException", "{e}"),
    domain.KeyUnusable: _kms,
    domain.KeyUnavailable: _kms,
    domain.NotBuilt: _code("UnknownOperationException", "{e}"),
    domain.Unsupported: _code("UnsupportedCommandException", "{e}"),
    domain.StorageFull: lambda *_: AwsError("ServerException", NO_ROOM_MESSAGE, 507, is_sender_fault=False),
    domain.StorageCorrupt: _server_fault,
}
"""Of ``ecr`` and ``ecr-public``. Looked up by the error's class, then its bases."""

QUERY: dict[type[domain.DomainError], _Wording] = {
    domain.ParameterInvalid: _parameter,
    domain.InvalidValue: _constraint("Value", "is invalid"),
    domain.MalformedPolicy: _code("MalformedPolicyDocument", "{e}"),
    domain.NotAuthenticated: lambda _e, _context: AwsError(
        "InvalidClientTokenId", "The security token included in the request is invalid.", 403
    ),
    domain.AccessDenied: lambda e, _context: AwsError("AccessDenied", str(e), 403),
    domain.RateExceeded: _code("Throttling", "{e}"),
    domain.NotBuilt: _code("InvalidAction", "{e}"),
}
"""Of the services of the query protocol; what their models name is added by each service's own errors."""

_JSON_TABLES = {"ecr": ECR | SETTINGS, "organizations": ECR | ORGANIZATIONS, "service-quotas": ECR | SERVICE_QUOTAS}
_QUERY_TABLES = {"iam": QUERY | IAM, "sts": QUERY | STS}

NOT_MET = frozenset(
    (domain.AccountExists, domain.AliasTaken, domain.ImageReferenced, domain.BlobReferenced, domain.DataLimitExceeded)
)
"""Errors that no operation of ``ecr`` raises: the command line's, the batch failures', the /v2/ plane's."""


def to_aws_error(error: Exception, service: ServicePlan, operation: OperationPlan | None) -> AwsError | None:
    """The error that tells `error` to a client of `service`; None: nobody planned for it, so it is a fault of the server."""
    is_json = service.protocol == "json"
    if isinstance(error, SignatureRefused):
        code, status, message = signature_error(error, is_json=is_json)
        return AwsError(code, message, status)
    if isinstance(error, domain.DomainError):
        table = _JSON_TABLES.get(service.name, ECR) if is_json else _QUERY_TABLES.get(service.name, QUERY)
        for base in type(error).__mro__:
            wording = table.get(base)
            if wording is not None:
                return wording(error, _Context(service, operation))
        return None
    if isinstance(error, ConstraintFault):
        return _Context(service, operation).modelled(error.code, str(error))
    codes = _WIRE.get(type(error))
    if codes is None:
        return None
    json_code, query_code, status = codes
    message = UNAVAILABLE_MESSAGE if status == 503 else str(error)
    return AwsError(json_code if is_json else query_code, message, status, is_sender_fault=status < 500)


_WIRE: dict[type[Exception], tuple[str, str, int]] = {
    SerializationFault: ("SerializationException", "ValidationError", 400),
    UnknownOperation: ("UnknownOperationException", "InvalidAction", 400),
    MissingAction: ("UnknownOperationException", "MissingAction", 400),
    BodyTooLarge: ("RequestEntityTooLargeException", "RequestEntityTooLarge", 413),
    BodyStalled: ("RequestTimeoutException", "RequestTimeout", 408),
    Overloaded: ("ThrottlingException", "Throttling", 400),
    DatabaseUnavailable: ("ServiceUnavailableException", "ServiceUnavailable", 503),
    StoreUnavailable: ("ServiceUnavailableException", "ServiceUnavailable", 503),
}


def internal_error(service: ServicePlan) -> AwsError:
    """What a client is told about an unexpected exception: nothing of the cause."""
    code = "ServerException" if service.protocol == "json" else "InternalFailure"
    return AwsError(code, INTERNAL_MESSAGE, 500, is_sender_fault=False)
