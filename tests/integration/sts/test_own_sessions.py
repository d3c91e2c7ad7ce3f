"""GetSessionToken, GetFederationToken and what STS says about callers and keys."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from moorage.testing.server import KeyPair
from tests.conftest import fresh_name
from tests.integration.aws.errors import refused
from tests.integration.sts.conftest import ALLOW_ALL, Account, allow, anonymous, trust


def seconds_left(made: dict[str, Any]) -> float:
    expires: float = made["Credentials"]["Expiration"].timestamp()
    return expires - datetime.now(UTC).timestamp()


def test_a_users_own_session(home: Account) -> None:
    user = home.user(allow("ecr:DescribeRegistry"))
    made = home.sts(user.key).get_session_token()
    assert -30 <= seconds_left(made) - 43_200 <= 2
    whoami = home.using(made["Credentials"]).get_caller_identity()
    assert (whoami["UserId"], whoami["Account"], whoami["Arn"]) == (user.unique_id, home.id, user.arn)
    ecr = home.using(made["Credentials"], "ecr")
    ecr.describe_registry()
    with refused("AccessDeniedException"):
        ecr.create_repository(repositoryName=fresh_name())


def test_nobody_can_forbid_it(home: Account) -> None:
    deny = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}
    made = home.sts(home.user(deny).key).get_session_token(DurationSeconds=900)
    assert -30 <= seconds_left(made) - 900 <= 2
    assert home.using(made["Credentials"]).get_caller_identity()["Account"] == home.id  # example 70


def test_a_root_gets_an_hour(home: Account) -> None:
    made = home.sts(home.root).get_session_token(DurationSeconds=43_200)
    assert -30 <= seconds_left(made) - 3600 <= 2
    whoami = home.using(made["Credentials"]).get_caller_identity()
    assert (whoami["UserId"], whoami["Arn"]) == (home.id, f"arn:aws:iam::{home.id}:root")


@pytest.mark.parametrize("seconds", [899, 129_601])
def test_durations_that_cannot_be(home: Account, seconds: int) -> None:
    with refused("ValidationError"):
        home.sts(home.root).get_session_token(DurationSeconds=seconds)
    with refused("ValidationError"):
        home.sts(home.root).get_federation_token(Name="ann", DurationSeconds=seconds)


def test_of_sts_such_a_session_has_two_operations(home: Account) -> None:
    user = home.user(ALLOW_ALL)
    role = home.role(trust(user.arn))
    session = home.using(home.sts(user.key).get_session_token()["Credentials"])
    session.get_caller_identity()
    session.assume_role(RoleArn=role["Arn"], RoleSessionName="s1")
    for operation, act in {
        "GetSessionToken": session.get_session_token,
        "GetFederationToken": lambda: session.get_federation_token(Name="ann"),
        "GetAccessKeyInfo": lambda: session.get_access_key_info(AccessKeyId=user.key.access_key_id),
        "DecodeAuthorizationMessage": lambda: session.decode_authorization_message(EncodedMessage="x"),
    }.items():
        with refused("AccessDenied", f"Cannot call {operation} with session credentials", 403):
            act()


def test_iam_knows_no_such_session_and_no_federated_user(home: Account) -> None:
    user = home.user(ALLOW_ALL)
    own = home.sts(user.key).get_session_token()["Credentials"]
    federated = home.sts(user.key).get_federation_token(Name="ann", Policy=json.dumps(ALLOW_ALL))["Credentials"]
    for credentials in (own, federated):
        with refused("InvalidClientTokenId", "The security token included in the request is invalid.", 403):
            home.using(credentials, "iam").list_users()
    role = home.role(trust(user.arn), ALLOW_ALL)
    assumed = home.sts(user.key).assume_role(RoleArn=role["Arn"], RoleSessionName="s1")["Credentials"]
    home.using(assumed, "iam").list_users()


def test_a_federated_user_of_a_root_has_what_its_policy_allows(home: Account) -> None:
    made = home.sts(home.root).get_federation_token(Name="cat", Policy=json.dumps(allow("ecr:DescribeRegistry")))
    home.using(made["Credentials"], "ecr").describe_registry()


def test_a_roles_session_asks_for_none_of_its_own(home: Account) -> None:
    user = home.user()
    role = home.role(trust(user.arn), ALLOW_ALL)
    session = home.using(home.sts(user.key).assume_role(RoleArn=role["Arn"], RoleSessionName="s1")["Credentials"])
    with refused("AccessDenied", "Cannot call GetSessionToken with session credentials", 403):
        session.get_session_token()
    with refused("AccessDenied", "Cannot call GetFederationToken with session credentials", 403):
        session.get_federation_token(Name="ann")


def test_a_federated_user_has_what_both_allow(home: Account) -> None:
    user = home.user(allow("sts:GetFederationToken", "ecr:DescribeRegistry", "ecr:CreateRepository"))
    policy = json.dumps(allow("ecr:DescribeRegistry", "ecr:DescribeRepositories"))
    made = home.sts(user.key).get_federation_token(Name="ann@example", Policy=policy)
    arn = f"arn:aws:sts::{home.id}:federated-user/ann@example"
    assert made["FederatedUser"] == {"FederatedUserId": f"{home.id}:ann@example", "Arn": arn}
    assert made["PackedPolicySize"] > 0
    assert -30 <= seconds_left(made) - 43_200 <= 2
    whoami = home.using(made["Credentials"]).get_caller_identity()
    assert (whoami["UserId"], whoami["Account"], whoami["Arn"]) == (f"{home.id}:ann@example", home.id, arn)
    ecr = home.using(made["Credentials"], "ecr")
    ecr.describe_registry()
    text = f"User: {arn} is not authorized to perform: {{0}} on resource: {{1}} because no {{2}} policy allows the {{0}} action"
    name = fresh_name()
    resource = f"arn:aws:ecr:us-east-1:{home.id}:repository/{name}"
    with refused("AccessDeniedException", text.format("ecr:CreateRepository", resource, "session")):
        ecr.create_repository(repositoryName=name)
    with refused("AccessDeniedException"):
        ecr.describe_repositories()


def test_a_federated_user_without_a_policy_can_do_nothing(home: Account) -> None:
    made = home.sts(home.user(ALLOW_ALL).key).get_federation_token(Name="bob")
    with refused("AccessDeniedException"):
        home.using(made["Credentials"], "ecr").describe_registry()
    by_root = home.sts(home.root).get_federation_token(Name="bob")
    assert -30 <= seconds_left(by_root) - 3600 <= 2
    with refused("AccessDeniedException"):
        home.using(by_root["Credentials"], "ecr").describe_registry()


def test_of_sts_a_federated_user_has_one_operation(home: Account) -> None:
    user = home.user(ALLOW_ALL)
    session = home.using(home.sts(user.key).get_federation_token(Name="dan", Policy=json.dumps(ALLOW_ALL))["Credentials"])
    session.get_caller_identity()
    for operation, act in {
        "GetSessionToken": session.get_session_token,
        "GetFederationToken": lambda: session.get_federation_token(Name="ann"),
        "GetAccessKeyInfo": lambda: session.get_access_key_info(AccessKeyId=user.key.access_key_id),
        "DecodeAuthorizationMessage": lambda: session.decode_authorization_message(EncodedMessage="x"),
    }.items():
        with refused("AccessDenied", f"Cannot call {operation} with session credentials", 403):
            act()


def test_a_federated_user_assumes_no_role(home: Account) -> None:
    user = home.user(ALLOW_ALL)
    role = home.role(trust("*"))
    made = home.sts(user.key).get_federation_token(Name="eve", Policy=json.dumps(ALLOW_ALL))
    arn = f"arn:aws:sts::{home.id}:federated-user/eve"
    with refused("AccessDenied", f"User: {arn} is not authorized to perform: sts:AssumeRole on resource: {role['Arn']}", 403):
        home.using(made["Credentials"]).assume_role(RoleArn=role["Arn"], RoleSessionName="s1")


def test_federation_needs_its_permission(home: Account) -> None:
    user = home.user(allow("sts:GetFederationToken", resource=f"arn:aws:sts::{home.id}:federated-user/ann"))
    home.sts(user.key).get_federation_token(Name="ann")
    with refused("AccessDenied", status=403):
        home.sts(user.key).get_federation_token(Name="bob")
    with refused("AccessDenied", status=403):
        home.sts(user.key).get_federation_token(Name="ann", Tags=[{"Key": "a", "Value": "1"}])
    for name in ("x", "x" * 33, "a b"):
        with refused("ValidationError"):
            home.sts(user.key).get_federation_token(Name=name)


def test_whose_a_key_is(home: Account, abroad: Account) -> None:
    user = home.user(allow("sts:GetAccessKeyInfo"))
    sts = home.sts(user.key)
    for key in (user.key.access_key_id, abroad.root.access_key_id):
        expected = home.id if key == user.key.access_key_id else abroad.id
        assert sts.get_access_key_info(AccessKeyId=key)["Account"] == expected
    temporary = abroad.sts(abroad.root).get_session_token()["Credentials"]["AccessKeyId"]
    assert sts.get_access_key_info(AccessKeyId=temporary)["Account"] == abroad.id
    for unknown in ("AKIA0000000000000000", "ASIA0000000000000000", "ASIAAAAAAAAAAAAAAAAA"):
        with refused("ValidationError"):
            sts.get_access_key_info(AccessKeyId=unknown)
    with refused("AccessDenied", status=403):
        home.sts(home.user().key).get_access_key_info(AccessKeyId=temporary)


def test_there_is_no_message_to_decode(home: Account) -> None:
    with refused("InvalidAuthorizationMessageException", "Message is not valid"):
        home.sts(home.root).decode_authorization_message(EncodedMessage="abc")
    with refused("AccessDenied", status=403):
        home.sts(home.user().key).decode_authorization_message(EncodedMessage="abc")


def test_what_nobody_is_allowed(home: Account) -> None:
    root = f"arn:aws:iam::{home.id}:root"
    sts = home.sts(home.root)
    prefix = f"User: {root} is not authorized to perform: sts:"
    task = {"arn": "arn:aws:iam::aws:policy/root-task/IAMAuditRootUserCredentials"}
    with refused("AccessDenied", f"{prefix}AssumeRoot on resource: {root}", 403):
        sts.assume_root(TargetPrincipal=root, TaskPolicyArn=task)
    with refused("AccessDenied", f"{prefix}GetDelegatedAccessToken on resource: *", 403):
        sts.get_delegated_access_token(TradeInToken="x")
    with refused("AccessDenied", f"{prefix}GetWebIdentityToken on resource: *", 403):
        sts.get_web_identity_token(Audience=["x"], SigningAlgorithm="RS256")
    with refused("AccessDenied", "Not authorized to perform sts:AssumeRoleWithSAML", 403):
        anonymous(home.server).assume_role_with_saml(
            RoleArn=f"arn:aws:iam::{home.id}:role/x", PrincipalArn=f"arn:aws:iam::{home.id}:saml-provider/x", SAMLAssertion="AAAA"
        )


def test_operations_that_have_to_be_signed(home: Account) -> None:
    for act in (
        anonymous(home.server).get_caller_identity,
        anonymous(home.server).get_session_token,
        lambda: anonymous(home.server).assume_role(RoleArn=f"arn:aws:iam::{home.id}:role/x", RoleSessionName="s1"),
    ):
        with refused("MissingAuthenticationToken", "Request is missing Authentication Token", 403):
            act()


@pytest.mark.parametrize("mfa", [{"SerialNumber": "arn:aws:iam::1:mfa/x"}, {"TokenCode": "123456"}])
def test_half_of_an_mfa_proof(home: Account, mfa: dict[str, str]) -> None:
    text = "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code."
    with refused("AccessDenied", text, 403):
        home.sts(home.root).get_session_token(**mfa)


def test_somebody_elses_device(home: Account, abroad: Account) -> None:
    text = "MultiFactorAuthentication failed with invalid MFA one time pass code."
    for account in (home.id, abroad.id):
        with refused("AccessDenied", text, 403):
            home.sts(home.root).get_session_token(SerialNumber=f"arn:aws:iam::{account}:mfa/none", TokenCode="123456")


def test_keys_of_roots_are_as_before(home: Account) -> None:
    whoami = home.sts(KeyPair(home.id, home.root.access_key_id, home.root.secret)).get_caller_identity()
    assert (whoami["UserId"], whoami["Arn"]) == (home.id, f"arn:aws:iam::{home.id}:root")
