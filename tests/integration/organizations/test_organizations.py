"""The organization of a server and its accounts, by API and on the command line."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from typing import Any

import pytest

from moorage.testing.server import ROOT, KeyPair, MoorageServer, make_client
from tests.conftest import fresh_name
from tests.integration.aws.errors import refused
from tests.integration.sts.conftest import client


@pytest.fixture
def organizations(server: MoorageServer) -> Any:
    """The management account's client, in a server with an organization."""
    found = server.client("organizations")
    with contextlib.suppress(found.exceptions.AlreadyInOrganizationException):
        found.create_organization()
    return found


def email() -> str:
    return f"{fresh_name('mail')}@example.org"


def test_a_server_has_no_organization_before_it_is_made(make_server: Callable[..., MoorageServer]) -> None:
    server = make_server()
    member = server.create_account("member")
    management, other = server.client("organizations"), server.client("organizations", key=member)
    text = "Your account is not a member of an organization."
    for act in (management.describe_organization, management.list_accounts, management.list_roots, other.describe_organization):
        with refused("AWSOrganizationsNotInUseException", text):
            act()
    with refused("AWSOrganizationsNotInUseException", text):
        management.create_account(Email="a@example.org", AccountName="a")
    with refused("AccessDeniedException", "You don't have permissions to access this resource."):
        other.create_organization()
    made = management.create_organization(FeatureSet="ALL")["Organization"]
    assert re.fullmatch("o-[a-z0-9]{10}", made["Id"])
    assert made["Arn"] == f"arn:aws:organizations::{ROOT.account_id}:organization/{made['Id']}"
    assert made["MasterAccountArn"] == f"arn:aws:organizations::{ROOT.account_id}:account/{made['Id']}/{ROOT.account_id}"
    assert (made["MasterAccountId"], made["FeatureSet"]) == (ROOT.account_id, "ALL")
    for each in (management, other):
        assert each.describe_organization()["Organization"] == made
        with refused("AlreadyInOrganizationException", "The AWS account is already a member of an organization."):
            each.create_organization()
    listed = {account["Id"]: account for account in management.list_accounts()["Accounts"]}
    assert listed[ROOT.account_id]["JoinedMethod"] == "INVITED"
    assert listed[member.account_id]["JoinedMethod"] == "CREATED"


def test_an_account_as_terraform_makes_it(server: MoorageServer, organizations: Any) -> None:
    address = email()
    status = organizations.create_account(Email=address, AccountName="team a", Tags=[{"Key": "team", "Value": "a"}])
    status = status["CreateAccountStatus"]
    assert re.fullmatch("car-[a-f0-9]{32}", status["Id"])
    again = organizations.describe_create_account_status(CreateAccountRequestId=status["Id"])["CreateAccountStatus"]
    assert again["State"] == "SUCCEEDED"
    account = organizations.describe_account(AccountId=again["AccountId"])["Account"]
    organization = organizations.describe_organization()["Organization"]
    arn = f"arn:aws:organizations::{ROOT.account_id}:account/{organization['Id']}/{account['Id']}"
    assert (account["Arn"], account["Email"], account["Name"]) == (arn, address, "team a")
    assert (account["Status"], account["State"], account["JoinedMethod"]) == ("ACTIVE", "ACTIVE", "CREATED")
    (root,) = organizations.list_roots()["Roots"]
    assert organizations.list_parents(ChildId=account["Id"])["Parents"] == [{"Id": root["Id"], "Type": "ROOT"}]
    assert account["Paths"] == [f"{organization['Id']}/{root['Id']}/{account['Id']}/"]
    assert organizations.list_tags_for_resource(ResourceId=account["Id"])["Tags"] == [{"Key": "team", "Value": "a"}]
    organizations.tag_resource(ResourceId=account["Id"], Tags=[{"Key": "cost", "Value": "1"}])
    organizations.untag_resource(ResourceId=account["Id"], TagKeys=["team"])
    assert organizations.list_tags_for_resource(ResourceId=account["Id"])["Tags"] == [{"Key": "cost", "Value": "1"}]


