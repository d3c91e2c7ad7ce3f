"""How STS words its errors: codes and statuses as in its model, texts as it is seen to send them."""

from __future__ import annotations

from dataclasses import replace

from moorage.model import errors as domain
from moorage.model import sts_errors as sts
from moorage.wire.aws.common_errors import QUERY
from moorage.wire.aws.wording import AwsError, Context, Errors, Wording, code

_UNREACHABLE = "The identity provider could not be reached. Try again."

_TAG_PROBLEMS = {
    "twice": "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
    "reserved": "Tag keys that start with aws: are reserved for system use.",
    "absent": "The specified transitive tag key must be included in the requested tags.",
    "inherited": (
        "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling "
        "session."
    ),
}


def _denied(text: str) -> Wording:
    return lambda e, context: replace(context.modelled("AccessDenied", text.format(e=e)), status=403)


def _duration(e: sts.DurationTooLong, context: Context) -> AwsError:
    if e.is_chained:
        text = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
    else:
        text = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
    return context.modelled("ValidationError", text)


def _mfa(e: sts.MfaFailed, context: Context) -> AwsError:
    if e.is_incomplete:
        text = "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code."
    else:
        text = "MultiFactorAuthentication failed with invalid MFA one time pass code."
    return _denied(text)(e, context)


def _expired(e: sts.IdentityTokenExpired, context: Context) -> AwsError:
    text = f"Token expired: current date/time {e.now} must be before the expiration date/time {e.expires_at}"
    return context.modelled("ExpiredTokenException", text)


STS: Errors = {
    **QUERY,
    domain.MalformedPolicy: code("MalformedPolicyDocument"),
    sts.RoleArnInvalid: lambda e, context: context.modelled(
        "ValidationError", "Request ARN is invalid" if e.arn.startswith("arn:") else f"{e.arn[:256]} is invalid"
    ),
    sts.SessionPolicyUnknown: code("ValidationError", "Policy {e.arn} does not exist or is not attachable."),
    sts.RootMayNotAssume: _denied("Roles may not be assumed by root accounts."),
    sts.SessionsMayNotAsk: _denied("Cannot call {e.operation} with session credentials"),
    sts.DurationTooLong: _duration,
    sts.PackedPolicyTooLarge: code(
        "PackedPolicyTooLarge", "Packed policy consumes {e.percent}% of allotted space, please use smaller policy."
    ),
    sts.SessionTagInvalid: lambda e, context: context.modelled("ValidationError", _TAG_PROBLEMS[e.problem]),
    sts.WebIdentityDenied: _denied("Not authorized to perform {e.action}"),
    sts.MfaFailed: _mfa,
    sts.NotScopable: code(
        "InvalidSubjectCredentials",
        "GetScopedCredentials can only be called with temporary security credentials. Call GetSessionToken or AssumeRole first.",
    ),
    sts.ScopeMissing: code("ValidationError", "At least one of Policy and DurationSeconds must be specified."),
    sts.LifetimeTooShort: code(
        "InsufficientSessionLifetime",
        "The requested DurationSeconds {e.seconds} exceeds the remaining lifetime of the calling session ({e.left} seconds).",
    ),
    sts.TooManyScopes: _denied("The calling session already has {e.most} scope-down policies, the most that a session can have."),
    sts.ContextAssertionInvalid: code(
        "InvalidContextAssertion",
        "The context assertion in ProvidedContexts does not come from a context provider that this server trusts: leave it out.",
    ),
    sts.MessageUndecodable: code("InvalidAuthorizationMessageException", "Message is not valid"),
    sts.IdentityTokenMalformed: code(
        "InvalidIdentityToken",
        "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)",
    ),
    sts.IdentityTokenExpired: _expired,
    sts.IdentityTokenEarly: code("InvalidIdentityToken", "The ID Token provided is not valid yet"),
    sts.IdentityTokenForged: code("InvalidIdentityToken", "The signature of the ID Token provided is not valid"),
    sts.AudienceUnknown: code("InvalidIdentityToken", "Incorrect token audience"),
    sts.ClaimMissing: code("InvalidIdentityToken", "Missing a required claim: {e.claim}"),
    sts.ClaimRejected: code("IDPRejectedClaim", "The claim {e.claim} of the ID Token provided cannot be used"),
    sts.ProviderUnknown: code("InvalidIdentityToken", "No OpenIDConnect provider found in your account for {e.url}"),
    sts.VerificationKeyMissing: code(
        "InvalidIdentityToken",
        "Couldn't retrieve verification key from your identity provider, please reference AssumeRoleWithWebIdentity "
        "documentation for requirements",
    ),
    sts.ProviderUnreachable: code("IDPCommunicationError", _UNREACHABLE),
}
"""Beside those of the query protocol."""
