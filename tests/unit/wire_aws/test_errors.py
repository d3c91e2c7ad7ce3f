"""The tables of errors are whole, and every code is one that a client of the service can know."""

# ruff: noqa: E501 - exact texts, one case to a line
from __future__ import annotations

from collections.abc import Iterator

import pytest

from moorage.auth.signature_errors import Fault, FaultKind, SignatureRefused
from moorage.model import errors as domain
from moorage.testing.error_tables import to_aws_error
from moorage.wire.aws.common_errors import COMMON_CODES
from moorage.wire.aws.errors import internal_error
from moorage.wire.aws.faults import BodyStalled, BodyTooLarge, MissingAction, Overloaded, SerializationFault, UnknownOperation
from moorage.wire.aws.models import service_plan
from moorage.wire.aws.services.ecr.errors import ECR, NOT_MET
from moorage.wire.aws.signature_words import CODES, TEXTS

R, N, D, U = "123456789012", "a/b", "sha256:00", "u-1"

CASES: list[tuple[domain.DomainError, str, str]] = [
    (domain.RepositoryNotFound(R, N), "RepositoryNotFoundException", f"The repository with name '{N}' does not exist in the registry with id '{R}'"),
    (domain.RepositoryExists(R, N), "RepositoryAlreadyExistsException", f"The repository with name '{N}' already exists in the registry with id '{R}'"),
    (domain.RepositoryNotEmpty(R, N), "RepositoryNotEmptyException", f"The repository with name '{N}' in registry with id '{R}' cannot be deleted because it still contains images"),
    (domain.ImageNotFound(R, N, None, "t"), "ImageNotFoundException", f"The image with imageId {{imageDigest:'null', imageTag:'t'}} does not exist within the repository with name '{N}' in the registry with id '{R}'"),
    (domain.ImageExists(R, N, D, None), "ImageAlreadyExistsException", f"Image with digest '{D}' and tag 'null' already exists in the repository with name '{N}' in registry with id '{R}'"),
    (domain.TagImmutable(R, N, "t"), "ImageTagAlreadyExistsException", f"The image tag 't' already exists in the '{N}' repository and cannot be overwritten because the tag is immutable."),
    (domain.LayersNotFound(R, N, [D, "x"]), "LayersNotFoundException", f"Layers with digests '[{D}, x]' required for pushing image into repository with name '{N}' in the registry with id '{R}' do not exist"),
    (domain.ReferencedImagesNotFound(R, N, [D]), "ReferencedImagesNotFoundException", f"Images with digests '[{D}]' required for pushing image into repository with name '{N}' in the registry with id '{R}' do not exist"),
    (domain.BlobNotFound(R, N, D), "LayersNotFoundException", f"The layer with digest '{D}' does not exist in the repository with name '{N}' in the registry with id '{R}'"),
    (domain.LayerInaccessible(R, N, D), "LayerInaccessibleException", f"The layer with digest '{D}' is not associated with an image in the repository with name '{N}' in the registry with id '{R}'"),
    (domain.LayerExists(R, N, D), "LayerAlreadyExistsException", f"Layer with digest '{D}' already exists in the repository with name '{N}' in the registry with id '{R}'"),
    (domain.UploadNotFound(R, N, U), "UploadNotFoundException", f"Upload with id '{U}' could not be found for the repository with name '{N}' in the registry with id '{R}'"),
    (domain.RangeMismatch(R, N, U, 10), "InvalidLayerPartException", f"Invalid layer part upload for upload with id '{U}' in the repository with name '{N}' in the registry with id '{R}'"),
    (domain.UploadBusy(R, N, U, 0), "InvalidLayerPartException", f"Invalid layer part upload for upload with id '{U}' in the repository with name '{N}' in the registry with id '{R}'"),
    (domain.LayerMismatch(R, N, "", D, "x"), "ImageDigestDoesNotMatchException", f"The image with digest '{D}' in repository '{N}' and registry ID '{R}' does not match the image digest that Amazon ECR has calculated."),
    (domain.DigestMismatch(R, N, U, D, "x"), "InvalidLayerException", f"Layer digest '{D}' does not match the digest 'x' computed for the uploaded layer"),
    (domain.UploadEmpty(R, N, U, 0), "EmptyUploadException", f"The upload with id '{U}' does not contain any layer parts"),
    (domain.PartTooSmall(R, N, U, 0), "LayerPartTooSmallException", "Layer parts must be at least 5 MiB in size"),
    (domain.TokenInvalid("x"), "InvalidParameterException", "Invalid parameter at 'nextToken' failed to satisfy constraint: 'Invalid token'"),
    (domain.ArnInvalid("x"), "InvalidParameterException", "Invalid parameter at 'resourceArn' failed to satisfy constraint: 'Invalid ARN'"),
    (domain.ManifestInvalid("x"), "InvalidParameterException", "Invalid parameter at 'ImageManifest' failed to satisfy constraint: 'Invalid JSON syntax'"),
    (domain.TagInvalid("x"), "InvalidParameterException", "Invalid parameter at 'imageTag' failed to satisfy constraint: 'must satisfy regular expression '[a-zA-Z0-9-_.]+''"),
    (domain.NameInvalid("x"), "InvalidParameterException", r"Invalid parameter at 'repositoryName' failed to satisfy constraint: 'must satisfy regular expression '[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*''"),
    (domain.DigestInvalid("x"), "InvalidParameterException", "Invalid parameter at 'imageDigest' failed to satisfy constraint: 'must satisfy regular expression '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+''"),
    (domain.RangeInvalid("x", 1), "InvalidParameterException", "Invalid parameter at 'partFirstByte' failed to satisfy constraint: 'Invalid range'"),
    (domain.ParameterInvalid("PolicyText", "Principal not found"), "InvalidParameterException", "Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Principal not found'"),
    (domain.MalformedPolicy("Syntax errors in policy.", "repository", "no JSON"), "InvalidParameterException", "Invalid parameter at 'PolicyText' failed to satisfy constraint: 'The policy document is malformed: no JSON'"),
    (domain.MalformedPolicy("Syntax errors in policy.", "registry"), "InvalidParameterException", "Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Invalid registry policy provided'"),
    (domain.MalformedPolicy("Syntax errors in policy.", "public repository"), "InvalidParameterException", "Invalid parameter at 'PolicyText' failed to satisfy constraint: 'The policy document is malformed: Syntax errors in policy.'"),
    (domain.PrincipalNotFound("arn:aws:iam::123456789012:user/x", "repository"), "InvalidParameterException", "Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Invalid repository policy provided: Principal not found'"),
    (domain.AccountNotFound(R), "InvalidParameterException", "Invalid parameter at 'registryId' failed to satisfy constraint: 'Invalid registry id'"),
    (domain.NotAuthenticated("x"), "UnrecognizedClientException", "The security token included in the request is invalid."),
    (domain.AccessDenied("arn", "ecr:X", "*", "no identity-based policy allows the ecr:X action"), "AccessDeniedException", "User: arn is not authorized to perform: ecr:X on resource: * because no identity-based policy allows the ecr:X action"),
    (domain.AccessDenied("arn", "ecr:X", "*", "with an explicit deny in a resource-based policy"), "AccessDeniedException", "User: arn is not authorized to perform: ecr:X on resource: * with an explicit deny in a resource-based policy"),
    (domain.AccessDenied("arn", "sts:AssumeRole", "role", ""), "AccessDeniedException", "User: arn is not authorized to perform: sts:AssumeRole on resource: role"),
    (domain.LimitExceeded("quota"), "LimitExceededException", "quota"),
    (domain.TooManyTags("51"), "TooManyTagsException", "51"),
    (domain.TagKeyInvalid("aws:"), "InvalidTagParameterException", "aws:"),
    (domain.ManifestTypeMissing("x"), "InvalidParameterException", "image manifest mediatype not provided in manifest or parameter"),
    (domain.LengthMismatch(R, N, U, 0), "InvalidLayerPartException", f"Invalid layer part upload for upload with id '{U}' in the repository with name '{N}' in the registry with id '{R}'"),
    (domain.KeyUnusable("no such key", "NotFoundException"), "KmsException", "no such key"),
    (domain.NotBuilt("later"), "UnknownOperationException", "later"),
]  # fmt: skip


