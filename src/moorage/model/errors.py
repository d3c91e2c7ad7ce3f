"""The domain's errors. They carry facts; a wire gives them codes, statuses and words.

::

    DomainError
    ├── InvalidValue            a value breaks a rule of the field
    │   ├── DigestInvalid  NameInvalid  TagInvalid  ManifestInvalid  RangeInvalid  TokenInvalid  ArnInvalid
    │   │   └── ManifestTypeMissing
    │   ├── ParameterInvalid    (member, constraint): an AWS input that is well-formed but not acceptable
    │   └── SettingInvalid      no setting of that name, or no value that it can have
    ├── MalformedPolicy         a policy document that breaks the language's rules
    │   └── PrincipalNotFound   it names a principal that does not exist
    ├── NotAuthenticated        no credentials, or none that count
    ├── AccessDenied            authenticated, not allowed
    ├── NotFound
    │   ├── RepositoryNotFound  ImageNotFound  BlobNotFound  UploadNotFound  LayersNotFound
    │   ├── ReferencedImagesNotFound  AccountNotFound
    │   └── RepositoryPolicyNotFound  RegistryPolicyNotFound
    ├── Conflict
    │   ├── RepositoryExists  RepositoryNotEmpty  ImageExists  TagImmutable  ImageReferenced  BlobReferenced
    │   └── LayerExists  UploadBusy  AccountExists  AliasTaken
    ├── LayerInaccessible       known to the repository, named by no image
    ├── UploadInvalid
    │   └── RangeMismatch  LengthMismatch  DigestMismatch  LayerMismatch  UploadEmpty  PartTooSmall
    ├── LimitExceeded           a quota or a limit of the protocol
    │   └── TooManyTags  TagKeyInvalid  RateExceeded
    ├── KeyUnusable             a key that nothing can be sealed or opened with
    │   └── KeyUnavailable      at the moment: the same may work later
    ├── NotBuilt                a real operation that this version does not have
    │   └── Unsupported         not offered here, in no version
    ├── StorageFull             no room; pulls go on
    └── StorageCorrupt          bytes at rest are not what was written
"""

from __future__ import annotations

from collections.abc import Sequence


class DomainError(Exception):
    """Base of everything that a use case raises on purpose. Attributes are facts, never codes."""


class InvalidValue(DomainError):
    """A value that no valid request contains; `value` is shortened for messages."""

    def __init__(self, value: str, reason: str = "") -> None:
        super().__init__(reason or value)
        self.value = value
        self.reason = reason


class DigestInvalid(InvalidValue):
    """Not a digest, or of an algorithm that is not registered."""


class NameInvalid(InvalidValue):
    """Not a repository name."""


class TagInvalid(InvalidValue):
    """Not a tag that may be written."""


class ManifestInvalid(InvalidValue):
    """Bytes that are no manifest of a supported kind."""


class ManifestTypeMissing(ManifestInvalid):
    """The API is not told the media type of a manifest that does not say it itself."""


class RangeInvalid(InvalidValue):
    """A byte range that cannot be satisfied. `size` is the size of the whole."""

    def __init__(self, value: str, size: int) -> None:
        super().__init__(value)
        self.size = size


class TokenInvalid(InvalidValue):
    """A pagination token that this server did not make for this very list."""


class ArnInvalid(InvalidValue):
    """Not the ARN of a resource of the kind asked for."""


class ParameterInvalid(DomainError):
    """An input member that breaks a rule beyond its shape: the wire words it as the service does."""

    def __init__(self, member: str, constraint: str) -> None:
        super().__init__(f"{member}: {constraint}")
        self.member = member
        self.constraint = constraint


class MalformedPolicy(DomainError):
    """A policy document that breaks a rule of the policy language. The message is the text that IAM has for it.

    `kind` says which kind of policy was asked for ("identity", "trust", "repository", "registry" ...): services that have one
    text for all faults word it with that. `detail` says for humans where the fault is and what it is.
    """

    def __init__(self, text: str, kind: str, detail: str = "") -> None:
        super().__init__(text)
        self.kind = kind
        self.detail = detail


