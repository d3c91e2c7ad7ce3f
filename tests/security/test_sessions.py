"""Attempts to get more out of temporary credentials than they were given: each test's name says what was tried."""

from __future__ import annotations

from functools import partial

import pytest

from moorage.testing.server import KeyPair, MoorageServer
from tests.conftest import fresh_name
from tests.integration.access.people import Person, allow, deny, document, repository_arn
from tests.integration.aws.errors import each, refused
from tests.security.roles import Roles, sts_of

ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"
READ = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly"


def test_session_tags_without_the_right_to_tag(server: MoorageServer, account: KeyPair, roles: Roles) -> None:
    person = Person(server, account, allow("sts:AssumeRole"))
    tagged = allow("ecr:CreateRepository", Condition={"StringEquals": {"aws:PrincipalTag/role": "admin"}})
    admin = [{"Key": "role", "Value": "admin"}]
    role = roles.make(person.arn, tagged)
    with refused("AccessDenied", status=403) as answer:
        roles.assume(sts_of(person), role, Tags=admin)
    assert "sts:TagSession" in answer["Error"]["Message"]
    with refused("AccessDeniedException"):
        roles.using(roles.assume(sts_of(person), role)).create_repository(repositoryName=fresh_name("loot"))
    limited = {"StringEquals": {"aws:RequestTag/role": "guest"}}
    role = roles.make(person.arn, tagged)
    name = role.rpartition("/")[2]
    trust = document(
        {"Effect": "Allow", "Principal": {"AWS": person.arn}, "Action": "sts:AssumeRole"},
        {"Effect": "Allow", "Principal": {"AWS": person.arn}, "Action": "sts:TagSession", "Condition": limited},
    )
    roles.iam.update_assume_role_policy(RoleName=name, PolicyDocument=trust)
    roles.assume(sts_of(person), role, Tags=[{"Key": "role", "Value": "guest"}])
    for tags in (admin, [{"Key": "Role", "Value": "Admin"}]):
        with refused("AccessDenied", status=403):
            roles.assume(sts_of(person), role, Tags=tags)
    for twice in (
        [*admin, {"Key": "role", "Value": "guest"}],
        [{"Key": "role", "Value": "guest"}, {"Key": "ROLE", "Value": "admin"}],
    ):
        with pytest.raises(person.iam.exceptions.ClientError):
            roles.assume(sts_of(person), role, Tags=twice)


def test_a_transitive_tag_overridden(server: MoorageServer, account: KeyPair, roles: Roles) -> None:
    person = Person(server, account, allow("sts:*"))
    first = roles.make(person.arn, allow("sts:*"), actions=["sts:AssumeRole", "sts:TagSession"])
    tagged = allow("ecr:CreateRepository", Condition={"StringEquals": {"aws:PrincipalTag/role": "admin"}})
    second = roles.make(first, tagged, actions=["sts:AssumeRole", "sts:TagSession"])
    guest = roles.assume(sts_of(person), first, Tags=[{"Key": "role", "Value": "guest"}], TransitiveTagKeys=["role"])
    chained = roles.using(guest, "sts")
    for key in ("role", "ROLE"):
        with pytest.raises(chained.exceptions.ClientError):
            roles.assume(chained, second, Tags=[{"Key": key, "Value": "admin"}])
    with refused("AccessDeniedException"):
        roles.using(roles.assume(chained, second)).create_repository(repositoryName=fresh_name("loot"))


def test_session_policies_that_are_wider_than_the_role(server: MoorageServer, account: KeyPair, roles: Roles) -> None:
    person = Person(server, account)
    role = roles.make(person.arn, allow("ecr:DescribeRepositories"))
    for widening in ({"Policy": document(allow("*"))}, {"PolicyArns": [{"arn": ADMIN}]}):
        session = roles.using(roles.assume(sts_of(person), role, **widening))
        session.describe_repositories()
        with refused("AccessDeniedException"):
            session.create_repository(repositoryName=fresh_name("loot"))
    session = roles.using(roles.assume(sts_of(person), role, Policy=document(allow("ecr:ListImages"))))
    with refused("AccessDeniedException") as answer:
        session.describe_repositories()
    assert "no session policy allows" in answer["Error"]["Message"]


def test_session_policies_of_another_account(server: MoorageServer, account: KeyPair, stranger: KeyPair, roles: Roles) -> None:
    theirs = server.client("iam", key=stranger).create_policy(
        PolicyName=fresh_name("theirs"), PolicyDocument=document(allow("*"))
    )
    person = Person(server, account)
    role = roles.make(person.arn, allow("ecr:*"))
    sts = sts_of(person)
    answers = []
    for arn in (theirs["Policy"]["Arn"], f"arn:aws:iam::{stranger.account_id}:policy/none"):
        with pytest.raises(sts.exceptions.ClientError) as caught:
            roles.assume(sts, role, PolicyArns=[{"arn": arn}])
        answers.append(caught.value.response["Error"]["Message"].replace(arn, "") + caught.value.response["Error"]["Code"])
        person.may(allow("sts:GetFederationToken"))
        with pytest.raises(sts.exceptions.ClientError):
            sts.get_federation_token(Name="fred", PolicyArns=[{"arn": arn}])
    assert answers[0] == answers[1], "whether another account has a policy shows"