@pytest.mark.parametrize(("error", "code", "message"), CASES)
def test_codes_and_texts(error: domain.DomainError, code: str, message: str) -> None:
    service = service_plan("ecr")
    told = to_aws_error(error, service, service.operations["PutImage"])
    assert told is not None
    assert (told.code, told.message, told.status) == (code, message, 400)
    assert code in service.errors or code in COMMON_CODES["json"]


def test_iam_and_sts_tell_what_is_wrong_with_a_policy() -> None:
    told = to_aws_error(domain.PrincipalNotFound("arn:x", "trust"), service_plan("sts"), None)
    assert told is not None
    assert (told.code, told.message, told.status) == (
        "MalformedPolicyDocument",
        'Invalid principal in policy: "AWS":"arn:x"',
        400,
    )


def test_invalid_layer_part_says_where_to_go_on() -> None:
    service = service_plan("ecr")
    told = to_aws_error(domain.RangeMismatch(R, N, U, 10), service, None)
    assert told is not None
    assert told.members == {"registryId": R, "repositoryName": N, "uploadId": U, "lastValidByteReceived": 9}


def test_rules_beyond_shapes_follow_the_family_of_the_operation() -> None:
    service = service_plan("ecr")
    told = to_aws_error(domain.ParameterInvalid("rules", "Twice"), service, service.operations["DeleteSigningConfiguration"])
    assert told is not None
    assert told.code == "ValidationException"


