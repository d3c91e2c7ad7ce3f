"""Names that look like other names: case, Unicode, encodings. A policy about one name is never about another."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from moorage.testing import builders
from moorage.testing.server import KeyPair, MoorageServer
from tests.conftest import fresh_name
from tests.integration.access.people import LOGIN, Person, allow, deny, document, repository_arn
from tests.integration.aws.errors import each, refused

FULLWIDTH, COMBINING, CYRILLIC, INVISIBLE = "\uff41", "a\u0301", "\u0430", "a\u200b"


@pytest.fixture
def root(server: MoorageServer, account: KeyPair) -> Any:
    """IAM as the account's root."""
    return server.client("iam", key=account)


@pytest.mark.parametrize(
    "look",
    [FULLWIDTH, COMBINING, CYRILLIC, INVISIBLE, "a ", " a", "a\t", "a\n", "a\0", "a/b", "a*", "a?", "${a}", "a:b", "ß", "İ"],
)
def test_users_roles_and_policies_of_names_that_look_alike(root: Any, look: str) -> None:
    trust = document({"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"})
    for make in each(
        lambda: root.create_user(UserName=look),
        lambda: root.create_group(GroupName=look),
        lambda: root.create_role(RoleName=look, AssumeRolePolicyDocument=trust),
        lambda: root.create_policy(PolicyName=look, PolicyDocument=document(allow("ecr:*"))),
        lambda: root.create_instance_profile(InstanceProfileName=look),
    ):
        with refused("ValidationError"):
            make()


def test_names_that_differ_in_case_alone(server: MoorageServer, account: KeyPair, root: Any) -> None:
    """One name is one user, and ARNs in policies are compared to the letter."""
    victim = Person(server, account, allow("*"))
    for name in (victim.name.upper(), victim.name.title()):
        with refused("EntityAlreadyExists", status=409):
            root.create_user(UserName=name)
        with refused("EntityAlreadyExists", status=409):
            root.create_user(UserName=name, Path="/other/")
    other = Person(server, account, allow("iam:*"), deny("iam:*", resource=victim.arn))
    iam = server.client("iam", key=other.key)
    for name in (victim.name, victim.name.upper(), victim.name.title()):
        for call in each(
            partial(iam.create_access_key, UserName=name),
            partial(iam.delete_user, UserName=name),
            partial(iam.put_user_policy, UserName=name, PolicyName="x", PolicyDocument=document(allow("*"))),
            partial(iam.update_user, UserName=name, NewPath="/elsewhere/"),
        ):
            with refused("AccessDenied", status=403) as answer:
                call()
            assert "explicit deny" in answer["Error"]["Message"]
    reach = Person(server, account, allow("iam:*", resource=victim.arn.replace(victim.name, victim.name.upper())))
    with refused("AccessDenied", status=403):
        server.client("iam", key=reach.key).create_access_key(UserName=victim.name.upper())


def test_principals_in_policies_that_are_nearly_somebody(server: MoorageServer, account: KeyPair, root: Any) -> None:
    """A policy is refused rather than stored with a name that means nobody, or anybody."""
    person = Person(server, account)
    repository = fresh_name("repo")
    ecr = server.client(key=account)
    ecr.create_repository(repositoryName=repository)
    name = fresh_name("role")
    trust = document({"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"})
    root.create_role(RoleName=name, AssumeRolePolicyDocument=trust)
    near = person.arn.replace("user/", "user/x/")
    arns = [
        person.arn.upper(), person.arn.replace("user", "USER", 1), person.arn + " ", " " + person.arn, person.arn + ".", near,
        person.arn.replace(person.name, person.name.upper()), person.arn.replace(":iam:", ":iam:us-east-1:"),
        person.arn.replace("user/", "user//"), person.arn.replace("user/", "user/%2e/"), person.arn[:-1] + "*",
        person.arn[:-1] + "?",
        person.arn.replace("user/", "user/../user/"), f"arn:aws:iam::{account.account_id}:*", "arn:aws:iam::*:root", "", "**",
        account.account_id + "0", person.arn.replace("aws", "aws-cn", 1), person.arn.replace("-", "\uff0d"), person.id,
    ]  # fmt: skip
    for arn in arns:
        statement = {"Effect": "Allow", "Principal": {"AWS": arn}, "Action": "ecr:ListImages"}
        with refused("InvalidParameterException"):
            ecr.set_repository_policy(repositoryName=repository, policyText=document(statement))
        with pytest.raises(root.exceptions.ClientError) as caught:
            root.update_assume_role_policy(RoleName=name, PolicyDocument=document({**statement, "Action": "sts:AssumeRole"}))
        assert caught.value.response["Error"]["Code"] in {"MalformedPolicyDocument", "ValidationError"}, arn
    with refused("AccessDeniedException"):
        person.ecr.list_images(repositoryName=repository)


TRICKS = [
    "{}%2e%2e/{}", "%2e%2e/{}", "x/%2e%2e/{}", "x/../{}", "./{}", "{}/.", "{}%2F", "{}%2f..%2f{}", "{}%00", "{}%20",
    "{}.", "{}//",
    "//{}", "%2F{}", "{}%252e", "{}%c0%af", "{}%EF%BC%8F", "{}\\", "{}%5c", "{};x", "{}%3bx", "{}%0a", "{}?x", "%C0%AE%C0%AE/{}",
]  # fmt: skip


