"""What queries return: small frozen records. Structs of msgspec: made in a tenth of the time that a frozen dataclass takes."""

from __future__ import annotations

from msgspec import Struct

from moorage.model.digest import Digest
from moorage.model.names import RepositoryName
from moorage.model.scope import Scope
from moorage.model.seal import Seal


class Repository(Struct, frozen=True, gc=False):
    """A live repository. Queries below a repository take its `id`, which only a look-up by scope and name can give."""

    id: int
    registry: int
    scope: Scope
    name: RepositoryName
    created_at: int
    tag_mutability: str
    mutability_filters: tuple[str, ...]
    scan_on_push: bool
    encryption_type: str
    kms_key: str | None
    seal: Seal
    policy: str | None = None
    """The text of its policy, as it was given."""
    policy_bindings: str | None = None
    """JSON: the unique ids of the principals that the policy names, by ARN."""

    @property
    def arn(self) -> str:
        """The repository's ARN."""
        return self.scope.repository_arn(self.name)


class Image(Struct, frozen=True, gc=False):
    """A manifest's row, without its bytes. Times are microseconds, sizes bytes."""

    id: int
    digest: Digest
    media_type: str
    artifact_type: str | None
    config_media_type: str | None
    subject_digest: Digest | None
    annotations: str
    size_bytes: int
    image_size_bytes: int
    pushed_at: int
    archived: int = 0
    last_archived_at: int | None = None
    last_activated_at: int | None = None
    """When it was last taken out of the archive; in the future while that is going on."""

    def status_at(self, now: int) -> str:
        """ACTIVE, ARCHIVED or ACTIVATING at a time (microseconds). Source: ECR ImageStatus."""
        if self.archived:
            return "ARCHIVED"
        return "ACTIVATING" if self.last_activated_at is not None and self.last_activated_at > now else "ACTIVE"


class Payload(Struct, frozen=True, gc=False):
    """The sealed bytes of a manifest, and the key they open with, wrapped."""

    sealed: bytes
    wrapped_key: bytes


class Pull(Struct, frozen=True, gc=False):
    """What one statement finds out about a pull: how the caller stands, and what there is."""

    credential_status: tuple[int, tuple[str, str, str] | None]
    """The epoch of the caller's account, and account, principal and status of its key."""
    repository: Repository | None
    image: Image | None
    version: int | str
    """The database's (`Database.version_at_once`) that this was seen at."""


class Segment(Struct, frozen=True, gc=False):
    """A run of a blob's bytes: one object under a data key of its own, in the store, or, if it is small, in the database."""

    size_bytes: int
    storage_key: str
    wrapped_key: bytes
    content: bytes | None = None
    """The sealed bytes of a small object; None: they are in the store."""


class Blob(Struct, frozen=True, gc=False):
    """A blob as its repository sees it."""

    id: int
    digest: Digest
    size_bytes: int
    seal: Seal
    check_after: int | None
    segments: tuple[Segment, ...]


class Upload(Struct, frozen=True, gc=False):
    """An upload in progress."""

    id: str
    repository_id: int
    principal_id: str
    algorithm: str
    size_received: int
    segments: int
    smallest_inner_part: int | None
    last_part: int | None
    prefix_digest: str | None
    epoch: int
    lease_until: int
    expires_at: int


class AccessKey(Struct, frozen=True, gc=False):
    """A long-term key. `secret` is sealed under the root key."""

    id: str
    account_id: str
    principal_id: str
    secret: bytes
    status: str
