"""What queries about identities return. Times are microseconds."""

from __future__ import annotations

from msgspec import Struct

from moorage.model.identity import Kind, arn_of


class Identity(Struct, frozen=True, gc=False):
    """A user, a group or a role. `id` is never used twice, whatever happens to the name."""

    id: str
    account_id: str
    kind: Kind
    name: str
    path: str
    created_at: int
    description: str | None = None
    boundary_arn: str | None = None
    trust_policy: str | None = None
    trust_bindings: str | None = None
    max_session_seconds: int | None = None
    linked_service: str | None = None
    last_used_at: int | None = None
    last_used_region: str | None = None

    @property
    def arn(self) -> str:
        """The identity's ARN."""
        return arn_of(self.account_id, self.kind, self.path, self.name)


class InlinePolicy(Struct, frozen=True, gc=False):
    """An inline policy of the identity `owner_id`: the exact text that was given."""

    owner_id: str
    name: str
    document: str


class AttachedPolicy(Struct, frozen=True, gc=False):
    """A managed policy attached to the identity `owner_id`, with the text of its default version.

    `document` is None for a policy of AWS, whose text is not in the database.
    """

    owner_id: str
    arn: str
    document: str | None


class PrincipalPolicies(Struct, frozen=True):
    """All that decides what a user or role may do: its own policies and those of its groups, its boundary, its tags."""

    identity: Identity
    tags: dict[str, str]
    inline: tuple[InlinePolicy, ...]
    attached: tuple[AttachedPolicy, ...]
    boundary: AttachedPolicy | None


class ManagedPolicy(Struct, frozen=True, gc=False):
    """A customer's managed policy."""

    id: str
    account_id: str
    name: str
    path: str
    arn: str
    description: str | None
    default_version: int
    newest_version: int
    created_at: int
    updated_at: int


class PolicyVersion(Struct, frozen=True, gc=False):
    """One version of a managed policy."""

    version: int
    document: str
    created_at: int


class KeyUse(Struct, frozen=True, gc=False):
    """An access key without its secret, and its last use."""

    id: str
    account_id: str
    principal_id: str
    status: str
    created_at: int
    last_used_at: int | None
    last_used_service: str | None
    last_used_region: str | None


class InstanceProfile(Struct, frozen=True, gc=False):
    """A container that hands one role to a machine."""

    id: str
    account_id: str
    name: str
    path: str
    created_at: int
    role_id: str | None

    @property
    def arn(self) -> str:
        """The profile's ARN."""
        return arn_of(self.account_id, "instance-profile", self.path, self.name)


class Provider(Struct, frozen=True):
    """An identity provider. `url` is that of an OIDC issuer without its scheme, of SAML the provider's name."""

    arn: str
    account_id: str
    kind: str
    url: str
    client_ids: tuple[str, ...]
    thumbprints: tuple[str, ...]
    document: str | None
    created_at: int


class LoginProfile(Struct, frozen=True, gc=False):
    """A user's password, and the failed tries of late."""

    user_id: str
    password_hash: str
    must_reset: bool
    created_at: int
    failures: int
    locked_until: int


class MfaDevice(Struct, frozen=True, gc=False):
    """A virtual MFA device. `seed` is sealed; `user_id` is None until it is enabled, the account's id for its root."""

    serial: str
    account_id: str
    user_id: str | None
    seed: bytes
    created_at: int
    enabled_at: int | None
    last_step: int
    failures: int
    locked_until: int


class Document(Struct, frozen=True, gc=False):
    """A document of an account."""

    text: str
    updated_at: int


class AccessReport(Struct, frozen=True, gc=False):
    """A report on last accesses that was asked for."""

    id: str
    account_id: str
    arn: str
    granularity: str
    created_at: int


class Activity(Struct, frozen=True, gc=False):
    """When a principal last did something."""

    principal_id: str
    action: str
    region: str
    last_at: int
