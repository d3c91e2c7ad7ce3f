"""What queries about a registry's settings return. Times are microseconds since the epoch."""

from __future__ import annotations

from msgspec import Struct


class PullThroughRule(Struct, frozen=True):
    """Names below `prefix` are those of an upstream registry, below `upstream_prefix`. Source: ECR PullThroughCacheRule."""

    prefix: str
    upstream_url: str
    upstream_registry: str
    upstream_prefix: str
    credential_arn: str | None
    role_arn: str | None
    created_at: int
    updated_at: int


class Template(Struct, frozen=True):
    """What a repository is created with that nobody has created by name. Source: ECR RepositoryCreationTemplate.

    A text that is None was never given; `prefix` is as it was given, also with its trailing slash.
    """

    prefix: str
    applied_for: tuple[str, ...]
    description: str | None = None
    encryption_type: str = "AES256"
    kms_key: str | None = None
    tags: tuple[tuple[str, str], ...] = ()
    tag_mutability: str = "MUTABLE"
    mutability_filters: tuple[str, ...] = ()
    repository_policy: str | None = None
    lifecycle_policy: str | None = None
    role_arn: str | None = None


class StoredTemplate(Struct, frozen=True):
    """A template and when it was made and last changed."""

    template: Template
    created_at: int
    updated_at: int


class Destination(Struct, frozen=True, order=True):
    """Where images are copied to."""

    region: str
    registry_id: str


class ImageReplication(Struct, frozen=True):
    """How the copying of an image to one destination stands: IN_PROGRESS, COMPLETE or FAILED."""

    destination: Destination
    status: str
    failure_code: str | None


class Backfill(Struct, frozen=True):
    """The copying of what was there before replication was configured. `ended_at` is None while it goes on."""

    id: str
    destination: Destination
    status: str
    failure_code: str | None
    started_at: int
    ended_at: int | None


class LifecyclePolicy(Struct, frozen=True):
    """A repository's lifecycle policy as it was given; `last_evaluated_at` is 0 before its first run."""

    document: str
    put_at: int
    last_evaluated_at: int


class Preview(Struct, frozen=True):
    """What a preview of a lifecycle policy has found, in numbers."""

    id: str
    document: str
    completed_at: int
    expiring: int
    transitioning: int


class PreviewResult(Struct, frozen=True):
    """One image that the previewed policy would act upon."""

    position: int
    digest: str
    tags: tuple[str, ...]
    pushed_at: int
    action: str
    priority: int
    storage_class: str


class ReplicationRule(Struct, frozen=True):
    """Images of repositories whose names begin with one of `prefixes` go to the destinations. None of a member: not given."""

    destinations: tuple[Destination, ...]
    prefixes: tuple[str, ...] | None = None
    deletes: bool | None = None


class ScanningRule(Struct, frozen=True):
    """Repositories that one of the filters matches are scanned that often: SCAN_ON_PUSH, CONTINUOUS_SCAN or MANUAL."""

    frequency: str
    filters: tuple[str, ...]


class ScanningConfiguration(Struct, frozen=True):
    """BASIC or ENHANCED, and how often which repositories are scanned."""

    scan_type: str = "BASIC"
    rules: tuple[ScanningRule, ...] = ()


class SigningRule(Struct, frozen=True):
    """Images of repositories that one of the filters matches are signed with the profile; None: of all repositories."""

    profile_arn: str
    filters: tuple[str, ...] | None = None
