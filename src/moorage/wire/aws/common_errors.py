"""Errors that every service may meet, as the two protocols word them. A service's own table goes over these."""

from __future__ import annotations

from moorage.model import errors as domain
from moorage.wire.aws.wording import NO_ROOM_MESSAGE, AwsError, Errors, code, constraint, parameter, server_fault

COMMON_CODES = {
    "json": frozenset(
        (
            "AccessDeniedException",
            "ExpiredTokenException",
            "IncompleteSignatureException",
            "InvalidSignatureException",
            "MissingAuthenticationTokenException",
            "RequestEntityTooLargeException",
            "RequestTimeoutException",
            "SerializationException",
            "ServerException",
            "ServiceUnavailableException",
            "ThrottlingException",
            "UnknownOperationException",
            "UnrecognizedClientException",
            "ValidationException",
        )
    ),
    "query": frozenset(
        (
            "AccessDenied",
            "ExpiredToken",
            "IncompleteSignature",
            "InternalFailure",
            "InvalidAction",
            "InvalidClientTokenId",
            "MissingAction",
            "MissingAuthenticationToken",
            "RequestEntityTooLarge",
            "RequestExpired",
            "RequestTimeout",
            "SignatureDoesNotMatch",
            "Throttling",
            "ValidationError",
        )
    ),
}
"""Codes that every operation of a protocol may answer with, though no model lists them."""


JSON: Errors = {
    domain.TokenInvalid: constraint("nextToken", "Invalid token"),
    domain.ParameterInvalid: parameter,
    domain.NotAuthenticated: code("UnrecognizedClientException", "The security token included in the request is invalid."),
    domain.AccessDenied: code("AccessDeniedException", "{e}"),
    domain.LimitExceeded: code("LimitExceededException", "{e}"),
    domain.TooManyTags: code("TooManyTagsException", "{e}"),
    domain.RateExceeded: code("ThrottlingException", "{e}"),
    domain.TagKeyInvalid: code("InvalidTagParameterException", "{e}"),
    domain.NotBuilt: code("UnknownOperationException", "{e}"),
    domain.Unsupported: code("UnsupportedCommandException", "{e}"),
    domain.StorageFull: lambda *_: AwsError("ServerException", NO_ROOM_MESSAGE, 507, is_sender_fault=False),
    domain.StorageCorrupt: server_fault,
    domain.ArnInvalid: constraint("resourceArn", "Invalid ARN"),
    domain.AccountNotFound: lambda e, context: (
        context.modelled("RegistryNotFoundException", f"The registry with id '{e.account_id}' does not exist")
        if "RegistryNotFoundException" in context.service.errors
        else context.constraint("registryId", "Invalid registry id", e.account_id)
    ),
}
"""Of the services of the JSON protocol."""

QUERY: Errors = {
    domain.ParameterInvalid: parameter,
    domain.InvalidValue: constraint("Value", "is invalid"),
    domain.MalformedPolicy: code("MalformedPolicyDocument", "{e}"),
    domain.NotAuthenticated: lambda _e, _context: AwsError(
        "InvalidClientTokenId", "The security token included in the request is invalid.", 403
    ),
    domain.AccessDenied: lambda e, _context: AwsError("AccessDenied", str(e), 403),
    domain.RateExceeded: code("Throttling", "{e}"),
    domain.NotBuilt: code("InvalidAction", "{e}"),
}
"""Of the services of the query protocol; what their models name is added by each service's own table."""
