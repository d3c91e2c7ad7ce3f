"""Errors as they go out: the domain's by the table of the service, the wire's own by their kind."""

from __future__ import annotations

from moorage.auth.signature_errors import SignatureRefused
from moorage.metadata.database import DatabaseUnavailable
from moorage.model import errors as domain
from moorage.storage.blob_store import StoreUnavailable
from moorage.wire.aws.faults import (
    BodyStalled,
    BodyTooLarge,
    ConstraintFault,
    MissingAction,
    Overloaded,
    SerializationFault,
    UnknownOperation,
)
from moorage.wire.aws.models import OperationPlan, ServicePlan
from moorage.wire.aws.signature_words import signature_error
from moorage.wire.aws.wording import INTERNAL_MESSAGE, UNAVAILABLE_MESSAGE, AwsError, Context, Errors


def to_aws_error(error: Exception, service: ServicePlan, operation: OperationPlan | None, table: Errors) -> AwsError | None:
    """The error that tells `error` to a client of `service`; None: nobody planned for it, so it is a fault of the server."""
    is_json = service.protocol == "json"
    if isinstance(error, SignatureRefused):
        code, status, message = signature_error(error, is_json=is_json)
        return AwsError(code, message, status)
    if isinstance(error, domain.DomainError):
        for base in type(error).__mro__:
            wording = table.get(base)
            if wording is not None:
                return wording(error, Context(service, operation))
        return None
    if isinstance(error, ConstraintFault):
        return Context(service, operation).modelled(error.code, str(error))
    codes = _WIRE.get(type(error))
    if codes is None:
        return None
    json_code, query_code, status = codes
    message = UNAVAILABLE_MESSAGE if status == 503 else str(error)
    return AwsError(json_code if is_json else query_code, message, status, is_sender_fault=status < 500)


_WIRE: dict[type[Exception], tuple[str, str, int]] = {
    SerializationFault: ("SerializationException", "ValidationError", 400),
    UnknownOperation: ("UnknownOperationException", "InvalidAction", 400),
    MissingAction: ("UnknownOperationException", "MissingAction", 400),
    BodyTooLarge: ("RequestEntityTooLargeException", "RequestEntityTooLarge", 413),
    BodyStalled: ("RequestTimeoutException", "RequestTimeout", 408),
    Overloaded: ("ThrottlingException", "Throttling", 400),
    DatabaseUnavailable: ("ServiceUnavailableException", "ServiceUnavailable", 503),
    StoreUnavailable: ("ServiceUnavailableException", "ServiceUnavailable", 503),
}


def internal_error(service: ServicePlan) -> AwsError:
    """What a client is told about an unexpected exception: nothing of the cause."""
    code = "ServerException" if service.protocol == "json" else "InternalFailure"
    return AwsError(code, INTERNAL_MESSAGE, 500, is_sender_fault=False)
