"""Errors of organizations, all of them `OrganizationError`."""

from __future__ import annotations

from moorage.model.errors import DomainError


class OrganizationError(DomainError):
    """Of organizations. Source: AWS Organizations."""


class NotInOrganization(OrganizationError):
    """The account belongs to no organization."""


class AlreadyInOrganization(OrganizationError):
    """The account belongs to an organization already."""


class NotManagement(OrganizationError):
    """Only the management account may do that."""


class AccountUnknown(OrganizationError):
    """No such account in the organization."""

    def __init__(self, account_id: str) -> None:
        super().__init__(account_id)
        self.account_id = account_id


class AccountRequestUnknown(OrganizationError):
    """No account was asked for under that id."""

    def __init__(self, request_id: str) -> None:
        super().__init__(request_id)
        self.request_id = request_id


class ChildUnknown(OrganizationError):
    """Neither an account nor a unit of the organization."""

    def __init__(self, child_id: str) -> None:
        super().__init__(child_id)
        self.child_id = child_id