def subclasses(base: type[domain.DomainError]) -> Iterator[type[domain.DomainError]]:
    for each in base.__subclasses__():
        yield each
        yield from subclasses(each)


def test_every_domain_error_has_words_or_a_reason_why_not() -> None:
    inner = {domain.InvalidValue, domain.NotFound, domain.Conflict, domain.UploadInvalid, domain._InRepository}
    for error in subclasses(domain.DomainError):
        if error not in inner and error.__module__ == domain.__name__:
            assert (error in ECR) is not (error in NOT_MET), error


@pytest.mark.parametrize("protocol", ["json", "query"])
def test_every_code_of_the_wire_is_common(protocol: str) -> None:
    service = service_plan("ecr" if protocol == "json" else "sts")
    faults: list[Exception] = [
        fault("") for fault in (SerializationFault, UnknownOperation, MissingAction, BodyTooLarge, BodyStalled, Overloaded)
    ]
    faults += [SignatureRefused(Fault(kind, ("a", "b", "c"))) for kind in FaultKind]
    faults += [
        domain.NotBuilt(""),
        domain.AccessDenied("", "", "", ""),
        domain.NotAuthenticated(""),
        domain.ParameterInvalid("a", "b"),
    ]
    for fault in faults:
        told = to_aws_error(fault, service, None)
        assert told is not None
        assert told.code in COMMON_CODES[protocol], fault
    assert internal_error(service).code in COMMON_CODES[protocol]
    assert to_aws_error(ValueError("x"), service, None) is None


def test_every_kind_of_refused_signature_has_words() -> None:
    assert set(TEXTS) == set(CODES) == set(FaultKind)


def test_incomplete_signature_concatenates_what_is_missing() -> None:
    error = SignatureRefused(Fault(FaultKind.MISSING_CREDENTIAL), Fault(FaultKind.MISSING_SIGNATURE), header="AWS4-HMAC-SHA256")
    told = to_aws_error(error, service_plan("sts"), None)
    assert told is not None
    assert (told.code, told.status) == ("IncompleteSignature", 400)
    assert told.message == (
        "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. "
        "Authorization=AWS4-HMAC-SHA256"
    )
