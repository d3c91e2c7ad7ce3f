"""How STS words its errors: codes and statuses as in its model, texts as it is seen to send them."""

from __future__ import annotations

from moorage.model import errors as domain
from moorage.model import sts_errors as sts
from moorage.wire.aws.wording import AwsError, Context, Table, code, plain

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


def _duration(e: sts.DurationTooLong, _context: Context) -> AwsError:
    if e.is_chained:
        text = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
    else:
        text = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
    return AwsError("ValidationError", text)


def _mfa(e: sts.MfaFailed, _context: Context) -> AwsError:
    if e.is_incomplete:
        text = "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code."
    else:
        text = "MultiFactorAuthentication failed with invalid MFA one time pass code."
    return AwsError("AccessDenied", text, 403)


def _expired(e: sts.IdentityTokenExpired, context: Context) -> AwsError:
    text = f"Token expired: current date/time {e.now} must be before the expiration date/time {e.expires_at}"
    return context.modelled("ExpiredTokenException", text)


STS: Table = {
    domain.MalformedPolicy: code("MalformedPolicyDocument", "{e}"),
    sts.RoleArnInvalid: lambda e, _context: AwsError(
        "ValidationError", "Request ARN is invalid" if e.arn.startswith("arn:") else f"{e.arn[:256]} is invalid"
    ),
    sts.SessionPolicyUnknown: plain("ValidationError", "Policy {e.arn} does not exist or is not attachable."),
    sts.RootMayNotAssume: plain("AccessDenied", "Roles may not be assumed by root accounts.", 403),
    sts.SessionsMayNotAsk: plain("AccessDenied", "Cannot call {e.operation} with session credentials", 403),
    sts.DurationTooLong: _duration,
    sts.PackedPolicyTooLarge: code(
        "PackedPolicyTooLarge", "Packed policy consumes {e.percent}% of allotted space, please use smaller policy."
    ),
    sts.SessionTagInvalid: lambda e, _context: AwsError("ValidationError", _TAG_PROBLEMS[e.problem]),
    sts.WebIdentityDenied: plain("AccessDenied", "Not authorized to perform {e.action}", 403),
    sts.MfaFailed: _mfa,
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
"""Of ``sts`` alone; the rest it has in common with the other services of the query protocol."""
