"""AssumeRoleWithWebIdentity: CI systems and clusters get roles for their tokens; every refusal with code, status and text."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from moorage.testing.oidc_issuer import DISCOVERY, JWKS, IssuerAnswer, OidcIssuer, forged, new_key, sign
from moorage.testing.server import MoorageServer
from tests.conftest import Pool, fresh_name
from tests.integration.aws.errors import refused
from tests.integration.sts.conftest import Account, allow, anonymous

AUDIENCE = "sts.amazonaws.com"
NO_KEY = (
    "Couldn't retrieve verification key from your identity provider, please reference AssumeRoleWithWebIdentity "
    "documentation for requirements"
)
NO_JWT = "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"
FORGED = "The signature of the ID Token provided is not valid"
DENIED = "Not authorized to perform sts:AssumeRoleWithWebIdentity"


@pytest.fixture(scope="session")
def issuer() -> Iterator[OidcIssuer]:
    """A provider that all tests share; it keeps its keys."""
    with OidcIssuer(tls=True) as running:
        yield running


@pytest.fixture
def private_server(pool: Pool, stack: str) -> Iterator[MoorageServer]:
    """A server that fetches keys from loopback."""
    shared: MoorageServer = pool.get(
        f"moorage {stack} oidc", lambda: pool.new_server(stack, options=["--oidc-allow-private-issuers"])
    )
    since = shared.log_size()
    yield shared
    shared.require_clean_log(since)


@pytest.fixture
def home(private_server: MoorageServer, stack: str, _accounts: dict[tuple[str, str], Account]) -> Account:
    """An account of that server."""
    if (stack, "oidc") not in _accounts:
        _accounts[stack, "oidc"] = Account(private_server, private_server.create_account("oidc"))
    return _accounts[stack, "oidc"]


def provide(home: Account, issuer: OidcIssuer, *client_ids: str) -> str:
    """The issuer as a provider of the account; its ARN."""
    arn = f"arn:aws:iam::{home.id}:oidc-provider/{issuer.provider}"
    if arn not in {each["Arn"] for each in home.iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]}:
        home.iam.create_open_id_connect_provider(
            Url=issuer.url, ClientIDList=list(client_ids or (AUDIENCE,)), ThumbprintList=[issuer.thumbprint]
        )
    return arn


def federated(provider: str, actions: tuple[str, ...] = ("sts:AssumeRoleWithWebIdentity",), **conditions: Any) -> dict[str, Any]:
    """A trust policy for a provider."""
    statement: dict[str, Any] = {"Effect": "Allow", "Principal": {"Federated": provider}, "Action": list(actions)}
    if conditions:
        statement["Condition"] = conditions
    return {"Version": "2012-10-17", "Statement": [statement]}


@pytest.fixture
def provider(home: Account, issuer: OidcIssuer) -> str:
    return provide(home, issuer)


@pytest.fixture
def role(home: Account, provider: str) -> dict[str, Any]:
    """A role for every subject of the provider."""
    return home.role(federated(provider), allow("ecr:*"))


def ask(home: Account, role: dict[str, Any] | str, token: str, **options: Any) -> dict[str, Any]:
    arn = role if isinstance(role, str) else role["Arn"]
    made: dict[str, Any] = anonymous(home.server).assume_role_with_web_identity(
        RoleArn=arn, RoleSessionName="job-1", WebIdentityToken=token, **options
    )
    return made


def test_a_session_and_all_that_is_said_of_it(home: Account, issuer: OidcIssuer, provider: str, role: dict[str, Any]) -> None:
    made = ask(home, role, issuer.token("subject-7"))
    arn = f"arn:aws:sts::{home.id}:assumed-role/{role['RoleName']}/job-1"
    assert made["AssumedRoleUser"] == {"AssumedRoleId": f"{role['RoleId']}:job-1", "Arn": arn}
    assert (made["SubjectFromWebIdentityToken"], made["Audience"], made["Provider"]) == ("subject-7", AUDIENCE, provider)
    assert -30 <= made["Credentials"]["Expiration"].timestamp() - datetime.now(UTC).timestamp() - 3600 <= 2
    assert home.using(made["Credentials"]).get_caller_identity()["Arn"] == arn
    home.using(made["Credentials"], "ecr").create_repository(repositoryName=fresh_name())


def test_github_actions(home: Account, issuer: OidcIssuer, provider: str) -> None:
    conditions: dict[str, Any] = {
        "StringEquals": {f"{issuer.provider}:aud": AUDIENCE, f"{issuer.provider}:repository_owner": "acme"},
        "StringLike": {f"{issuer.provider}:sub": "repo:acme/app:*"},
    }
    role = home.role(federated(provider, **conditions))
    ask(home, role, issuer.github_token("acme/app"))
    for token in (issuer.github_token("acme/other"), issuer.github_token("evil/app", sub="repo:acme/app:x")):
        with refused("AccessDenied", DENIED, 403):
            ask(home, role, token)


def test_gitlab(home: Account, provider: str) -> None:
    with OidcIssuer(tls=True, path="/gitlab") as gitlab:
        arn = provide(home, gitlab, gitlab.url)
        conditions: dict[str, Any] = {
            "StringEquals": {f"{gitlab.provider}:aud": gitlab.url, f"{gitlab.provider}:ref_protected": "true"},
            "StringLike": {f"{gitlab.provider}:sub": "project_path:group/*:ref_type:branch:ref:main"},
        }
        role = home.role(federated(arn, **conditions))
        ask(home, role, gitlab.gitlab_token())
        for token in (
            gitlab.gitlab_token(ref="dev"),
            gitlab.gitlab_token("other/app"),
            gitlab.gitlab_token(ref_protected="false"),
        ):
            with refused("AccessDenied", DENIED, 403):
                ask(home, role, token)


def test_a_service_account_of_kubernetes(home: Account, issuer: OidcIssuer, provider: str) -> None:
    subject = "system:serviceaccount:ci:builder"
    role = home.role(federated(provider, StringEquals={f"{issuer.provider}:sub": subject, f"{issuer.provider}:aud": AUDIENCE}))
    assert ask(home, role, issuer.kubernetes_token("ci"))["SubjectFromWebIdentityToken"] == subject
    with refused("AccessDenied", DENIED, 403):
        ask(home, role, issuer.kubernetes_token("prod"))


def test_who_is_not_trusted(home: Account, issuer: OidcIssuer, provider: str) -> None:
    everybody = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:*"}]}
    for role in (
        home.role(federated(provider.replace(issuer.provider, "other.example.org"))),
        home.role(federated(provider, actions=("sts:AssumeRole",))),
        home.role(everybody),
        f"arn:aws:iam::{home.id}:role/{fresh_name()}",
    ):
        with refused("AccessDenied", DENIED, 403):
            ask(home, role, issuer.token())


def test_a_provider_of_another_account_is_none(
    home: Account, issuer: OidcIssuer, provider: str, private_server: MoorageServer
) -> None:
    other = Account(private_server, private_server.create_account("without-provider"))
    role = other.role(federated(provider))
    with refused("InvalidIdentityToken", f"No OpenIDConnect provider found in your account for {issuer.url}"):
        ask(other, role, issuer.token())


def test_durations_session_policies_and_names(home: Account, issuer: OidcIssuer, role: dict[str, Any]) -> None:
    with refused("ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."):
        ask(home, role, issuer.token(), DurationSeconds=7200)
    with refused("MalformedPolicyDocument"):
        ask(home, role, issuer.token(), Policy="{")
    with refused("ValidationError", "Request ARN is invalid"):
        ask(home, f"arn:aws:iam::{home.id}:user/somebody", issuer.token())
    made = ask(home, role, issuer.token(), Policy=json.dumps(allow("ecr:DescribeRegistry")), DurationSeconds=900)
    ecr = home.using(made["Credentials"], "ecr")
    ecr.describe_registry()
    with refused("AccessDeniedException"):
        ecr.describe_repositories()


def now() -> int:
    return int(time.time())


@pytest.mark.parametrize(
    ("claims", "code", "message"),
    [
        ({"aud": "somebody"}, "InvalidIdentityToken", "Incorrect token audience"),
        ({"aud": ["a", "b"]}, "InvalidIdentityToken", "Incorrect token audience"),
        ({"azp": "somebody"}, "InvalidIdentityToken", "Incorrect token audience"),
        ({"nbf": 1 << 40}, "InvalidIdentityToken", "The ID Token provided is not valid yet"),
        ({"iat": 1 << 40}, "InvalidIdentityToken", "The ID Token provided is not valid yet"),
        ({"sub": None}, "InvalidIdentityToken", "Missing a required claim: sub"),
        ({"exp": None}, "InvalidIdentityToken", "Missing a required claim: exp"),
        ({"iat": None}, "InvalidIdentityToken", "Missing a required claim: iat"),
        ({"iss": None}, "InvalidIdentityToken", "Missing a required claim: iss"),
        ({"iss": "https://nobody.example.org"}, "InvalidIdentityToken", "No OpenIDConnect provider found in your account for https://nobody.example.org"),
    ],
)  # fmt: skip
def test_claims_that_do_not_count(
    home: Account, issuer: OidcIssuer, role: dict[str, Any], claims: dict[str, Any], code: str, message: str
) -> None:
    with refused(code, message):
        ask(home, role, issuer.token(**claims))


def test_an_expired_token(home: Account, issuer: OidcIssuer, role: dict[str, Any]) -> None:
    expired = now() - 100
    with refused("ExpiredTokenException") as answer:
        ask(home, role, issuer.token(exp=expired))
    words = rf"Token expired: current date/time ([0-9]+) must be before the expiration date/time {expired}"
    found = re.fullmatch(words, answer["Error"]["Message"])
    assert found is not None
    assert abs(int(found[1]) - now()) < 60


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda issuer: "not-a-token", NO_JWT),
        (lambda issuer: forged(issuer.token(), alg="none"), NO_JWT),
        (lambda issuer: forged(issuer.token(), alg="HS256"), NO_JWT),
        (lambda issuer: forged(issuer.token(), crit=["exp"]), NO_JWT),
        (lambda issuer: sign(new_key(), issuer.claims(), kid="../../keys"), NO_KEY),
        (lambda issuer: sign(new_key("ES256"), issuer.claims(), "ES256", kid=issuer.keys[0].kid), NO_KEY),
        (lambda issuer: sign(new_key(), issuer.claims(), kid=issuer.keys[0].kid), FORGED),
        (lambda issuer: issuer.token()[:-6] + "AAAAAA", FORGED),
    ],
)  # fmt: skip
def test_threat_04_tokens_that_nobody_signed(
    home: Account, issuer: OidcIssuer, role: dict[str, Any], make: Callable[[OidcIssuer], str], message: str
) -> None:
    ask(home, role, issuer.token())
    with refused("InvalidIdentityToken", message):
        ask(home, role, make(issuer))


def test_keys_are_fetched_once(home: Account) -> None:
    with OidcIssuer(tls=True) as own:
        role = home.role(federated(provide(home, own)))
        for _ in range(5):
            ask(home, role, own.token())
        assert own.requests == {DISCOVERY: 1, JWKS: 1}


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        (DISCOVERY, IssuerAnswer(302, headers={"Location": "https://169.254.169.254/latest/meta-data"})),
        (JWKS, IssuerAnswer(200, json.dumps({"keys": ["x" * 400_000]}).encode())),
        (JWKS, IssuerAnswer(200, b"no json")),
        (DISCOVERY, IssuerAnswer(200, b"{}")),
    ],
)
def test_threat_13_providers_that_cannot_be_believed(home: Account, path: str, answer: IssuerAnswer) -> None:
    with OidcIssuer(tls=True) as own:
        role = home.role(federated(provide(home, own)))
        own.answers = {path: answer}
        with refused("InvalidIdentityToken", NO_KEY):
            ask(home, role, own.token())


def test_a_provider_that_is_down(home: Account) -> None:
    with OidcIssuer(tls=True) as own:
        role = home.role(federated(provide(home, own)))
        own.answers = {DISCOVERY: IssuerAnswer(503)}
        with refused("IDPCommunicationError", "The identity provider could not be reached. Try again."):
            ask(home, role, own.token())


def test_a_certificate_that_nobody_vouches_for(home: Account) -> None:
    with OidcIssuer(tls=True) as own:
        own.thumbprint = "0" * 40
        role = home.role(federated(provide(home, own)))
        with refused("InvalidIdentityToken", NO_KEY):
            ask(home, role, own.token())


def test_threat_13_a_server_fetches_nothing_from_loopback_by_itself(server: MoorageServer, issuer: OidcIssuer) -> None:
    account = Account(server, server.create_account("strict"))
    role = account.role(federated(provide(account, issuer)))
    before = issuer.requests.total()
    with refused("InvalidIdentityToken", NO_KEY):
        ask(account, role, issuer.token())
    assert issuer.requests.total() == before


def test_session_tags_come_in_the_token(home: Account, issuer: OidcIssuer, provider: str) -> None:
    actions = ("sts:AssumeRoleWithWebIdentity", "sts:TagSession", "sts:SetSourceIdentity")
    role = home.role(
        federated(provider, actions, StringEquals={"aws:RequestTag/team": "a"}),
        allow("ecr:DescribeRegistry", StringEquals={"aws:PrincipalTag/team": "a"}),
    )
    claim = "https://aws.amazon.com/tags"
    source = "https://aws.amazon.com/source_identity"

    def tagged(value: Any, **claims: Any) -> str:
        return sign(issuer.keys[0], {**issuer.claims(), claim: value, **claims})

    tags = {"principal_tags": {"team": ["a"], "cost": ["1"]}, "transitive_tag_keys": ["team"]}
    made = ask(home, role, tagged(tags, **{source: "ann"}))
    assert (made["SourceIdentity"], made["PackedPolicySize"] > 0) == ("ann", True)
    home.using(made["Credentials"], "ecr").describe_registry()
    with refused("AccessDenied", DENIED, 403):
        ask(home, role, tagged({"principal_tags": {"team": ["b"]}}))
    silent = home.role(federated(provider))
    with refused("AccessDenied", "Not authorized to perform sts:TagSession", 403):
        ask(home, silent, tagged(tags))
    with refused("AccessDenied", "Not authorized to perform sts:SetSourceIdentity", 403):
        ask(home, silent, sign(issuer.keys[0], {**issuer.claims(), source: "ann"}))
    for wrong in ("x", {"principal_tags": ["a"]}, {"principal_tags": {"a": ["1", "2"]}}, {"principal_tags": {"a": 1}}, {}):
        with refused("IDPRejectedClaim", f"The claim {claim} of the ID Token provided cannot be used", 403):
            ask(home, role, tagged(wrong))


def test_the_session_ends_with_the_role(home: Account, issuer: OidcIssuer, provider: str) -> None:
    role = home.role(federated(provider))
    made = ask(home, role, issuer.token())["Credentials"]
    home.using(made).get_caller_identity()
    home.iam.delete_role(RoleName=role["RoleName"])
    with refused("InvalidClientTokenId", status=403):
        home.using(made).get_caller_identity()


def test_threat_23_no_token_in_the_log(home: Account, issuer: OidcIssuer, role: dict[str, Any]) -> None:
    since = home.server.log_size()
    good, bad = issuer.token(), sign(new_key(), issuer.claims(), kid="unknown")
    ask(home, role, good)
    with refused("InvalidIdentityToken"):
        ask(home, role, bad)
    log = home.server.log[since:]
    for token in (good, bad):
        assert not any(part in log for part in token.split("."))
