"""Domain errors as the distribution specification codes them. One table; a test walks the domain's errors and finds each in
it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from moorage.model import errors
from moorage.model.errors import DomainError

JSON = (b"content-type", b"application/json; charset=utf-8")


@dataclass(frozen=True, slots=True)
class OciError:
    """A status and what stands in `errors`."""

    status: int
    code: str
    message: str
    detail: Any = None

    def body(self) -> bytes:
        """The JSON body of the response: an entry for each of several details."""
        details = self.detail if isinstance(self.detail, list) else [self.detail]
        entry: dict[str, Any] = {"code": self.code, "message": self.message}
        return msgspec.json.encode(
            {"errors": [entry | {"detail": detail} if detail is not None else entry for detail in details]}
        )


def _parameter(member: str, constraint: str) -> str:
    """ECR's text for a parameter that breaks a rule."""
    return f"Invalid parameter at '{member}' failed to satisfy constraint: '{constraint}'"


def _layers(error: errors.LayersNotFound) -> str:
    kind = "Images" if isinstance(error, errors.ReferencedImagesNotFound) else "Layers"
    return (
        f"{kind} with digests '[{', '.join(error.digests)}]' required for pushing image into repository with name "
        f"'{error.repository}' in the registry with id '{error.registry_id}' do not exist"
    )


_Rule = tuple[int, str, Callable[[Any], str]]

