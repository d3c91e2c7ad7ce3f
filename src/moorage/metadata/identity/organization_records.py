"""What queries about organizations return. Times are microseconds."""

from __future__ import annotations

from msgspec import Struct


class Organization(Struct, frozen=True, gc=False):
    """The organization of an installation: all its accounts are members."""

    id: str
    management_account: str
    root_id: str
    created_at: int

    @property
    def arn(self) -> str:
        """The organization's ARN."""
        return f"arn:aws:organizations::{self.management_account}:organization/{self.id}"

    @property
    def root_arn(self) -> str:
        """The ARN of the root of its tree, which is all the tree there is."""
        return f"arn:aws:organizations::{self.management_account}:root/{self.id}/{self.root_id}"

    def account_arn(self, account_id: str) -> str:
        """The ARN of a member."""
        return f"arn:aws:organizations::{self.management_account}:account/{self.id}/{account_id}"


class Member(Struct, frozen=True, gc=False):
    """An account, as its organization sees it."""

    id: str
    name: str
    email: str | None
    created_at: int


class AccountRequest(Struct, frozen=True, gc=False):
    """An account that was asked for. `state`: IN_PROGRESS, SUCCEEDED or FAILED, and then `failure` says why."""

    id: str
    account_name: str
    email: str
    state: str
    failure: str | None
    account_id: str | None
    requested_at: int
    completed_at: int | None