def test_a_confused_deputy(server: MoorageServer, account: KeyPair, stranger: KeyPair, roles: Roles) -> None:
    """A role for a service provider: without the customer's own external id it is not to be had."""
    provider = Person(server, stranger, allow("sts:AssumeRole"))
    condition = {"StringEquals": {"sts:ExternalId": "customer-42"}}
    role = roles.make(provider.arn, allow("ecr:*"), Condition=condition)
    for asked in ({}, {"ExternalId": "customer-43"}, {"ExternalId": "CUSTOMER-42"}, {"ExternalId": "customer-42/"}):
        with refused("AccessDenied", status=403) as answer:
            roles.assume(sts_of(provider), role, **asked)
        assert answer["Error"]["Message"].endswith(f"is not authorized to perform: sts:AssumeRole on resource: {role}")
    roles.assume(sts_of(provider), role, ExternalId="customer-42")
    wildcards = roles.make(provider.arn, allow("ecr:*"), Condition={"StringEquals": {"sts:ExternalId": "*"}})
    with refused("AccessDenied", status=403):
        roles.assume(sts_of(provider), wildcards, ExternalId="customer-42")


def test_roles_that_are_there_and_roles_that_are_not(server: MoorageServer, stranger: KeyPair, roles: Roles) -> None:
    """Nobody learns of roles by trying to assume them."""
    outsider = Person(server, stranger, allow("sts:AssumeRole"))
    there = roles.make(roles.account.account_id, allow("ecr:*"))
    absent = there.rpartition("/")[0] + "/" + fresh_name("absent")
    answers = []
    for role in (there, absent, there.replace(":role/", ":role/path/")):
        with refused("AccessDenied", status=403) as answer:
            roles.assume(sts_of(outsider), role)
        answers.append(answer["Error"]["Message"].replace(role, ""))
    assert len(set(answers)) == 1


def test_a_chain_of_roles_around_a_deny(server: MoorageServer, account: KeyPair, roles: Roles) -> None:
    person = Person(server, account, allow("sts:AssumeRole"))
    first = roles.make(person.arn, allow("sts:AssumeRole"))
    target = roles.make(account.account_id, allow("ecr:*"))
    name = target.rpartition("/")[2]
    trust = document(
        {"Effect": "Allow", "Principal": {"AWS": account.account_id}, "Action": "sts:AssumeRole"},
        {"Effect": "Deny", "Principal": {"AWS": first}, "Action": "sts:AssumeRole"},
    )
    roles.iam.update_assume_role_policy(RoleName=name, PolicyDocument=trust)
    roles.assume(sts_of(person), target)
    chained = roles.using(roles.assume(sts_of(person), first), "sts")
    with refused("AccessDenied", status=403):
        roles.assume(chained, target)
    # A source identity once set stays: who is denied by it cannot shed it in a second role.
    trust = document(
        {"Effect": "Allow", "Principal": {"AWS": account.account_id}, "Action": ["sts:AssumeRole", "sts:SetSourceIdentity"]},
        {"Effect": "Deny", "Principal": "*", "Action": "sts:*", "Condition": {"StringEquals": {"aws:SourceIdentity": "mallory"}}},
    )
    roles.iam.update_assume_role_policy(RoleName=name, PolicyDocument=trust)
    open_to_all = roles.make(account.account_id, allow("sts:*"), actions=["sts:AssumeRole", "sts:SetSourceIdentity"])
    person.may(allow("sts:*"))
    marked = roles.using(roles.assume(sts_of(person), open_to_all, SourceIdentity="mallory"), "sts")
    for asked in ({}, {"SourceIdentity": "alice"}):
        with refused("AccessDenied", status=403):
            roles.assume(marked, target, **asked)
    with refused("ValidationError"):
        roles.assume(chained, open_to_all, DurationSeconds=7200)


def test_a_federated_user_who_is_wider_than_its_maker(server: MoorageServer, account: KeyPair, roles: Roles) -> None:
    person = Person(server, account, allow("ecr:DescribeRepositories", "sts:GetFederationToken", "iam:*"))
    sts = sts_of(person)
    wide = sts.get_federation_token(Name="fred", Policy=document(allow("*")))["Credentials"]
    roles.using(wide).describe_repositories()
    with refused("AccessDeniedException"):
        roles.using(wide).create_repository(repositoryName=fresh_name("loot"))
    with refused("InvalidClientTokenId", status=403):  # they have no IAM at all
        roles.using(wide, "iam").list_users()
    bare = sts.get_federation_token(Name="fred")["Credentials"]
    with refused("AccessDeniedException"):
        roles.using(bare).describe_repositories()
    target = roles.make(account.account_id, allow("ecr:*"))
    for made in (wide, bare):
        for call in each(
            partial(roles.assume, roles.using(made, "sts"), target),
            roles.using(made, "sts").get_session_token,
            partial(roles.using(made, "sts").get_federation_token, Name="more", Policy=document(allow("*"))),
        ):
            with refused("AccessDenied", status=403):
                call()