def test_paths_that_mean_a_repository_that_one_may_not_see(server: MoorageServer, account: KeyPair) -> None:
    """Allowed on ``open/*``, denied on ``closed/*``: no way of writing a path leads from one to the other."""
    closed, opened = fresh_name("closed/app"), fresh_name("open/app")
    root = server.client(key=account)
    for name in (closed, opened):
        root.create_repository(repositoryName=name)
    built = builders.image(1)
    with server.registry(key=account) as owner:
        owner.push_image(closed, built, "v1")
    person = Person(server, account, allow(LOGIN), allow("ecr:*", resource=repository_arn(account, "open/*")))
    with server.registry(key=person.key) as client:
        for trick in TRICKS:
            for prefix in ("", "open/", f"{opened}/", f"{opened}/../../"):
                written = prefix + trick.replace("{}", closed)
                for rest in ("manifests/v1", "tags/list", f"blobs/{built.config}"):
                    answer = client.request("GET", f"/v2/{written}/{rest}")
                    assert answer.status in {400, 401, 403, 404, 405}, (written, rest, answer.status)
            mount = f"/v2/{opened}/blobs/uploads/?mount={built.config}&from="
            assert client.request("POST", mount + trick.replace("{}", closed)).status in {202, 400, 403, 404}
        assert client.request("GET", f"/v2/{opened}/blobs/{built.config}").status == 404
    for name in (
        closed.upper(),
        f"{closed} ",
        f" {closed}",
        f"{closed}/",
        f"{closed}.",
        f"open/../{closed}",
        f"{closed}%2f",
        closed.replace("c", CYRILLIC, 1),
    ):
        with refused("InvalidParameterException"):
            person.ecr.list_images(repositoryName=name)


def test_arns_of_repositories_written_differently(server: MoorageServer, account: KeyPair) -> None:
    closed, opened = fresh_name("closed/app"), fresh_name("open/app")
    root = server.client(key=account)
    for name in (closed, opened):
        root.create_repository(repositoryName=name, tags=[{"Key": "k", "Value": name}])
    person = Person(server, account, allow("ecr:*", resource=repository_arn(account, "open/*")))
    arn = repository_arn(account, closed)
    for written in (
        arn.replace("closed", "open/../closed"), arn.upper(), f"{arn} ", arn.replace(":ecr:", ":ECR:"), f"{arn}*",
        arn.replace("repository", "Repository"), arn.replace("aws", "aws-cn", 1), arn.replace("us-east-1", ""),
        arn.replace("us-east-1", "*"), arn.replace("/", "%2F", 1), arn.replace("repository/", "repository//"),
        arn.replace("repository/", "repository/open/%2e%2e/"), arn.replace(":repository", "::repository"),
    ):  # fmt: skip
        for call in each(
            partial(person.ecr.list_tags_for_resource, resourceArn=written),
            partial(person.ecr.tag_resource, resourceArn=written, tags=[{"Key": "x", "Value": "y"}]),
        ):
            with pytest.raises(person.ecr.exceptions.ClientError):
                call()
    assert root.list_tags_for_resource(resourceArn=arn)["tags"] == [{"Key": "k", "Value": closed}]
    assert person.ecr.list_tags_for_resource(resourceArn=repository_arn(account, opened))["tags"]


def test_a_pattern_that_ends_where_another_name_goes_on(server: MoorageServer, account: KeyPair) -> None:
    """``team`` is not ``team/*``, ``team/*`` is not ``team-b/*``, and a variable's value is no pattern."""
    root, names = server.client(key=account), {}
    for name in ("team", "team/app", "team-b/app", "teamx"):
        names[name] = fresh_name(name)
        root.create_repository(repositoryName=names[name])
    person = Person(server, account)

    def reaches() -> set[str]:
        found = set()
        for short, name in names.items():
            try:
                person.ecr.list_images(repositoryName=name)
                found.add(short)
            except person.ecr.exceptions.ClientError:
                pass
        return found

    person.may(allow("ecr:*", resource=repository_arn(account, "team/*")))
    assert reaches() == {"team/app"}
    person.may(allow("ecr:*", resource=repository_arn(account, names["team"])))
    assert reaches() == {"team"}
    person.may(allow("ecr:*", resource=repository_arn(account, "team?b/*")))
    assert reaches() == {"team-b/app"}
    person.may(allow("ecr:*", resource=repository_arn(account, "${aws:PrincipalTag/team}/*")))
    assert reaches() == set()
    for value in ("*", "te*m", "team/app-x", "team@x"):
        try:
            person.iam.tag_user(UserName=person.name, Tags=[{"Key": "team", "Value": value}])
        except person.iam.exceptions.ClientError:
            continue  # not even a tag
        assert reaches() == set()
    person.iam.tag_user(UserName=person.name, Tags=[{"Key": "team", "Value": "team"}])
    assert reaches() == {"team/app"}