def administrator(server: MoorageServer) -> KeyPair:
    """A user of the management account who may do everything: a root assumes no roles."""
    iam, name = server.client("iam"), fresh_name("admin")
    iam.create_user(UserName=name)
    iam.attach_user_policy(UserName=name, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return KeyPair(ROOT.account_id, key["AccessKeyId"], key["SecretAccessKey"])


@pytest.mark.parametrize("role", [None, "Door"])
def test_the_management_account_reaches_a_new_account(server: MoorageServer, organizations: Any, role: str | None) -> None:
    options = {"RoleName": role} if role else {}
    status = organizations.create_account(Email=email(), AccountName="reached", **options)["CreateAccountStatus"]
    account = status["AccountId"]
    sts = make_client(server.endpoint, "sts", administrator(server))
    arn = f"arn:aws:iam::{account}:role/{role or 'OrganizationAccountAccessRole'}"
    made = sts.assume_role(RoleArn=arn, RoleSessionName="manager")["Credentials"]
    name = fresh_name()
    repository = client(server, made, "ecr").create_repository(repositoryName=name)["repository"]
    assert repository["registryId"] == account
    stranger = server.create_account("stranger")
    iam = server.client("iam", key=stranger)
    iam.create_user(UserName="eve")
    iam.attach_user_policy(UserName="eve", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    key = iam.create_access_key(UserName="eve")["AccessKey"]
    with refused("AccessDenied", status=403):
        client(server, key).assume_role(RoleArn=arn, RoleSessionName="eve")


def test_the_command_line_makes_such_accounts(server: MoorageServer, organizations: Any) -> None:
    address = email()
    text = server.run("account", "create", "by-hand", "--email", address, "--role-name", "Door").stdout
    account = re.search("account ([0-9]{12})", text)
    assert account is not None
    assert "export AWS_SECRET_ACCESS_KEY=" in text
    assert organizations.describe_account(AccountId=account[1])["Account"]["Email"] == address
    arn = f"arn:aws:iam::{account[1]}:role/Door"
    make_client(server.endpoint, "sts", administrator(server)).assume_role(RoleArn=arn, RoleSessionName="manager")
    assert f"{account[1]}  by-hand" in server.run("account", "list").stdout
    again = server.run("account", "create", "twice", "--email", address.upper(), check=False)
    assert (again.returncode, again.stderr.strip()) == (254, f"moorage: another account has the address {address.upper()}")


def test_an_address_that_is_taken(organizations: Any) -> None:
    address = email()
    organizations.create_account(Email=address, AccountName="first")
    failed = organizations.create_account(Email=address.upper(), AccountName="second")["CreateAccountStatus"]
    assert (failed["State"], failed["FailureReason"]) == ("FAILED", "EMAIL_ALREADY_EXISTS")
    assert "AccountId" not in failed
    listed = organizations.list_create_account_status(States=["FAILED"])["CreateAccountStatuses"]
    assert failed in listed
    assert {each["State"] for each in listed} == {"FAILED"}


def test_lists_are_paged(organizations: Any) -> None:
    made = [organizations.create_account(Email=email(), AccountName=f"page {n}")["CreateAccountStatus"] for n in range(3)]
    pages = organizations.get_paginator("list_accounts").paginate(MaxResults=2)
    accounts = [account["Id"] for page in pages for account in page["Accounts"]]
    assert accounts == sorted(set(accounts))
    assert {status["AccountId"] for status in made} <= set(accounts)
    pages = organizations.get_paginator("list_create_account_status").paginate(MaxResults=2, States=["SUCCEEDED"])
    requests = [status["Id"] for page in pages for status in page["CreateAccountStatuses"]]
    assert len(requests) == len(set(requests))
    assert {status["Id"] for status in made} <= set(requests)
    for act in (organizations.list_accounts, organizations.list_create_account_status):
        with refused("InvalidInputException", "The provided next token is invalid.") as answer:
            act(NextToken="x")
        assert answer["Reason"] == "INVALID_NEXT_TOKEN"


def test_what_is_not_there(organizations: Any) -> None:
    with refused("AccountNotFoundException", "You specified an account that doesn't exist."):
        organizations.describe_account(AccountId="999999999999")
    with refused("CreateAccountStatusNotFoundException"):
        organizations.describe_create_account_status(CreateAccountRequestId="car-" + "0" * 32)
    with refused("ChildNotFoundException"):
        organizations.list_parents(ChildId="999999999999")


def test_members_only_see_that_they_are_members(server: MoorageServer, organizations: Any) -> None:
    member = server.client("organizations", key=server.create_account("member"))
    assert member.describe_organization()["Organization"] == organizations.describe_organization()["Organization"]
    for act in (
        member.list_accounts,
        member.list_roots,
        lambda: member.describe_account(AccountId=ROOT.account_id),
        lambda: member.create_account(Email=email(), AccountName="x"),
    ):
        with refused("AccessDeniedException", "You don't have permissions to access this resource."):
            act()


def test_users_need_permission(server: MoorageServer, organizations: Any) -> None:
    iam, name = server.client("iam"), fresh_name("user")
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    for operation in ("list_accounts", "describe_organization"):
        with refused("AccessDeniedException"):
            getattr(client(server, key, "organizations"), operation)()
