"""How Service Quotas words its errors: codes and statuses as in its model."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from moorage.model import errors as domain
from moorage.model import registry_errors as registry

if TYPE_CHECKING:
    from moorage.wire.aws.errors import AwsError, _Context

_Wording = Callable[[Any, "_Context"], "AwsError"]


def _code(code: str, text: str) -> _Wording:
    return lambda _error, context: context.modelled(code, text)


SERVICE_QUOTAS: dict[type[domain.DomainError], _Wording] = {
    domain.RateExceeded: lambda error, context: context.modelled("TooManyRequestsException", str(error)),
    domain.TokenInvalid: _code("InvalidPaginationTokenException", "The request failed because the pagination token is invalid."),
    registry.QuotaNotFound: _code("NoSuchResourceException", "The request failed because the specified resource does not exist."),
}
"""Beside those of the JSON services."""
