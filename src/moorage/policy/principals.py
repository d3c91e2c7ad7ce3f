"""Who calls, and whether a statement's principals name it.

An ARN in a stored policy means the user or role that had it when the policy was set, not whoever has the name later. So each
stored policy comes with its *bindings*, a map from ARN to unique id, and a named ARN matches only the principal with that ARN
and that id. An ARN without a binding matches nobody. Source: IAM User Guide, "AWS JSON policy elements: Principal" and
"NotPrincipal".
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from moorage.model.errors import PrincipalNotFound
from moorage.policy.document import Policy, Principals

Bindings = Mapping[str, str]
"""ARN to unique id (``AIDA...``, ``AROA...``; of a session the id of its role; of a federated user ``<account>:<name>``)."""


class PrincipalKind(enum.Enum):
    """What kind of principal calls."""

    USER = "user"
    SESSION = "session"
    """Of a role."""
    ROOT = "root"
    FEDERATED_USER = "federated user"
    """Of GetFederationToken: the policies of the user who called it, limited by its session policy."""
    SERVICE = "service"
    WEB_IDENTITY = "web identity"
    """The holder of an identity provider's token, before a role is assumed with it."""
    ANONYMOUS = "anonymous"


@dataclass(frozen=True, slots=True)
class Principal:
    """All identities of a caller that a policy can name."""

    kind: PrincipalKind
    arn: str
    """Of a service its name, of a web identity the ARN of the provider."""
    account: str = ""
    """Empty for services, web identities and anonymous callers: they are outside of every account."""
    unique_id: str = ""
    """As `aws:userid` and GetCallerIdentity show it: of a session ``<id of the role>:<session name>``, of root the account."""
    role_arn: str = ""
    role_id: str = ""

    @staticmethod
    def user(arn: str, unique_id: str) -> Principal:
        """An IAM user."""
        return Principal(PrincipalKind.USER, arn, arn.split(":", 5)[4], unique_id)

    @staticmethod
    def session(role_arn: str, role_id: str, session_name: str) -> Principal:
        """A session of a role. Its ARN has the role's name without the path."""
        _, partition, _, _, account, path = role_arn.split(":", 5)
        arn = f"arn:{partition}:sts::{account}:assumed-role/{path.rpartition('/')[2]}/{session_name}"
        return Principal(PrincipalKind.SESSION, arn, account, f"{role_id}:{session_name}", role_arn, role_id)

    @staticmethod
    def root(account: str, partition: str = "aws") -> Principal:
        """The root user of an account."""
        return Principal(PrincipalKind.ROOT, f"arn:{partition}:iam::{account}:root", account, account)

    @staticmethod
    def federated_user(account: str, name: str, partition: str = "aws") -> Principal:
        """Who holds the credentials of GetFederationToken."""
        arn = f"arn:{partition}:sts::{account}:federated-user/{name}"
        return Principal(PrincipalKind.FEDERATED_USER, arn, account, f"{account}:{name}")

    @staticmethod
    def service(name: str) -> Principal:
        """A service that calls for itself, such as ``lambda.amazonaws.com``."""
        return Principal(PrincipalKind.SERVICE, name)

    @staticmethod
    def web_identity(provider_arn: str) -> Principal:
        """Who brings a token of an OpenID Connect provider."""
        return Principal(PrincipalKind.WEB_IDENTITY, provider_arn)

    @staticmethod
    def anonymous() -> Principal:
        """Nobody in particular."""
        return Principal(PrincipalKind.ANONYMOUS, "")


class Match(enum.IntEnum):
    """How a statement's principals name a caller; a higher one grants more (`evaluate`)."""

    NONE = 0
    ACCOUNT = 1
    """By its account: in an Allow this leaves it to the account's own policies."""
    ANYONE = 2
    ROLE = 3
    """A session, by its role."""
    SERVICE = 4
    FEDERATED = 5
    SELF = 6
    """By its own ARN: a user, a session or a federated user."""


