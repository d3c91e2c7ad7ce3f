"""Who calls, and what a request says about itself. A Caller is made by `auth` from verified credentials, never by a use case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

from msgspec import Struct

from moorage.model.rates import Ticket

SessionKind = Literal["AssumedRole", "FederatedUser", "SessionToken"]
"""How temporary credentials came to be: AssumeRole and its kin, GetFederationToken, GetSessionToken."""


class Session(Struct, frozen=True):
    """What temporary credentials carry beside their principal. Times are seconds since the epoch. Source: STS."""

    kind: SessionKind
    name: str
    """RoleSessionName, or the federated user's name; empty for GetSessionToken."""
    issued_at: int
    expires_at: int
    policies: tuple[str, ...] = ()
    """Inline session policies, as they were given."""
    policy_arns: tuple[str, ...] = ()
    """Managed session policies. Their default version is read at each request."""
    tags: tuple[tuple[str, str], ...] = ()
    transitive_keys: tuple[str, ...] = ()
    source_identity: str | None = None
    mfa_at: int | None = None
    """When the MFA code was checked; None without MFA."""
    is_chained: bool = False
    """The role was assumed by a role's session."""
    federated_provider: str | None = None
    """ARN of the identity provider of AssumeRoleWithWebIdentity."""
    issuer_key_id: str | None = None
    """The long-term key that asked for the session: the session ends with it. None where a role's session asked."""
    scope_policies: tuple[str, ...] | None = None
    """Scope-down policies of GetScopedCredentials, each of which has to allow. None: the session was never scoped down; empty:
    its time alone was shortened."""


class DecisionLog(Protocol):
    """Where it is noted what was decided in a request's name: see `moorage.events.event.Event`."""

    def allow(self, action: str, resource: str, region: str, /) -> None: ...
    def deny(self, action: str, resource: str, reason: str, /) -> None: ...


class Caller(Struct, frozen=True):
    """The verified holder of an access key.

    A Caller points to a principal and is never a grant: `auth.authorize` looks the principal up again in the transaction
    that acts, so a key that was deleted or disabled after verification has no rights left.
    """

    access_key_id: str
    account_id: str
    principal_id: str
    """The unique id that tokens and sessions are bound to: of a user (AIDA), of a role (AROA); for an account's root its id."""
    arn: str
    """As ``sts:GetCallerIdentity`` shows it; of a role's session the session's."""
    source_ip: str = ""
    user_agent: str = ""
    session: Session | None = None
    """None for long-term keys."""
    is_secure: bool = False
    """The request came over TLS."""
    ticket: Ticket | None = None
    """The request's claim to be within its rate; None: it has no rate."""
    event: DecisionLog | None = None
    """The event of the request; None: there is no request."""

    @property
    def is_root(self) -> bool:
        """The caller is the root user of its account."""
        return self.principal_id == self.account_id

    @property
    def is_anonymous(self) -> bool:
        """Nobody in particular: who pulls from a public registry without a login."""
        return not self.principal_id


class RequestFacts(Struct, frozen=True):
    """What a use case tells `authorize` about the request beyond action and resource: the keys that only it knows.

    `resource_tags` are those that the resource has now, `request_tags` those that the request brings (``aws:RequestTag``),
    `tag_keys` the keys that it names (``aws:TagKeys``). `extra` holds further keys of the service, in lower case, such as
    ``iam:policyarn`` or ``sts:externalid``, each with one value or several.
    """

    resource_tags: Mapping[str, str] | None = None
    request_tags: Mapping[str, str] | None = None
    tag_keys: Sequence[str] | None = None
    extra: Mapping[str, str | Sequence[str]] = {}


NO_FACTS = RequestFacts()


def root_arn(account_id: str, partition: str = "aws") -> str:
    """The ARN of an account's root user."""
    return f"arn:{partition}:iam::{account_id}:root"