def test_a_session_token_turned_into_a_key(server: MoorageServer, account: KeyPair, roles: Roles) -> None:
    """GetSessionToken without MFA: no IAM, and of STS only what is left to it."""
    person = Person(server, account, allow("*"))
    session = sts_of(person).get_session_token()["Credentials"]
    roles.using(session).describe_repositories()
    iam = roles.using(session, "iam")
    for call in each(iam.list_users, iam.get_user, lambda: iam.create_access_key(UserName=person.name)):
        with refused("InvalidClientTokenId", status=403):
            call()
    sts = roles.using(session, "sts")
    assert sts.get_caller_identity()["Arn"] == person.arn
    with refused("AccessDenied", status=403):
        sts.get_session_token()
    with refused("AccessDenied", status=403):
        sts.get_federation_token(Name="fred", Policy=document(allow("*")))
    mfa = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
    person.may(allow("ecr:*", Condition=mfa), allow("sts:*"))
    with refused("AccessDeniedException"):
        roles.using(session).describe_repositories()


def test_a_deny_in_a_session_of_a_role_that_is_named_by_itself(server: MoorageServer, account: KeyPair, roles: Roles) -> None:
    """A repository that names the session outright does not undo what the session was denied."""
    ecr, repository = server.client(key=account), fresh_name("repo")
    ecr.create_repository(repositoryName=repository)
    person = Person(server, account)
    role = roles.make(person.arn)
    session = f"arn:aws:sts::{account.account_id}:assumed-role/{role.rpartition('/')[2]}/session"
    granting = {"Effect": "Allow", "Principal": {"AWS": [session, role]}, "Action": "ecr:ListImages"}
    ecr.set_repository_policy(repositoryName=repository, policyText=document(granting))
    denying = document(allow("*"), deny("ecr:ListImages", resource=repository_arn(account, repository)))
    roles.using(roles.assume(sts_of(person), role)).list_images(repositoryName=repository)
    with refused("AccessDeniedException") as answer:
        roles.using(roles.assume(sts_of(person), role, Policy=denying)).list_images(repositoryName=repository)
    assert "explicit deny in a session policy" in answer["Error"]["Message"]


def test_a_boundary_left_behind_by_assuming_a_role(server: MoorageServer, account: KeyPair, roles: Roles) -> None:
    """Trust in the account leaves it to the user's own side, of which the boundary is a part."""
    limit = roles.iam.create_policy(PolicyName=fresh_name("limit"), PolicyDocument=document(allow("ecr:*")))["Policy"]["Arn"]
    person = Person(server, account, allow("*"))
    roles.iam.put_user_permissions_boundary(UserName=person.name, PermissionsBoundary=limit)
    target = roles.make(account.account_id, allow("*"))
    with refused("AccessDenied", status=403):
        roles.assume(sts_of(person), target)
    bounded = roles.make(person.arn, allow("*"))
    roles.iam.put_role_permissions_boundary(RoleName=bounded.rpartition("/")[2], PermissionsBoundary=limit)
    session = roles.assume(sts_of(person), bounded)  # named itself, as the role's owner wanted
    roles.using(session).describe_registry()
    with refused("AccessDenied", status=403):
        roles.using(session, "iam").list_users()


def test_tags_of_a_federated_user_without_the_right_to_tag(server: MoorageServer, account: KeyPair, roles: Roles) -> None:
    admin = [{"Key": "role", "Value": "admin"}]
    tagged = allow("ecr:CreateRepository", Condition={"StringEquals": {"aws:PrincipalTag/role": "admin"}})
    person = Person(server, account, tagged, allow("sts:GetFederationToken"))
    with refused("AccessDenied", status=403):
        sts_of(person).get_federation_token(Name="fred", Policy=document(allow("*")), Tags=admin)
    plain = sts_of(person).get_federation_token(Name="fred", Policy=document(allow("*")))["Credentials"]
    with refused("AccessDeniedException"):
        roles.using(plain).create_repository(repositoryName=fresh_name("loot"))


def test_a_limit_of_a_session_that_is_deleted(server: MoorageServer, account: KeyPair, roles: Roles) -> None:
    """A managed session policy that is gone limits no less: the session may do nothing."""
    create = roles.iam.create_policy
    wide = create(PolicyName=fresh_name("wide"), PolicyDocument=document(allow("*")))["Policy"]["Arn"]
    denying = create(PolicyName=fresh_name("no"), PolicyDocument=document(deny("ecr:CreateRepository")))["Policy"]["Arn"]
    person = Person(server, account)
    role = roles.make(person.arn, allow("*"))
    session = roles.using(roles.assume(sts_of(person), role, PolicyArns=[{"arn": wide}, {"arn": denying}]))
    session.describe_registry()
    with refused("AccessDeniedException"):
        session.create_repository(repositoryName=fresh_name("loot"))
    roles.iam.delete_policy(PolicyArn=denying)
    with refused("AccessDeniedException"):
        session.create_repository(repositoryName=fresh_name("loot"))
