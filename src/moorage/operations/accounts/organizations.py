"""The organization of an installation: one, with all its accounts as members and the default account to manage them.

It begins with CreateOrganization; before that no account belongs to one, and no request has ``aws:PrincipalOrgID``. There are no
organizational units: the root holds all accounts. Source: AWS Organizations API reference.
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Sequence

from moorage.auth.authorize import Question, authorize
from moorage.metadata.identity import organizations
from moorage.metadata.identity import tags as identity_tags
from moorage.metadata.identity.organization_records import AccountRequest, Member, Organization
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.model.identity import home
from moorage.model.organization_errors import (
    AccountRequestUnknown,
    AccountUnknown,
    AlreadyInOrganization,
    ChildUnknown,
    NotInOrganization,
    NotManagement,
)
from moorage.model.principal import NO_FACTS, Caller, RequestFacts
from moorage.operations.accounts import accounts
from moorage.operations.accounts.accounts import ACCESS_ROLE, EmailTaken

STATES = ("IN_PROGRESS", "SUCCEEDED", "FAILED")
_ALPHABET = string.ascii_lowercase + string.digits


def create_organization(tx: Transaction, caller: Caller, management_account: str) -> Organization:
    """Make the organization. Raises NotManagement (only the default account can manage it), AlreadyInOrganization."""
    _permit(tx, caller, "CreateOrganization")
    organizations.hold(tx)
    if organizations.find(tx) is not None:
        raise AlreadyInOrganization(caller.account_id)
    if caller.account_id != management_account:
        raise NotManagement(caller.account_id)
    made = Organization(f"o-{_random(10)}", management_account, f"r-{_random(4)}", tx.now)
    organizations.insert(tx, made)
    return made


def describe_organization(tx: ReadTransaction, caller: Caller) -> tuple[Organization, Member]:
    """The organization and its management account: every member may ask. Raises NotInOrganization."""
    _permit(tx, caller, "DescribeOrganization")
    found = _existing(tx)
    management = organizations.find_member(tx, found.management_account)
    assert management is not None, "an account is never deleted"
    return found, management


def create_account(
    tx: Transaction, caller: Caller, name: str, email: str, role_name: str | None, tags: Sequence[tuple[str, str]]
) -> AccountRequest:
    """Add an account, which its role lets the management account into; its root has no key.

    Whatever happens becomes a request that can be asked about later, also a failure. Raises NotInOrganization, NotManagement.
    """
    facts = RequestFacts(request_tags=dict(tags) or None, tag_keys=[key for key, _ in tags] or None)
    organization = _managed(tx, caller, "CreateAccount", facts=facts)
    if tags:
        _permit(tx, caller, "TagResource", facts=facts)
    state, failure, account_id = "SUCCEEDED", None, None
    try:
        account_id = accounts.add_account(
            tx, None, name, email=email, role_name=role_name or ACCESS_ROLE, management_account=organization.management_account
        )
        identity_tags.put_tags(tx, _tagged(account_id), dict(tags))
    except EmailTaken:
        state, failure = "FAILED", "EMAIL_ALREADY_EXISTS"
    request = AccountRequest(f"car-{secrets.token_hex(16)}", name, email, state, failure, account_id, tx.now, tx.now)
    organizations.insert_request(tx, request)
    return request


def describe_create_account_status(tx: ReadTransaction, caller: Caller, request_id: str) -> AccountRequest:
    """What became of an account that was asked for. Raises AccountRequestUnknown."""
    _managed(tx, caller, "DescribeCreateAccountStatus")
    found = organizations.find_request(tx, request_id)
    if found is None:
        raise AccountRequestUnknown(request_id)
    return found


def list_create_account_status(
    tx: ReadTransaction, caller: Caller, states: Sequence[str], after: tuple[int, str], count: int
) -> tuple[list[AccountRequest], bool]:
    """At most `count` accounts that were asked for, oldest first, and whether there are more."""
    _managed(tx, caller, "ListCreateAccountStatus")
    found = organizations.list_requests(tx, list(states or STATES), *after, count + 1)
    return found[:count], len(found) > count


def list_accounts(tx: ReadTransaction, caller: Caller, after: str, count: int) -> tuple[Organization, list[Member], bool]:
    """At most `count` accounts by id, and whether there are more."""
    organization = _managed(tx, caller, "ListAccounts")
    found = organizations.list_members(tx, after, count + 1)
    return organization, found[:count], len(found) > count


def describe_account(tx: ReadTransaction, caller: Caller, account_id: str) -> tuple[Organization, Member]:
    """An account. Raises AccountUnknown."""
    organization = _managed(tx, caller, "DescribeAccount", account_id)
    found = organizations.find_member(tx, account_id)
    if found is None:
        raise AccountUnknown(account_id)
    return organization, found


def list_roots(tx: ReadTransaction, caller: Caller) -> Organization:
    """The organization, whose root is the only one."""
    return _managed(tx, caller, "ListRoots")


def list_parents(tx: ReadTransaction, caller: Caller, child_id: str) -> Organization:
    """The organization, whose root is the parent of every account. Raises ChildUnknown."""
    organization = _managed(tx, caller, "ListParents", child_id)
    if organizations.find_member(tx, child_id) is None:
        raise ChildUnknown(child_id)
    return organization


def tag_resource(tx: Transaction, caller: Caller, account_id: str, tags: Sequence[tuple[str, str]]) -> None:
    """Tag an account. Raises AccountUnknown."""
    facts = RequestFacts(request_tags=dict(tags), tag_keys=[key for key, _ in tags])
    _managed(tx, caller, "TagResource", account_id, facts=facts)
    identity_tags.put_tags(tx, _existing_tagged(tx, account_id), dict(tags))


def untag_resource(tx: Transaction, caller: Caller, account_id: str, keys: Sequence[str]) -> None:
    """Take tags from an account. Raises AccountUnknown."""
    _managed(tx, caller, "UntagResource", account_id, facts=RequestFacts(tag_keys=keys))
    identity_tags.drop_tags(tx, _existing_tagged(tx, account_id), list(keys))


def list_tags_for_resource(tx: ReadTransaction, caller: Caller, account_id: str) -> dict[str, str]:
    """The tags of an account. Raises AccountUnknown."""
    _managed(tx, caller, "ListTagsForResource", account_id)
    return identity_tags.tags_of(tx, _existing_tagged(tx, account_id))


def _existing_tagged(tx: ReadTransaction, account_id: str) -> str:
    if organizations.find_member(tx, account_id) is None:
        raise AccountUnknown(account_id)
    return _tagged(account_id)


def _tagged(account_id: str) -> str:
    """Under which name tags of an account are kept: its id alone is that of its root in IAM."""
    return f"account/{account_id}"


def _existing(tx: ReadTransaction) -> Organization:
    found = organizations.find(tx)
    if found is None:
        raise NotInOrganization("there is no organization")
    return found


def _managed(
    tx: ReadTransaction, caller: Caller, operation: str, account_id: str | None = None, *, facts: RequestFacts = NO_FACTS
) -> Organization:
    """The organization, if the caller may do `operation` in it, on an account or on no resource in particular."""
    found = organizations.find(tx)
    resource = "*" if account_id is None or found is None else found.account_arn(account_id)
    _permit(tx, caller, operation, resource, facts)
    if found is None:
        raise NotInOrganization("there is no organization")
    if caller.account_id != found.management_account:
        raise NotManagement(caller.account_id)
    return found


def _permit(tx: ReadTransaction, caller: Caller, operation: str, resource: str = "*", facts: RequestFacts = NO_FACTS) -> None:
    authorize(tx, caller, Question(f"organizations:{operation}", home(caller.account_id), resource, facts))


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))
