"""How an error of the domain is worded for a client: the pieces that the services' tables are made of.

A table has a wording for each class of errors; an error is looked up by its class, then its bases. Codes and statuses are
those of the service's model; whether a code is modelled for its service is a test.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from moorage.model import errors as domain
from moorage.wire.aws.models import OperationPlan, ServicePlan
from moorage.wire.aws.validate import has_parameter_family, parameter_message, validation_message

NO_ROOM_MESSAGE = "The registry has no room left for changes: reads go on. Tell its operator."
UNAVAILABLE_MESSAGE = "The registry is temporarily unavailable: try again."
INTERNAL_MESSAGE = "The server could not process the request because of an internal error."
"""All that a client learns about a fault of this server; the log has the rest under the request id."""


@dataclass(frozen=True, slots=True)
class AwsError:
    """An error as it goes out. `members` are what its shape has beside the message."""

    code: str
    message: str
    status: int = 400
    is_sender_fault: bool = True
    members: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Context:
    """Whose operation is answered; None: it is not known."""

    service: ServicePlan
    operation: OperationPlan | None

    def modelled(self, code: str, message: str, **members: Any) -> AwsError:
        """An error of the service's model, with the status that it has there."""
        plan = self.service.errors.get(code)
        if plan is None:
            return AwsError(code, message, members=members)
        known = {name: value for name, value in members.items() if name in plan.shape.members}
        return AwsError(code, message, plan.status, plan.is_sender_fault, known)

    def constraint(self, member: str, constraint: str, value: str) -> AwsError:
        """A rule beyond the shape that a member breaks, in the family of messages that the operation has."""
        if self.operation is not None and has_parameter_family(self.service, self.operation):
            return self.modelled("InvalidParameterException", parameter_message(member, constraint))
        code = "ValidationError" if self.service.protocol == "query" else "ValidationException"
        return self.modelled(code, validation_message(member, f"'{value[:256]}'", constraint))


Wording = Callable[[Any, Context], AwsError]
Errors = Mapping[type[domain.DomainError], Wording]
"""A table."""


def code(code: str, text: str = "{e}") -> Wording:
    """A code of the model and a text, which is formatted with the error's attributes: ``{e.registry_id}``."""
    return lambda e, context: context.modelled(code, text.format(e=e, digests=", ".join(getattr(e, "digests", ()))))


def pattern(member: str, pattern: str) -> Wording:
    """A member that breaks a rule of its shape."""
    return lambda e, context: context.constraint(member, f"must satisfy regular expression '{pattern}'", e.value)


def constraint(member: str, text: str) -> Wording:
    """A member that breaks a rule beyond its shape."""
    return lambda e, context: context.constraint(member, text, e.value)


def parameter(e: domain.ParameterInvalid, context: Context) -> AwsError:
    """A rule that the error itself names."""
    return context.constraint(e.member, e.constraint, "")


def server_fault(_error: object, _context: Context) -> AwsError:
    """A fault of this server, of which a client learns nothing."""
    return AwsError("ServerException", INTERNAL_MESSAGE, 500, is_sender_fault=False)
