"""AssumeRole: who gets which role, what the session carries, and every refusal with code, status and text."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from moorage.testing.registry_client import RegistryClient
from moorage.testing.server import MoorageServer
from tests.conftest import fresh_name
from tests.integration.aws.errors import refused
from tests.integration.sts.conftest import ALLOW_ALL, Account, User, allow, trust

S3_ONLY = json.dumps(allow("s3:*"))


def denied(user: User | str, role_arn: str, action: str = "sts:AssumeRole") -> Any:
    arn = user if isinstance(user, str) else user.arn
    return refused("AccessDenied", f"User: {arn} is not authorized to perform: {action} on resource: {role_arn}", 403)


def test_a_session_and_all_that_is_said_of_it(home: Account) -> None:
    user = home.user()
    role = home.role(trust(user.arn), Path="/ci/")
    before = datetime.now(UTC).timestamp()
    made = home.sts(user.key).assume_role(RoleArn=role["Arn"], RoleSessionName="build-1")
    credentials = made["Credentials"]
    arn = f"arn:aws:sts::{home.id}:assumed-role/{role['RoleName']}/build-1"
    assert made["AssumedRoleUser"] == {"AssumedRoleId": f"{role['RoleId']}:build-1", "Arn": arn}
    assert credentials["AccessKeyId"].startswith("ASIA")
    assert (len(credentials["AccessKeyId"]), len(credentials["SecretAccessKey"])) == (20, 40)
    assert -2 <= credentials["Expiration"].timestamp() - before - 3600 <= 30
    assert "PackedPolicySize" not in made
    whoami = home.using(credentials).get_caller_identity()
    assert (whoami["UserId"], whoami["Account"], whoami["Arn"]) == (f"{role['RoleId']}:build-1", home.id, arn)


def test_temporary_credentials_sign_calls_of_ecr(home: Account) -> None:
    user = home.user()
    role = home.role(trust(user.arn), allow("ecr:CreateRepository", "ecr:DescribeRepositories"))
    credentials = home.sts(user.key).assume_role(RoleArn=role["Arn"], RoleSessionName="push")["Credentials"]
    ecr = home.using(credentials, "ecr", "eu-west-1")
    name = fresh_name()
    made = ecr.create_repository(repositoryName=name)["repository"]
    assert made["repositoryArn"] == f"arn:aws:ecr:eu-west-1:{home.id}:repository/{name}"
    with refused("AccessDeniedException"):
        ecr.delete_repository(repositoryName=name)


@pytest.mark.parametrize("how", ["user", "root", "digits", "everybody"])
def test_who_is_trusted_at_home(home: Account, how: str) -> None:
    """Examples 67 and 68: the own ARN is enough, the account is a delegation to its own policies."""
    plain, allowed = home.user(), home.user(allow("sts:AssumeRole"))
    named = {"user": plain.arn, "root": f"arn:aws:iam::{home.id}:root", "digits": home.id, "everybody": "*"}[how]
    role = home.role(trust(named))
    if how in {"user", "everybody"}:
        home.sts(plain.key).assume_role(RoleArn=role["Arn"], RoleSessionName="s1")
    else:
        with denied(plain, role["Arn"]):
            home.sts(plain.key).assume_role(RoleArn=role["Arn"], RoleSessionName="s1")
    if how == "user":
        with denied(allowed, role["Arn"]):
            home.sts(allowed.key).assume_role(RoleArn=role["Arn"], RoleSessionName="s1")
    else:
        home.sts(allowed.key).assume_role(RoleArn=role["Arn"], RoleSessionName="s1")


def test_across_accounts_both_sides_have_to_allow(home: Account, abroad: Account) -> None:
    """Example 66."""
    plain, allowed = home.user(), home.user(allow("sts:AssumeRole"))
    trusting = abroad.role(trust(f"arn:aws:iam::{home.id}:root"))
    suspicious = abroad.role(trust(f"arn:aws:iam::{abroad.id}:root"))
    made = home.sts(allowed.key).assume_role(RoleArn=trusting["Arn"], RoleSessionName="s1")
    assert home.using(made["Credentials"]).get_caller_identity()["Account"] == abroad.id
    for user, role in ((plain, trusting), (allowed, suspicious)):
        with denied(user, role["Arn"]):
            home.sts(user.key).assume_role(RoleArn=role["Arn"], RoleSessionName="s1")


def test_a_missing_role_looks_like_one_that_trusts_nobody(home: Account, abroad: Account) -> None:
    user = home.user(ALLOW_ALL)
    role = home.role(trust(user.arn), Path="/deep/")
    elsewhere = [
        f"arn:aws:iam::{home.id}:role/{fresh_name()}",
        f"arn:aws:iam::{abroad.id}:role/{fresh_name()}",
        f"arn:aws:iam::999999999999:role/{fresh_name()}",
        role["Arn"].replace("/deep/", "/"),
        role["Arn"].upper().replace("ARN:AWS:IAM", "arn:aws:iam").replace(":ROLE/DEEP", ":role/deep"),
    ]
    for arn in elsewhere:
        with denied(user, arn):
            home.sts(user.key).assume_role(RoleArn=arn, RoleSessionName="s1")


@pytest.mark.parametrize(
    ("arn", "message"),
    [
        ("arn:aws:iam::111111111111:user/somebody", "Request ARN is invalid"),
        ("arn:aws:sts::111111111111:assumed-role/a/b", "Request ARN is invalid"),
        ("111111111111:role/something", "111111111111:role/something is invalid"),
    ],
)
def test_what_is_no_role(home: Account, arn: str, message: str) -> None:
    with refused("ValidationError", message):
        home.sts(home.user(ALLOW_ALL).key).assume_role(RoleArn=arn, RoleSessionName="s1")


def test_a_root_assumes_no_role(home: Account) -> None:
    role = home.role(trust(home.id))
    credentials = home.sts(home.root).get_session_token()["Credentials"]
    for sts in (home.sts(home.root), home.using(credentials)):
        with refused("AccessDenied", "Roles may not be assumed by root accounts.", 403):
            sts.assume_role(RoleArn=role["Arn"], RoleSessionName="s1")


def test_how_long_a_session_lasts(home: Account) -> None:
    user = home.user()
    role, longer = home.role(trust(user.arn)), home.role(trust(user.arn), MaxSessionDuration=43200)
    sts = home.sts(user.key)
    for arn, seconds in ((role["Arn"], 900), (longer["Arn"], 43200)):
        made = sts.assume_role(RoleArn=arn, RoleSessionName="s1", DurationSeconds=seconds)["Credentials"]
        assert -30 <= made["Expiration"].timestamp() - datetime.now(UTC).timestamp() - seconds <= 2
    with refused("ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."):
        sts.assume_role(RoleArn=role["Arn"], RoleSessionName="s1", DurationSeconds=3601)
    for seconds in (899, 43201):
        with refused("ValidationError"):
            sts.assume_role(RoleArn=longer["Arn"], RoleSessionName="s1", DurationSeconds=seconds)


def test_chaining_ends_after_an_hour(home: Account) -> None:
    user = home.user()
    first = home.role(trust(user.arn), allow("sts:AssumeRole"), MaxSessionDuration=43200)
    second = home.role(trust(first["Arn"]), MaxSessionDuration=43200)
    made = home.sts(user.key).assume_role(RoleArn=first["Arn"], RoleSessionName="s1", DurationSeconds=43200)["Credentials"]
    chained = home.using(made)
    text = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
    with refused("ValidationError", text):
        chained.assume_role(RoleArn=second["Arn"], RoleSessionName="s2", DurationSeconds=3601)
    again = chained.assume_role(RoleArn=second["Arn"], RoleSessionName="s2", DurationSeconds=3600)["Credentials"]
    assert home.using(again).get_caller_identity()["Arn"].endswith(f"/{second['RoleName']}/s2")


def test_an_external_id(home: Account, abroad: Account) -> None:
    """Example 69."""
    user = home.user(allow("sts:AssumeRole"))
    role = abroad.role(trust(home.id, StringEquals={"sts:ExternalId": "secret-7"}))
    sts = home.sts(user.key)
    sts.assume_role(RoleArn=role["Arn"], RoleSessionName="s1", ExternalId="secret-7")
    for options in ({}, {"ExternalId": "secret-8"}):
        with denied(user, role["Arn"]):
            sts.assume_role(RoleArn=role["Arn"], RoleSessionName="s1", **options)


def test_conditions_on_the_name_of_the_session(home: Account) -> None:
    user = home.user()
    role = home.role(trust(user.arn, StringLike={"sts:RoleSessionName": "${aws:username}-*"}))
    home.sts(user.key).assume_role(RoleArn=role["Arn"], RoleSessionName=f"{user.name}-1")
    with denied(user, role["Arn"]):
        home.sts(user.key).assume_role(RoleArn=role["Arn"], RoleSessionName="somebody-1")


@pytest.mark.parametrize("name", ["x", "a b", "a/b", "x" * 65, "ü1"])
def test_names_of_sessions_that_cannot_be(home: Account, name: str) -> None:
    with refused("ValidationError"):
        home.sts(home.root).assume_role(RoleArn=f"arn:aws:iam::{home.id}:role/any", RoleSessionName=name)


def test_a_deny_of_the_trust_policy_wins(home: Account) -> None:
    user = home.user(ALLOW_ALL)
    policy = trust(user.arn)
    policy["Statement"].append({"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole"})
    role = home.role(policy)
    with denied(user, role["Arn"]):
        home.sts(user.key).assume_role(RoleArn=role["Arn"], RoleSessionName="s1")


def test_session_policies_limit_the_session(home: Account) -> None:
    user = home.user()
    role = home.role(trust(user.arn), allow("ecr:*"))
    managed = home.iam.create_policy(PolicyName=fresh_name("p"), PolicyDocument=json.dumps(allow("ecr:DescribeRegistry")))
    sts = home.sts(user.key)
    name = fresh_name()
    inline = json.dumps(allow("ecr:CreateRepository"))
    made = sts.assume_role(RoleArn=role["Arn"], RoleSessionName="s1", Policy=inline)
    assert 0 < made["PackedPolicySize"] < 20
    ecr = home.using(made["Credentials"], "ecr")
    ecr.create_repository(repositoryName=name)
    with refused("AccessDeniedException", contains_session_policy(home, role, "ecr:DescribeRegistry")):
        ecr.describe_registry()
    made = sts.assume_role(RoleArn=role["Arn"], RoleSessionName="s1", PolicyArns=[{"arn": managed["Policy"]["Arn"]}])
    ecr = home.using(made["Credentials"], "ecr")
    ecr.describe_registry()
    with refused("AccessDeniedException"):
        ecr.create_repository(repositoryName=fresh_name())


def contains_session_policy(home: Account, role: dict[str, Any], action: str) -> str:
    arn = f"arn:aws:sts::{home.id}:assumed-role/{role['RoleName']}/s1"
    because = f"because no session policy allows the {action} action"
    return f"User: {arn} is not authorized to perform: {action} on resource: * {because}"


def test_session_policies_that_cannot_be(home: Account) -> None:
    user = home.user()
    role = home.role(trust(user.arn))
    sts = home.sts(user.key)

    def ask(**options: Any) -> None:
        sts.assume_role(RoleArn=role["Arn"], RoleSessionName="s1", **options)

    with refused("MalformedPolicyDocument", "Syntax errors in policy."):
        ask(Policy="{")
    with refused("MalformedPolicyDocument", "Policy statement must contain resources."):
        ask(Policy=json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*"}]}))
    with refused("MalformedPolicyDocument", "Policy document should not specify a principal."):
        statement = {"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Principal": "*"}
        ask(Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    with refused("ValidationError"):
        ask(Policy=json.dumps(allow("s3:*")) + " " * 2048)
    with refused("ValidationError"):
        ask(PolicyArns=[{"arn": "arn:aws:iam::aws:policy/AdministratorAccess"}] * 11)
    missing = f"arn:aws:iam::{home.id}:policy/missing"
    with refused("ValidationError", f"Policy {missing} does not exist or is not attachable."):
        ask(PolicyArns=[{"arn": missing}])


def test_too_much_for_a_token(home: Account) -> None:
    user = home.user()
    role = home.role(trust(user.arn, actions=("sts:AssumeRole", "sts:TagSession")))
    tags = [{"Key": f"k{n}", "Value": base64.b64encode(os.urandom(150)).decode()} for n in range(40)]
    with refused("PackedPolicyTooLarge") as answer:
        home.sts(user.key).assume_role(RoleArn=role["Arn"], RoleSessionName="s1", Tags=tags)
    assert answer["Error"]["Message"].startswith("Packed policy consumes ")
    assert answer["Error"]["Message"].endswith("% of allotted space, please use smaller policy.")
    made = home.sts(user.key).assume_role(RoleArn=role["Arn"], RoleSessionName="s1", Tags=tags[:8])
    assert 50 < made["PackedPolicySize"] <= 100
    assert home.using(made["Credentials"]).get_caller_identity()["Account"] == home.id


def test_tags_need_a_right_of_their_own(home: Account) -> None:
    user = home.user()
    untagged = home.role(trust(user.arn))
    tagged = home.role(trust(user.arn, actions=("sts:AssumeRole", "sts:TagSession")))
    tags = [{"Key": "team", "Value": "a"}]
    sts = home.sts(user.key)
    with denied(user, untagged["Arn"], "sts:TagSession"):
        sts.assume_role(RoleArn=untagged["Arn"], RoleSessionName="s1", Tags=tags)
    sts.assume_role(RoleArn=tagged["Arn"], RoleSessionName="s1", Tags=tags)


def test_conditions_on_tags(home: Account) -> None:
    user = home.user()
    conditions = {"StringEquals": {"aws:RequestTag/team": ["a", "b"]}, "ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}}
    role = home.role(trust(user.arn, actions=("sts:AssumeRole", "sts:TagSession"), **conditions))
    sts = home.sts(user.key)
    sts.assume_role(RoleArn=role["Arn"], RoleSessionName="s1", Tags=[{"Key": "team", "Value": "b"}])
    for tags in ([], [{"Key": "team", "Value": "c"}], [{"Key": "team", "Value": "a"}, {"Key": "cost", "Value": "1"}]):
        with denied(user, role["Arn"]):
            sts.assume_role(RoleArn=role["Arn"], RoleSessionName="s1", Tags=tags)


@pytest.mark.parametrize(
    ("tags", "transitive", "message"),
    [
        (["a", "A"], [], "Duplicate tag keys found. Please note that Tag keys are case insensitive."),
        (["aws:x"], [], "Tag keys that start with aws: are reserved for system use."),
        (["a"], ["b"], "The specified transitive tag key must be included in the requested tags."),
    ],
)
def test_tags_that_cannot_be(home: Account, tags: list[str], transitive: list[str], message: str) -> None:
    user = home.user()
    role = home.role(trust(user.arn, actions=("sts:*",)))
    with refused("ValidationError", message):
        home.sts(user.key).assume_role(
            RoleArn=role["Arn"],
            RoleSessionName="s1",
            Tags=[{"Key": key, "Value": "1"} for key in tags],
            TransitiveTagKeys=transitive,
        )


def test_transitive_tags_go_along_a_chain_and_others_do_not(home: Account) -> None:
    both = ("sts:AssumeRole", "sts:TagSession")
    user = home.user()
    first = home.role(trust(user.arn, actions=both), allow("sts:*"))
    by_team = home.role(trust(first["Arn"], actions=both, StringEquals={"aws:PrincipalTag/team": "a"}), allow("sts:*"))
    name = fresh_name("repo")
    home.server.client("ecr", key=home.root).create_repository(repositoryName=name)
    last = home.role(
        trust(by_team["Arn"], actions=both),
        allow("ecr:DescribeRepositories", StringEquals={"aws:PrincipalTag/team": "a"}, Null={"aws:PrincipalTag/cost": "true"}),
    )
    tags = [{"Key": "team", "Value": "a"}, {"Key": "cost", "Value": "1"}]
    made = home.sts(user.key).assume_role(RoleArn=first["Arn"], RoleSessionName="s1", Tags=tags, TransitiveTagKeys=["team"])
    made = home.using(made["Credentials"]).assume_role(RoleArn=by_team["Arn"], RoleSessionName="s2")
    second = home.using(made["Credentials"])
    text = (
        "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling "
        "session."
    )
    with refused("ValidationError", text):
        second.assume_role(RoleArn=last["Arn"], RoleSessionName="s3", Tags=[{"Key": "TEAM", "Value": "b"}])
    made = second.assume_role(RoleArn=last["Arn"], RoleSessionName="s3")
    home.using(made["Credentials"], "ecr").describe_repositories(repositoryNames=[name])


def test_passing_tags_on_needs_the_next_roles_consent(home: Account) -> None:
    user = home.user()
    first = home.role(trust(user.arn, actions=("sts:AssumeRole", "sts:TagSession")), allow("sts:*"))
    second = home.role(trust(first["Arn"]))
    made = home.sts(user.key).assume_role(
        RoleArn=first["Arn"], RoleSessionName="s1", Tags=[{"Key": "a", "Value": "1"}], TransitiveTagKeys=["a"]
    )
    session = f"arn:aws:sts::{home.id}:assumed-role/{first['RoleName']}/s1"
    with denied(session, second["Arn"], "sts:TagSession"):
        home.using(made["Credentials"]).assume_role(RoleArn=second["Arn"], RoleSessionName="s2")


def test_a_source_identity_stays(home: Account) -> None:
    actions = ("sts:AssumeRole", "sts:SetSourceIdentity")
    user = home.user()
    first = home.role(trust(user.arn, actions=actions), allow("sts:*"))
    by_source = home.role(trust(first["Arn"], actions=actions, StringEquals={"aws:SourceIdentity": "ann"}))
    closed = home.role(trust(first["Arn"]))
    silent = home.role(trust(user.arn))
    sts = home.sts(user.key)
    with denied(user, silent["Arn"], "sts:SetSourceIdentity"):
        sts.assume_role(RoleArn=silent["Arn"], RoleSessionName="s1", SourceIdentity="ann")
    made = sts.assume_role(RoleArn=first["Arn"], RoleSessionName="s1", SourceIdentity="ann")
    assert made["SourceIdentity"] == "ann"
    session = f"arn:aws:sts::{home.id}:assumed-role/{first['RoleName']}/s1"
    chained = home.using(made["Credentials"])
    assert chained.assume_role(RoleArn=by_source["Arn"], RoleSessionName="s2")["SourceIdentity"] == "ann"
    for role, options in ((by_source, {"SourceIdentity": "bob"}), (closed, {})):
        with denied(session, role["Arn"], "sts:SetSourceIdentity"):
            chained.assume_role(RoleArn=role["Arn"], RoleSessionName="s2", **options)


def test_a_role_may_be_bound_to_one_session_of_another(home: Account) -> None:
    user = home.user()
    first = home.role(trust(user.arn))
    second = home.role(trust(f"arn:aws:sts::{home.id}:assumed-role/{first['RoleName']}/right"))
    for name in ("right", "wrong"):
        made = home.sts(user.key).assume_role(RoleArn=first["Arn"], RoleSessionName=name)["Credentials"]
        if name == "right":
            home.using(made).assume_role(RoleArn=second["Arn"], RoleSessionName="s2")
        else:
            with denied(f"arn:aws:sts::{home.id}:assumed-role/{first['RoleName']}/wrong", second["Arn"]):
                home.using(made).assume_role(RoleArn=second["Arn"], RoleSessionName="s2")


def test_a_new_user_of_an_old_name_is_somebody_else(home: Account) -> None:
    user = home.user()
    role = home.role(trust(user.arn))
    home.iam.delete_access_key(UserName=user.name, AccessKeyId=user.key.access_key_id)
    home.iam.delete_user(UserName=user.name)
    made = home.iam.create_user(UserName=user.name)["User"]
    assert made["Arn"] == user.arn
    key = home.iam.create_access_key(UserName=user.name)["AccessKey"]
    with denied(user, role["Arn"]):
        home.using(key).assume_role(RoleArn=role["Arn"], RoleSessionName="s1")


def test_a_trusted_proxy_makes_a_request_secure(make_server: Callable[..., MoorageServer]) -> None:
    server = make_server(options=["--trusted-proxies", "127.0.0.1"])
    account = Account(server, server.create_account("behind-proxy"))
    user = account.user()
    policy = trust(user.arn, Bool={"aws:SecureTransport": "true"})
    role = account.role(policy, allow("ecr:*", Bool={"aws:SecureTransport": "true"}))
    plain, proxied = account.sts(user.key), account.sts(user.key)
    through_proxy(proxied)
    with denied(user, role["Arn"]):
        plain.assume_role(RoleArn=role["Arn"], RoleSessionName="s1")
    made = proxied.assume_role(RoleArn=role["Arn"], RoleSessionName="s1")["Credentials"]
    direct, ecr = account.using(made, "ecr"), account.using(made, "ecr")
    through_proxy(ecr)
    ecr.describe_registry()
    with refused("AccessDeniedException"):
        direct.describe_registry()
    data = ecr.get_authorization_token()["authorizationData"][0]
    password = base64.b64decode(data["authorizationToken"]).decode().partition(":")[2]
    name = fresh_name()
    ecr.create_repository(repositoryName=name)
    with RegistryClient("127.0.0.1", server.port, password, host=server.registry_host(account.id)) as registry:
        assert registry.get(f"/v2/{name}/tags/list").status == 403
        assert registry.get(f"/v2/{name}/tags/list", X_Forwarded_Proto="https").status == 200


def through_proxy(client: Any) -> None:
    """Let a client send what a proxy that ends TLS adds."""
    client.meta.events.register("before-send", lambda request, **_: request.headers.update({"X-Forwarded-Proto": "https"}))


def test_nobody_vouches_for_provided_contexts(home: Account) -> None:
    user = home.user(ALLOW_ALL)
    role = home.role(trust(user.arn), ALLOW_ALL)
    provider = "arn:aws:iam::aws:contextProvider/IdentityCenter"
    contexts = [{"ProviderArn": provider, "ContextAssertion": "a" * 3072}]
    with refused("InvalidContextAssertion"):
        home.sts(user.key).assume_role(RoleArn=role["Arn"], RoleSessionName="s1", ProvidedContexts=contexts)