@dataclass(frozen=True, slots=True)
class PrincipalMatcher:
    """Compiled `Principals` of one statement."""

    negated: bool
    allows: bool
    everyone: bool
    accounts: frozenset[str]
    ids: Mapping[str, str | None]
    """The named ARNs that name somebody, with the unique id they are bound to; None: the name alone counts."""
    users: frozenset[str]
    """The unique ids of the users among them: they are meant under whatever name they go now."""
    services: frozenset[str]
    federated: frozenset[str]

    def match(self, principal: Principal, *, has_boundary: bool) -> Match:
        """How the statement names `principal`. For a Deny every match but NONE is a hit."""
        if not self.negated:
            return self._named(principal)
        if self.allows:
            return Match.ANYONE if self._named(principal) is Match.NONE else Match.NONE
        # Whoever has a permissions boundary is hit by every Deny with NotPrincipal, also if it is listed.
        return Match.NONE if not has_boundary and self._spares(principal) else Match.ANYONE

    def _named(self, principal: Principal) -> Match:
        kind = principal.kind
        if kind is PrincipalKind.SERVICE and principal.arn in self.services:
            return Match.SERVICE
        if kind is PrincipalKind.WEB_IDENTITY and principal.arn in self.federated:
            return Match.FEDERATED
        if self.ids:
            if self._is_self(principal):
                return Match.SELF
            if principal.role_arn and self._is_bound(principal.role_arn, principal.role_id):
                return Match.ROLE
        if self.everyone:
            return Match.ANYONE
        return Match.ACCOUNT if principal.account and principal.account in self.accounts else Match.NONE

    def _is_self(self, principal: Principal) -> bool:
        if principal.kind is PrincipalKind.USER and principal.unique_id in self.users:
            return True
        return self._is_bound(principal.arn, principal.role_id or principal.unique_id)

    def _is_bound(self, arn: str, unique_id: str) -> bool:
        return arn in self.ids and self.ids[arn] in (None, unique_id)

    def _spares(self, principal: Principal) -> bool:
        """Whether a Deny with NotPrincipal leaves `principal` alone: it has to be listed itself, its account does not do; of a
        session its role and its account have to be listed as well."""
        if self.everyone:
            return True
        match principal.kind:
            case PrincipalKind.SERVICE:
                return principal.arn in self.services
            case PrincipalKind.WEB_IDENTITY:
                return principal.arn in self.federated
            case PrincipalKind.ROOT:
                return principal.account in self.accounts
            case PrincipalKind.SESSION:
                is_listed = self._is_self(principal) and self._is_bound(principal.role_arn, principal.role_id)
                return is_listed and principal.account in self.accounts
        return self._is_self(principal)


def compile_principals(principals: Principals, *, allows: bool, bindings: Bindings | None) -> PrincipalMatcher:
    """Make the matcher of a statement. `bindings` None: ARNs count by name alone, as in a simulation."""
    ids: dict[str, str | None] = {}
    for arn in principals.arns:
        if bindings is None:
            ids[arn] = None
        elif bindings.get(arn):
            ids[arn] = bindings[arn]
    return PrincipalMatcher(
        principals.negated,
        allows,
        principals.everyone,
        frozenset(principals.accounts),
        ids,
        frozenset(unique_id for arn, unique_id in ids.items() if unique_id is not None and ":user/" in arn),
        frozenset(principals.services),
        frozenset(principals.federated),
    )


def principal_arns(policy: Policy) -> tuple[str, ...]:
    """The ARNs of users, roles, sessions and federated users that a policy names, each once, in order."""
    named = (arn for statement in policy.statements if statement.principals for arn in statement.principals.arns)
    return tuple(dict.fromkeys(named))


def principal_accounts(policy: Policy) -> tuple[str, ...]:
    """The ids of the accounts that a policy names as principals, each once, in order."""
    named = (account for statement in policy.statements if statement.principals for account in statement.principals.accounts)
    return tuple(dict.fromkeys(named))


def bind_principals(
    policy: Policy, resolve: Callable[[str], str | None], *, has_account: Callable[[str], bool]
) -> dict[str, str]:
    """The bindings to store next to a policy's text when it is set.

    Args:
        policy: the parsed policy.
        resolve: finds the unique id of an ARN's user, role (also for a session's ARN) or federated user; None: there is none.
        has_account: tells whether an account exists. Accounts need no binding, their ids are unique.

    Raises:
        PrincipalNotFound: an ARN names nobody, or an account does not exist.
    """
    for account in principal_accounts(policy):
        if not has_account(account):
            root = f"arn:aws:iam::{account}:root"
            raise PrincipalNotFound(root if f'"{root}"' in policy.text else account, policy.kind.value)
    bindings = {}
    for arn in principal_arns(policy):
        unique_id = resolve(arn)
        if unique_id is None:
            raise PrincipalNotFound(arn, policy.kind.value)
        bindings[arn] = unique_id
    return bindings
