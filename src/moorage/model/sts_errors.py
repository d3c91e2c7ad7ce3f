"""Why STS gives no credentials.

::

    DomainError
    ├── SessionRefused            these are given none
    │   ├── RootMayNotAssume  SessionsMayNotAsk  RoleArnInvalid  SessionPolicyUnknown  DurationTooLong
    │   ├── PackedPolicyTooLarge  SessionTagInvalid  WebIdentityDenied  MfaFailed  MessageUndecodable
    │   └── NotScopable  ScopeMissing  LifetimeTooShort  TooManyScopes  ContextAssertionInvalid
    └── IdentityTokenInvalid      a token of an identity provider that does not count
        ├── IdentityTokenMalformed  IdentityTokenExpired  IdentityTokenEarly  IdentityTokenForged
        ├── AudienceUnknown  ClaimMissing  ClaimRejected
        └── ProviderUnknown  VerificationKeyMissing  ProviderUnreachable
"""

from __future__ import annotations

from typing import Literal

from moorage.model.errors import DomainError


class SessionRefused(DomainError):
    """STS gives no credentials for these. Source: STS."""


class RootMayNotAssume(SessionRefused):
    """A root user asks for a role."""


class SessionsMayNotAsk(SessionRefused):
    """Temporary credentials ask for what only long-term ones get; `operation` is its name."""

    def __init__(self, operation: str) -> None:
        super().__init__(operation)
        self.operation = operation


class RoleArnInvalid(SessionRefused):
    """Not the ARN of a role."""

    def __init__(self, arn: str) -> None:
        super().__init__(arn)
        self.arn = arn


class SessionPolicyUnknown(SessionRefused):
    """No managed policy with that ARN, in the role's account or of AWS, that a session can have."""

    def __init__(self, arn: str) -> None:
        super().__init__(arn)
        self.arn = arn


class DurationTooLong(SessionRefused):
    """More seconds than the role gives, or, if `is_chained`, than a role that is assumed by a role's session."""

    def __init__(self, seconds: int, most: int, *, is_chained: bool) -> None:
        super().__init__(f"{seconds} s, at most {most} s")
        self.seconds = seconds
        self.most = most
        self.is_chained = is_chained


class PackedPolicyTooLarge(SessionRefused):
    """Session policies and tags take more than 100 percent of their room."""

    def __init__(self, percent: int) -> None:
        super().__init__(f"{percent} percent")
        self.percent = percent


class SessionTagInvalid(SessionRefused):
    """A tag that a session cannot have. `key` is the tag's.

    `problem`: ``twice`` (keys are the same whatever their case), ``reserved``, ``absent`` (to be passed on, but not a tag of the
    session) or ``inherited`` (passed on from the calling session, which nobody overrides).
    """

    def __init__(self, key: str, problem: Literal["twice", "reserved", "absent", "inherited"]) -> None:
        super().__init__(f"{key}: {problem}")
        self.key = key
        self.problem = problem


class WebIdentityDenied(SessionRefused):
    """The role's trust policy does not let this identity in, or there is no such role: nobody is told which."""

    def __init__(self, action: str) -> None:
        super().__init__(action)
        self.action = action


class MfaFailed(SessionRefused):
    """No device of the caller's with that serial number, a wrong or used code, or too many of them. `is_incomplete`: only one
    of serial number and code was given."""

    def __init__(self, serial_number: str, *, is_incomplete: bool = False) -> None:
        super().__init__(serial_number)
        self.serial_number = serial_number
        self.is_incomplete = is_incomplete


class MessageUndecodable(SessionRefused):
    """Not an encoded authorization message of this server."""


class NotScopable(SessionRefused):
    """GetScopedCredentials was called with a long-term key."""


class ScopeMissing(SessionRefused):
    """GetScopedCredentials was given neither a policy nor a duration."""


class LifetimeTooShort(SessionRefused):
    """More seconds than the calling session has left."""

    def __init__(self, seconds: int, left: int) -> None:
        super().__init__(f"{seconds} s, {left} s are left")
        self.seconds = seconds
        self.left = left


class TooManyScopes(SessionRefused):
    """The calling session has as many scope-down policies as a session can have. `most` is that number."""

    def __init__(self, most: int) -> None:
        super().__init__(f"at most {most}")
        self.most = most


class ContextAssertionInvalid(SessionRefused):
    """ProvidedContexts has an assertion of a context provider; none is trusted here."""


class IdentityTokenInvalid(DomainError):
    """A token of an identity provider that does not count. Source: STS AssumeRoleWithWebIdentity."""


class IdentityTokenMalformed(IdentityTokenInvalid):
    """Not a signed JWT of a kind that is accepted."""


class IdentityTokenExpired(IdentityTokenInvalid):
    """Its time is over. Times are seconds since the epoch."""

    def __init__(self, now: int, expires_at: int) -> None:
        super().__init__(f"expired at {expires_at}")
        self.now = now
        self.expires_at = expires_at


class IdentityTokenEarly(IdentityTokenInvalid):
    """Its time has not begun, or it says that it was made in the future."""


class IdentityTokenForged(IdentityTokenInvalid):
    """No key of the provider's made its signature."""


class AudienceUnknown(IdentityTokenInvalid):
    """It was made for none of the provider's client ids."""


class ClaimMissing(IdentityTokenInvalid):
    """A claim that has to be there is not, or has another type. `claim` is its name."""

    def __init__(self, claim: str) -> None:
        super().__init__(claim)
        self.claim = claim


class ClaimRejected(IdentityTokenInvalid):
    """A claim that STS acts on (session tags, source identity) cannot be used. `claim` is its name."""

    def __init__(self, claim: str) -> None:
        super().__init__(claim)
        self.claim = claim


class ProviderUnknown(IdentityTokenInvalid):
    """The role's account has no provider with the token's issuer, `url`."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.url = url


class VerificationKeyMissing(IdentityTokenInvalid):
    """The provider's keys cannot be had, or the token's is not among them. The message is for the log only."""


class ProviderUnreachable(IdentityTokenInvalid):
    """The provider does not answer, or says that it cannot: worth another try. The message is for the log only."""