_TABLE: dict[type[DomainError], _Rule] = {
    errors.DigestInvalid: (400, "DIGEST_INVALID", lambda e: f"'{e.value}' is not a digest of sha256 or sha512"),
    errors.NameInvalid: (
        400,
        "NAME_INVALID",
        lambda e: _parameter("repositoryName", e.reason),
    ),
    errors.TagInvalid: (
        400,
        "TAG_INVALID",
        lambda _: _parameter("imageTag", "must satisfy regular expression '[a-zA-Z0-9-_.]+'"),
    ),
    errors.ManifestInvalid: (
        400,
        "MANIFEST_INVALID",
        lambda e: _parameter("ImageManifest", e.value),
    ),
    errors.RangeInvalid: (416, "SIZE_INVALID", lambda e: f"range {e.value} cannot be satisfied: the blob has {e.size} bytes"),
    errors.TokenInvalid: (400, "UNSUPPORTED", lambda _: "the pagination token is not one of this list"),
    errors.ArnInvalid: (400, "UNSUPPORTED", lambda _: "not the ARN of a repository"),
    errors.InvalidValue: (400, "UNSUPPORTED", str),
    errors.ParameterInvalid: (400, "UNSUPPORTED", lambda e: _parameter(e.member, e.constraint)),
    errors.MalformedPolicy: (400, "UNSUPPORTED", str),
    errors.NotAuthenticated: (401, "UNAUTHORIZED", str),
    errors.AccessDenied: (403, "DENIED", str),
    errors.RepositoryNotFound: (404, "NAME_UNKNOWN", lambda e: e.message),
    errors.ImageNotFound: (404, "MANIFEST_UNKNOWN", lambda _: "Requested image not found"),
    errors.BlobNotFound: (404, "BLOB_UNKNOWN", lambda _: "blob unknown to registry"),
    errors.UploadNotFound: (
        404,
        "BLOB_UPLOAD_UNKNOWN",
        lambda e: (
            f"Upload with id '{e.upload_id}' could not be found for the repository with name '{e.repository}' "
            f"in the registry with id '{e.registry_id}'"
        ),
    ),
    errors.LayersNotFound: (400, "MANIFEST_BLOB_UNKNOWN", _layers),
    errors.ReferencedImagesNotFound: (400, "MANIFEST_BLOB_UNKNOWN", _layers),
    errors.AccountNotFound: (404, "NAME_UNKNOWN", lambda _: "the account is not on this server"),
    errors.NotFound: (404, "NAME_UNKNOWN", str),
    errors.RepositoryExists: (409, "DENIED", lambda e: f"The repository with name '{e.repository}' already exists"),
    errors.RepositoryNotEmpty: (409, "DENIED", lambda _: "the repository still contains images"),
    errors.ImageExists: (400, "TAG_INVALID", lambda e: f"Image with digest '{e.digest}' and tag '{e.tag}' already exists"),
    errors.TagImmutable: (
        400,
        "TAG_INVALID",
        lambda e: (
            f"The image tag '{e.tag}' already exists in the '{e.repository}' repository and cannot be overwritten "
            "because the tag is immutable."
        ),
    ),
    errors.ImageReferenced: (
        405,
        "UNSUPPORTED",
        lambda e: f"Requested image referenced by manifest list: [{', '.join(e.parents)}]",
    ),
    errors.BlobReferenced: (
        405,
        "UNSUPPORTED",
        lambda e: f"images of the repository name the blob {e.digest}: delete them first",
    ),
    errors.LayerExists: (409, "DENIED", lambda e: f"Layer with digest '{e.digest}' already exists"),
    errors.LayerInaccessible: (404, "BLOB_UNKNOWN", lambda _: "blob unknown to registry"),
    errors.AccountExists: (409, "DENIED", str),
    errors.Conflict: (409, "DENIED", str),
    errors.RangeMismatch: (416, "BLOB_UPLOAD_INVALID", lambda e: f"the upload has {e.received} bytes: go on from there"),
    errors.LengthMismatch: (400, "SIZE_INVALID", lambda _: "the chunk is not as long as its Content-Range says"),
    errors.UploadBusy: (
        416,
        "BLOB_UPLOAD_INVALID",
        lambda _: "another request is writing to this upload: ask for its status, then go on",
    ),
    errors.DigestMismatch: (
        400,
        "DIGEST_INVALID",
        lambda e: f"the content has digest {e.computed}, not {e.claimed}: upload it again",
    ),
    errors.LayerMismatch: (
        400,
        "DIGEST_INVALID",
        lambda e: (
            f"The image with digest '{e.claimed}' in repository '{e.repository}' and registry ID '{e.registry_id}' does not "
            "match the image digest that Amazon ECR has calculated."
        ),
    ),
    errors.UploadEmpty: (400, "BLOB_UPLOAD_INVALID", lambda _: "nothing was uploaded"),
    errors.PartTooSmall: (400, "SIZE_INVALID", lambda _: "Layer parts must be at least 5 MiB in size"),
    errors.UploadInvalid: (400, "BLOB_UPLOAD_INVALID", str),
    errors.LimitExceeded: (403, "DENIED", str),
    errors.TooManyTags: (403, "DENIED", str),
    errors.RateExceeded: (429, "TOOMANYREQUESTS", str),
    errors.TagKeyInvalid: (400, "UNSUPPORTED", str),
    errors.KeyUnusable: (403, "DENIED", str),
    errors.KeyUnavailable: (503, "UNKNOWN", str),
    errors.NotBuilt: (405, "UNSUPPORTED", str),
    errors.StorageFull: (507, "DENIED", lambda _: "the registry has no room left for pushes: pulls go on; tell its operator"),
    errors.StorageCorrupt: (
        500,
        "UNKNOWN",
        lambda _: "stored content is damaged and is not served: tell the registry's operator",
    ),
}


def describe(error: DomainError) -> OciError:
    """The response to a domain error: the rule of its own class, else of the nearest class above it."""
    for kind in type(error).__mro__:
        rule = _TABLE.get(kind)
        if rule is not None:
            status, code, message = rule
            return OciError(status, code, message(error), _detail(error))
    return OciError(500, "UNKNOWN", "unknown error")


def _detail(error: DomainError) -> Any:
    if isinstance(error, errors.LayersNotFound):
        return [{"digest": digest} for digest in error.digests]
    if isinstance(error, errors.RepositoryNotFound):
        return {"name": error.name}
    if isinstance(error, errors.ManifestInvalid | errors.TagInvalid):
        return {"reason": error.reason}  # ECR's text is the same for whatever is wrong with a manifest or a tag
    return None