class PrincipalNotFound(MalformedPolicy):
    """A policy names the ARN of a principal that does not exist."""

    def __init__(self, arn: str, kind: str) -> None:
        super().__init__(f'Invalid principal in policy: "AWS":"{arn}"', kind, f"no such principal: {arn}")
        self.arn = arn


class SettingInvalid(InvalidValue):
    """An account setting that does not exist, or that cannot have this value."""


class NotAuthenticated(DomainError):
    """No credentials, or credentials that no longer count. The message may be shown."""


class AccessDenied(DomainError):
    """The principal is known and may not do this.

    `reason` names the kind of policy that decided, as AWS words it: "no identity-based policy allows the X action", or, when a
    statement denies it, "with an explicit deny in a resource-based policy". Empty where the service gives none.
    """

    def __init__(self, principal_arn: str, action: str, resource: str, reason: str) -> None:
        clause = f" {reason}" if reason.startswith("with ") else f" because {reason}" if reason else ""
        super().__init__(f"User: {principal_arn} is not authorized to perform: {action} on resource: {resource}{clause}")
        self.principal_arn = principal_arn
        self.action = action
        self.resource = resource
        self.reason = reason


class NotFound(DomainError):
    """Something that was named does not exist where the caller may look."""


class RepositoryNotFound(NotFound):
    """No repository of that name in that registry. `reason` says why a push could not create it, where a template wants it."""

    def __init__(self, registry_id: str, name: str, reason: str = "") -> None:
        super().__init__(name)
        self.registry_id = registry_id
        self.name = name
        self.reason = reason

    @property
    def message(self) -> str:
        """ECR's text, and the reason behind it."""
        text = f"The repository with name '{self.name}' does not exist in the registry with id '{self.registry_id}'"
        return f"{text}: {self.reason}" if self.reason else text


class _InRepository(DomainError):
    """Facts common to errors about something inside a repository."""

    def __init__(self, registry_id: str, repository: str, message: str = "") -> None:
        super().__init__(message or repository)
        self.registry_id = registry_id
        self.repository = repository


class ImageNotFound(_InRepository, NotFound):
    """No image with that digest or tag (either may be None)."""

    def __init__(self, registry_id: str, repository: str, digest: str | None, tag: str | None) -> None:
        super().__init__(registry_id, repository)
        self.digest = digest
        self.tag = tag


class BlobNotFound(_InRepository, NotFound):
    """The repository holds no such blob, whatever other repositories hold."""

    def __init__(self, registry_id: str, repository: str, digest: str) -> None:
        super().__init__(registry_id, repository)
        self.digest = digest


class UploadNotFound(_InRepository, NotFound):
    """Unknown, finished, cancelled, expired, or not of this repository."""

    def __init__(self, registry_id: str, repository: str, upload_id: str) -> None:
        super().__init__(registry_id, repository)
        self.upload_id = upload_id


class LayersNotFound(_InRepository, NotFound):
    """A manifest names blobs that its repository does not hold: all of them, not the first."""

    def __init__(self, registry_id: str, repository: str, digests: Sequence[str]) -> None:
        super().__init__(registry_id, repository)
        self.digests = tuple(digests)


class ReferencedImagesNotFound(LayersNotFound):
    """An index names manifests that its repository does not hold."""


class RepositoryPolicyNotFound(_InRepository, NotFound):
    """The repository has no policy."""


class RegistryPolicyNotFound(NotFound):
    """The registry has no policy."""

    def __init__(self, registry_id: str) -> None:
        super().__init__(registry_id)
        self.registry_id = registry_id


class AccountNotFound(NotFound):
    """No such account on this server."""

    def __init__(self, account_id: str) -> None:
        super().__init__(account_id)
        self.account_id = account_id


class Conflict(DomainError):
    """The state of things forbids it."""


class AccountExists(Conflict):
    """An account with that id exists."""

    def __init__(self, account_id: str) -> None:
        super().__init__(account_id)
        self.account_id = account_id


class AliasTaken(Conflict):
    """Another public registry has that alias."""


class RepositoryExists(Conflict, _InRepository):
    """The name is taken in this registry."""


class RepositoryNotEmpty(Conflict, _InRepository):
    """Images stand in the way of deletion."""


