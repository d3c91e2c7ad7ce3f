"""How Organizations words its errors: codes and statuses as in its model."""

from __future__ import annotations

from moorage.model import errors as domain
from moorage.model import organization_errors as organization
from moorage.wire.aws.common_errors import JSON
from moorage.wire.aws.wording import Errors, Wording


def _code(code: str, text: str, **members: str) -> Wording:
    return lambda e, context: context.modelled(code, text.format(e=e), **members)


ORGANIZATIONS: Errors = {
    **JSON,
    domain.RateExceeded: _code("TooManyRequestsException", "{e}", Type="USER"),
    domain.TokenInvalid: _code("InvalidInputException", "The provided next token is invalid.", Reason="INVALID_NEXT_TOKEN"),
    domain.ParameterInvalid: _code("InvalidInputException", "{e}", Reason="INVALID_PATTERN"),
    organization.NotInOrganization: _code(
        "AWSOrganizationsNotInUseException", "Your account is not a member of an organization."
    ),
    organization.AlreadyInOrganization: _code(
        "AlreadyInOrganizationException", "The AWS account is already a member of an organization."
    ),
    organization.NotManagement: _code("AccessDeniedException", "You don't have permissions to access this resource."),
    organization.AccountUnknown: _code("AccountNotFoundException", "You specified an account that doesn't exist."),
    organization.AccountRequestUnknown: _code(
        "CreateAccountStatusNotFoundException",
        "We can't find an create account request with the CreateAccountRequestId that you specified.",
    ),
    organization.ChildUnknown: _code(
        "ChildNotFoundException",
        "We can't find an organizational unit (OU) or AWS account with the ChildId that you specified.",
    ),
}
