"""Errors about what a registry and its repositories are set to.

::

    DomainError
    ├── ConfigurationInvalid        a setting that contradicts itself or what is there
    ├── NothingToChange             an update that names nothing to change
    ├── UpstreamUnsupported         no rule can be made for that upstream registry
    ├── NotFound
    │   ├── RuleNotFound  TemplateNotFound  SigningNotConfigured  ExclusionNotFound  BackfillNotFound
    │   ├── QuotaNotFound
    │   └── LifecyclePolicyNotFound  PreviewNotFound  ScanNotFound
    └── Conflict
        ├── RuleExists  TemplateExists  ExclusionExists
        └── BackfillRunning  BackfillEnded  StorageClassFixed  ImageArchived  NotScannable
"""

from __future__ import annotations

from moorage.model.errors import Conflict, DomainError, NotFound


class ConfigurationInvalid(DomainError):
    """A setting that contradicts itself, or what is there. The message may be shown."""


class NothingToChange(DomainError):
    """An update that names nothing to change. The message may be shown."""


class UpstreamUnsupported(DomainError):
    """No pull-through cache rule can be made for an upstream registry, or not without credentials. The message says which."""


class _OfRegistry(DomainError):
    """Something that a registry has one of for each name."""

    def __init__(self, registry_id: str, name: str) -> None:
        super().__init__(name)
        self.registry_id = registry_id
        self.name = name


class RuleNotFound(_OfRegistry, NotFound):
    """No pull-through cache rule of that prefix."""


class RuleExists(_OfRegistry, Conflict):
    """The prefix has a pull-through cache rule."""


class TemplateNotFound(_OfRegistry, NotFound):
    """No repository creation template of that prefix."""


class TemplateExists(_OfRegistry, Conflict):
    """The prefix has a repository creation template."""


class SigningNotConfigured(NotFound):
    """The registry has no signing configuration."""

    def __init__(self, registry_id: str) -> None:
        super().__init__(registry_id)
        self.registry_id = registry_id


class ExclusionNotFound(_OfRegistry, NotFound):
    """The principal is not excluded from updates of pull times."""


class ExclusionExists(_OfRegistry, Conflict):
    """The principal is excluded from updates of pull times already."""


class BackfillNotFound(_OfRegistry, NotFound):
    """No replication backfill with that id."""


class QuotaNotFound(NotFound):
    """No quota of that code, or no service that has any."""

    def __init__(self, service: str, code: str) -> None:
        super().__init__(f"{service}/{code}")
        self.service = service
        self.code = code


class BackfillRunning(_OfRegistry, Conflict):
    """A replication backfill to that region has not ended yet."""


class BackfillEnded(_OfRegistry, Conflict):
    """The replication backfill has ended: there is nothing to stop."""


class _OfRepository(DomainError):
    """Something that a repository may have one of."""

    def __init__(self, registry_id: str, repository: str) -> None:
        super().__init__(repository)
        self.registry_id = registry_id
        self.repository = repository


class LifecyclePolicyNotFound(_OfRepository, NotFound):
    """The repository has no lifecycle policy."""


class PreviewNotFound(_OfRepository, NotFound):
    """No preview of a lifecycle policy was asked for."""


class _OfImage(DomainError):
    """Facts about an image that was named by digest, tag or both."""

    def __init__(self, registry_id: str, repository: str, digest: str | None, tag: str | None) -> None:
        super().__init__(repository)
        self.registry_id = registry_id
        self.repository = repository
        self.digest = digest
        self.tag = tag


class ScanNotFound(_OfImage, NotFound):
    """The image was never scanned."""


class StorageClassFixed(_OfImage, Conflict):
    """The image cannot be moved to that storage class now."""


class ImageArchived(_OfImage, Conflict):
    """The image is in the archive, where nothing is scanned."""


class NotScannable(_OfImage, Conflict):
    """An index or an artifact: there is nothing in it to scan."""