class ImageExists(Conflict, _InRepository):
    """The very same digest under the very same tag: an error in the API, a success on /v2/."""

    def __init__(self, registry_id: str, repository: str, digest: str, tag: str | None) -> None:
        super().__init__(registry_id, repository)
        self.digest = digest
        self.tag = tag


class TagImmutable(Conflict, _InRepository):
    """The tag points elsewhere and may not move."""

    def __init__(self, registry_id: str, repository: str, tag: str) -> None:
        super().__init__(registry_id, repository)
        self.tag = tag


class ImageReferenced(Conflict, _InRepository):
    """Indexes name this image; they have to go first."""

    def __init__(self, registry_id: str, repository: str, digest: str, parents: Sequence[str]) -> None:
        super().__init__(registry_id, repository)
        self.digest = digest
        self.parents = tuple(parents)


class BlobReferenced(Conflict, _InRepository):
    """Manifests of the repository name this blob."""

    def __init__(self, registry_id: str, repository: str, digest: str) -> None:
        super().__init__(registry_id, repository)
        self.digest = digest


class LayerExists(Conflict, _InRepository):
    """The repository holds this layer already."""

    def __init__(self, registry_id: str, repository: str, digest: str) -> None:
        super().__init__(registry_id, repository)
        self.digest = digest


class LayerInaccessible(_InRepository):
    """The repository holds the blob, but no image names it."""

    def __init__(self, registry_id: str, repository: str, digest: str) -> None:
        super().__init__(registry_id, repository)
        self.digest = digest


class UploadInvalid(_InRepository):
    """Something about an upload's bytes. `received` is the number of bytes kept so far."""

    def __init__(self, registry_id: str, repository: str, upload_id: str, received: int, message: str = "") -> None:
        super().__init__(registry_id, repository, message)
        self.upload_id = upload_id
        self.received = received


class RangeMismatch(UploadInvalid):
    """The bytes do not start where the upload stands, or are not as many as announced."""


class LengthMismatch(UploadInvalid):
    """A chunk is not as long as its range says: one of the two headers is wrong."""


class UploadBusy(Conflict, UploadInvalid):
    """Another request is writing to this upload."""


class DigestMismatch(UploadInvalid):
    """The content has another digest than was claimed; `computed` is the true one where it is known."""

    def __init__(self, registry_id: str, repository: str, upload_id: str, claimed: str, computed: str) -> None:
        super().__init__(registry_id, repository, upload_id, 0)
        self.claimed = claimed
        self.computed = computed


class LayerMismatch(DigestMismatch):
    """`DigestMismatch` of a manifest: claimed and computed digests of an image."""


class UploadEmpty(UploadInvalid):
    """Completed before anything was sent."""


class PartTooSmall(UploadInvalid):
    """A part that is not the last is below the API's minimum."""


class LimitExceeded(DomainError):
    """A quota or a limit; the message says which and how much."""


class TooManyTags(LimitExceeded):
    """More resource tags than a resource may carry."""


class RateExceeded(LimitExceeded):
    """Too many requests from one place; `retry_after_seconds` is when the next one is let through."""

    def __init__(self, retry_after_seconds: int, message: str = "Rate exceeded") -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class DataLimitExceeded(RateExceeded):
    """Somebody without a login has pulled as much as is free in a month."""

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(retry_after_seconds, "Data limit exceeded")


class TagKeyInvalid(DomainError):
    """A resource tag's key or value breaks a rule."""


class KeyUnusable(DomainError):
    """A key that nothing can be sealed or opened with. `code` is the one that KMS itself gives the cause."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class KeyUnavailable(KeyUnusable):
    """A key that does not answer, or not in time, though nothing is known to be wrong with it: to be asked again."""

    def __init__(self, message: str, code: str = "KeyUnavailableException", retry_after_seconds: int = 2) -> None:
        super().__init__(message, code)
        self.retry_after_seconds = retry_after_seconds


class NotBuilt(DomainError):
    """A real operation that this version does not have yet."""


class Unsupported(NotBuilt):
    """Something that the service does not offer in this place. The message may be shown."""


class StorageFull(DomainError):
    """The blob store or the database has no room left."""


class StorageCorrupt(DomainError):
    """Bytes at rest fail authentication or have another length: never served."""
