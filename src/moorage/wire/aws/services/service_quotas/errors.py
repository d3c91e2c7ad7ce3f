"""How Service Quotas words its errors: codes and statuses as in its model."""

from __future__ import annotations

from moorage.model import errors as domain
from moorage.model import registry_errors as registry
from moorage.wire.aws.common_errors import JSON
from moorage.wire.aws.wording import Errors, Wording


def _code(code: str, text: str) -> Wording:
    return lambda _error, context: context.modelled(code, text)


SERVICE_QUOTAS: Errors = {
    **JSON,
    domain.RateExceeded: lambda error, context: context.modelled("TooManyRequestsException", str(error)),
    domain.TokenInvalid: _code("InvalidPaginationTokenException", "The request failed because the pagination token is invalid."),
    registry.QuotaNotFound: _code("NoSuchResourceException", "The request failed because the specified resource does not exist."),
}
