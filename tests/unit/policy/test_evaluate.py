"""Where evaluations go wrong: each rule that is easy to miss, and the texts of denials."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypedDict

import pytest

from moorage.model.errors import PrincipalNotFound
from moorage.policy.compile import REMEMBERED, PolicySet, Source, compile_policy
from moorage.policy.context import PRINCIPAL_KEYS, RequestContext, given, tags
from moorage.policy.document import Kind
from moorage.policy.evaluate import Outcome, Policies, PolicyType, Request, decide, is_within_v1
from moorage.policy.parse import parse
from moorage.policy.principals import Principal, bind_principals, principal_arns
from tests.unit.policy.builders import (
    BU,
    IDS,
    PULL,
    R_ARN,
    RB,
    ROOT_A,
    S_ARN,
    U_ARN,
    V_ARN,
    A,
    B,
    R,
    S,
    U,
    V,
    allow,
    ask,
    boundary,
    deny,
    document,
    identity,
    on_registry,
    on_repository,
    policy_set,
    repository,
    session,
    trust,
    verdict,
)

ALL = allow("ecr:*", "*")
NOTHING = boundary(allow("s3:*", "*"))
FRED = Principal.federated_user(A, "fred")


class Limits(TypedDict, total=False):
    """What keeps a principal within bounds."""

    boundary: PolicySet
    session: PolicySet


def aws(*names: str) -> dict[str, list[str]]:
    """Principals of the kind AWS."""
    return {"AWS": list(names)}


def test_a_silent_limit_matters_by_how_the_resource_policy_names_the_caller() -> None:
    names = {"own": S_ARN, "role": R_ARN, "everyone": "*", "account": A}
    for kind in ("boundary", "session"):
        limits: Limits = {kind: NOTHING}  # type: ignore[misc]
        granted = {by: on_repository(allow(PULL, principal=aws(name))) for by, name in names.items()}
        verdicts = {
            by: verdict(ask(S, PULL, identity=identity(ALL), resource_policy=policies, **limits))
            for by, policies in granted.items()
        }
        denied = f"implicit deny ({kind})"
        assert verdicts == {"own": "allow", "role": denied, "everyone": denied, "account": denied}


def test_a_silent_boundary_does_not_limit_a_grant_to_the_user_itself() -> None:
    for name, wanted in ((U_ARN, "allow"), ("*", "allow"), (A, "implicit deny (boundary)")):
        granted = on_repository(allow(PULL, principal=aws(name)))
        assert verdict(ask(U, PULL, identity=identity(ALL), boundary=NOTHING, resource_policy=granted)) == wanted


def test_an_explicit_deny_of_a_limit_beats_every_grant() -> None:
    own = on_repository(allow(PULL, principal=aws(S_ARN)))
    assert verdict(ask(S, PULL, boundary=boundary(deny(PULL, "*")), resource_policy=own)) == "explicit deny (boundary)"
    assert verdict(ask(S, PULL, session=session(deny(PULL, "*")), resource_policy=own)) == "explicit deny (session)"


@pytest.mark.parametrize("name", [U_ARN, A, ROOT_A, "*"])
def test_across_accounts_both_sides_allow_whoever_is_named(name: str) -> None:
    granted = on_repository(allow(PULL, principal=aws(name)))
    assert verdict(ask(U, PULL, RB, resource_policy=granted)) == "implicit deny (identity)"
    assert verdict(ask(U, PULL, RB, identity=identity(ALL))) == "implicit deny (resource)"
    assert verdict(ask(U, PULL, RB, identity=identity(ALL), resource_policy=granted)) == "allow"
    limited = ask(U, PULL, RB, identity=identity(ALL), boundary=NOTHING, resource_policy=granted)
    assert verdict(limited) == "implicit deny (boundary)"


def test_a_federated_user_has_what_its_session_leaves_of_the_users_rights() -> None:
    users = identity(ALL)
    assert verdict(ask(FRED, PULL, identity=users, session=session(allow(PULL, "*")))) == "allow"
    assert verdict(ask(FRED, PULL, identity=users, session=PolicySet())) == "implicit deny (session)"
    granted = policy_set(Kind.REPOSITORY, allow(PULL, principal=aws(FRED.arn)))
    assert verdict(ask(FRED, PULL, resource_policy=granted)) == "implicit deny (identity)"  # nothing binds the ARN
    parsed = parse(document(allow(PULL, principal=aws(FRED.arn))), Kind.REPOSITORY)
    bound = PolicySet([compile_policy(parsed, Source("p"), bindings={FRED.arn: FRED.unique_id})])
    assert verdict(ask(FRED, PULL, session=PolicySet(), resource_policy=bound)) == "allow"


def test_a_name_in_a_stored_policy_means_who_had_it_then() -> None:
    granted = on_repository(allow(PULL, principal=aws(U_ARN, R_ARN, S_ARN)))
    assert verdict(ask(U, PULL, resource_policy=granted)) == "allow"
    assert verdict(ask(Principal.user(U_ARN, "AIDASUCCESSOR"), PULL, resource_policy=granted)) == "implicit deny (identity)"
    assert (
        verdict(ask(Principal.session(R_ARN, "AROASUCCESSOR", "ci"), PULL, resource_policy=granted)) == "implicit deny (identity)"
    )
    denied = on_repository(deny(PULL, principal=aws(U_ARN)))
    assert verdict(ask(Principal.user(U_ARN, "AIDASUCCESSOR"), PULL, identity=identity(ALL), resource_policy=denied)) == "allow"


def test_a_name_without_a_binding_is_nobody() -> None:
    parsed = parse(document(allow(PULL, principal=aws(U_ARN))), Kind.REPOSITORY)
    elsewhere = PolicySet([compile_policy(parsed, Source("p"), bindings={})])
    simulated = PolicySet([compile_policy(parsed, Source("p"))])
    assert verdict(ask(U, PULL, resource_policy=elsewhere)) == "implicit deny (identity)"
    assert verdict(ask(U, PULL, resource_policy=simulated)) == "allow"


def test_bindings_are_made_when_a_policy_is_set() -> None:
    parsed = parse(
        document(allow(PULL, principal=aws(U_ARN, A, "*")), deny(PULL, NotPrincipal=aws(R_ARN, U_ARN))), Kind.REPOSITORY
    )
    assert principal_arns(parsed) == (U_ARN, R_ARN)
    assert bind_principals(parsed, IDS.get, has_account=[A].__contains__) == {U_ARN: U.unique_id, R_ARN: S.role_id}
    with pytest.raises(PrincipalNotFound) as caught:
        bind_principals(parsed, {U_ARN: "x"}.get, has_account=lambda _: True)
    assert (caught.value.arn, caught.value.kind) == (R_ARN, "repository")
    with pytest.raises(PrincipalNotFound, match=A):
        bind_principals(parsed, IDS.get, has_account=lambda _: False)


@pytest.mark.parametrize(
    ("principal", "listed", "is_spared"),
    [
        (U, [U_ARN], True),
        (U, [A], False),
        (U, ["*"], True),
        (V, [U_ARN, A], False),
        (S, [R_ARN], False),
        (S, [R_ARN, A], False),
        (S, [R_ARN, S_ARN], False),
        (S, [R_ARN, S_ARN, ROOT_A], True),
        (Principal.root(A), [A], True),
        (Principal.root(B), [A], False),
        (Principal.service("lambda.amazonaws.com"), [A], False),
        (Principal.user(U_ARN, "AIDASUCCESSOR"), [U_ARN], False),
    ],
)
def test_whom_a_deny_with_not_principal_spares(principal: Principal, listed: list[str], is_spared: bool) -> None:
    policies = on_repository(deny("ecr:*", NotPrincipal=aws(*listed)))
    hit = ask(principal, PULL, identity=identity(ALL), resource_policy=policies).outcome is Outcome.EXPLICIT_DENY
    assert hit is not is_spared
    bounded = ask(U, PULL, identity=identity(ALL), boundary=boundary(ALL), resource_policy=policies)
    assert verdict(bounded) == "explicit deny (resource)"


def test_an_allow_with_not_principal_is_for_everybody_else() -> None:
    policies = on_repository(allow(PULL, NotPrincipal=aws(U_ARN, B)))
    assert verdict(ask(V, PULL, resource_policy=policies)) == "allow"
    assert verdict(ask(U, PULL, resource_policy=policies)) == "implicit deny (identity)"
    assert verdict(ask(BU, PULL, identity=identity(ALL), resource_policy=policies)) == "implicit deny (resource)"


def test_nobody_enters_a_role_whom_its_trust_policy_does_not_name() -> None:
    role, action = R_ARN, "sts:AssumeRole"
    for caller in (U, Principal.root(A)):
        decision = ask(
            caller, action, role, identity=identity(allow("*", "*")), resource_policy=trust(allow(action, principal=aws(V_ARN)))
        )
        assert verdict(decision) == "implicit deny (resource)"
    delegated = trust(allow(action, principal=aws(A)))
    assert verdict(ask(U, action, role, identity=identity(allow("*", "*")), resource_policy=delegated)) == "allow"


def test_actions_without_a_resource_type_want_a_star_and_are_never_across_accounts() -> None:
    token = "ecr:GetAuthorizationToken"
    granted = on_registry(allow("ecr:*", "*", principal=aws(B)))
    assert verdict(ask(BU, token, "*", identity=identity(ALL), registry=granted, owner=A)) == "allow"
    assert verdict(ask(BU, token, "*", registry=granted, owner=A)) == "implicit deny (identity)"
    only_repositories = identity(allow("ecr:*", repository("*")))
    assert verdict(ask(U, token, "*", identity=only_repositories)) == "implicit deny (identity)"
    anonymous = ask(Principal.anonymous(), token, "*", registry=on_registry(allow("ecr:*", "*", principal="*")), owner=A)
    assert not anonymous.allowed


def test_the_scope_of_a_registry_policy() -> None:
    allows = on_registry(allow("ecr:*", repository("*"), principal=aws(U_ARN)))
    denies = on_registry(deny("ecr:*", repository("*"), principal="*"))
    for scope, pull in (("V1", "implicit deny (identity)"), ("V2", "allow")):
        assert verdict(ask(U, PULL, registry=allows, scope=scope)) == pull
        assert verdict(ask(U, "ecr:CreateRepository", registry=allows, scope=scope)) == "allow"
    assert verdict(ask(U, PULL, identity=identity(ALL), registry=denies, scope="V1")) == "allow"
    assert verdict(ask(U, PULL, identity=identity(ALL), registry=denies, scope="V2")) == "explicit deny (resource)"
    assert verdict(ask(U, "sts:AssumeRole", R_ARN, identity=identity(allow("*", "*")), registry=denies)) == "allow"


@pytest.mark.parametrize(
    ("elements", "is_within"),
    [
        ({"Action": ["ecr:ReplicateImage", "ECR:createrepository"]}, True),
        ({"Action": "ecr:BatchImportUpstreamImage"}, True),
        ({"Action": ["ecr:ReplicateImage", PULL]}, False),
        ({"Action": "ecr:*"}, False),
        ({"NotAction": "ecr:ReplicateImage"}, False),
    ],
)
def test_registry_policies_of_the_old_scope(elements: dict[str, Any], is_within: bool) -> None:
    text = document(allow(None, "*", principal=aws(B), **elements))
    assert is_within_v1(parse(text, Kind.REGISTRY)) is is_within


def test_every_level_of_an_organization_has_to_allow() -> None:
    full, some = identity(allow("*", "*")), identity(allow(PULL, "*"))
    assert verdict(ask(U, PULL, identity=full, service_control=[full, some])) == "allow"
    assert verdict(ask(U, "ecr:PutImage", identity=full, service_control=[full, some])) == "implicit deny (scp)"
    assert verdict(ask(Principal.root(A), PULL, service_control=[PolicySet()])) == "implicit deny (scp)"
    request = Request(U, PULL, R, A, {})
    control = policy_set(Kind.RESOURCE_CONTROL, deny("*", "*", principal="*"))
    assert decide(request, Policies(identity=full, resource_control=(control,))).decided_by is PolicyType.RESOURCE_CONTROL
    silent = policy_set(Kind.RESOURCE_CONTROL, allow("s3:*", "*", principal="*"))
    decision = decide(request, Policies(identity=full, resource_control=(silent,)))
    assert decision.reason == "no resource control policy allows the ecr:BatchGetImage action"


def test_texts_of_denials() -> None:
    denied = ask(U, "ecr:CreateRepository")
    assert str(denied.error()) == (
        f"User: {U_ARN} is not authorized to perform: ecr:CreateRepository on resource: {R} "
        "because no identity-based policy allows the ecr:CreateRepository action"
    )
    assert ask(U, PULL, identity=identity(ALL)).reason == ""
    across = ask(U, PULL, RB, identity=identity(ALL))
    assert across.reason == f"no resource-based policy allows the {PULL} action"
    assert ask(U, PULL, identity=identity(ALL), boundary=NOTHING).reason == f"no permissions boundary allows the {PULL} action"
    assert ask(S, PULL, identity=identity(ALL), session=PolicySet()).reason == f"no session policy allows the {PULL} action"
    scp = ask(U, PULL, identity=identity(ALL), service_control=[PolicySet()])
    assert scp.reason == f"no service control policy allows the {PULL} action"
    explicit = ask(U, PULL, identity=identity(deny("*", "*")))
    assert str(explicit.error()) == (
        f"User: {U_ARN} is not authorized to perform: {PULL} on resource: {R} with an explicit deny in an identity-based policy"
    )
    by_resource = ask(U, PULL, resource_policy=on_repository(deny("*", principal="*")))
    assert by_resource.reason == "with an explicit deny in a resource-based policy"
    session_name = ask(S, PULL).error()
    assert str(session_name).startswith(f"User: {S_ARN} is not authorized")


def test_an_explicit_deny_names_the_managed_policy_it_is_in() -> None:
    arn = f"arn:aws:iam::{A}:policy/P"
    denying = policy_set(Kind.IDENTITY, deny("*", "*"), source=Source(arn, is_managed=True))
    for policies, kind in (
        (Policies(identity=denying), "an identity-based policy"),
        (Policies(boundary=denying), "a permissions boundary"),
        (Policies(session=denying), "a session policy"),
    ):
        assert decide(Request(U, PULL, R, A, {}), policies).reason == f"with an explicit deny in {kind}: {arn}"


def test_of_several_denies_one_is_reported_by_kind() -> None:
    by_resource = on_repository(deny("*", principal="*"))
    own, limit = identity(deny("*", "*")), boundary(deny("*", "*"))
    assert verdict(ask(U, PULL, identity=own, boundary=limit, resource_policy=by_resource)) == "explicit deny (resource)"
    assert verdict(ask(U, PULL, identity=own, boundary=limit)) == "explicit deny (identity)"


def test_a_decision_tells_its_statement() -> None:
    policies = identity(allow("s3:*", "*"), {**ALL, "Sid": "Pull"})
    decision = ask(U, PULL, identity=policies)
    assert decision.statement is not None
    assert (decision.statement.statement.index, decision.statement.statement.sid) == (1, "Pull")
    assert decision.decided_by is PolicyType.IDENTITY


def test_what_a_set_remembers_has_a_bound() -> None:
    policies = identity(allow("ecr:*", repository("*")))
    for number in range(3 * REMEMBERED):
        assert ask(U, f"ecr:A{number}", repository(str(number)), identity=policies).allowed
        assert not ask(U, f"s3:A{number}", repository(str(number)), identity=policies).allowed
    assert len(policies._by_request) <= REMEMBERED
    assert len(policies._by_action) <= REMEMBERED


def calls_of(decision: Callable[[], object]) -> int:
    """The number of calls of Python functions that something takes, the second time it is done."""
    count = 0

    def profile(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event == "call"

    decision()
    sys.setprofile(profile)
    try:
        decision()
    finally:
        sys.setprofile(None)
    return count


def test_what_a_decision_costs_does_not_grow_with_the_policies() -> None:
    last = allow("ecr:*", "*", condition={"Bool": {"aws:SecureTransport": "true"}})
    request = Request(U, PULL, R, A, {"aws:securetransport": "true"})

    def cost(statements: int) -> int:
        others = [
            allow("ecr:*", repository(f"t{number}/*"), condition={"Bool": {"aws:x": "true"}}) for number in range(statements)
        ]
        policies = Policies(identity=identity(*others, last))
        assert decide(request, policies).allowed
        return calls_of(lambda: decide(request, policies))

    assert cost(1) == cost(100) <= 40


def test_a_context_computes_what_is_asked_and_only_once() -> None:
    asked: list[str] = []

    def source_ip() -> str:
        asked.append("ip")
        return "10.0.0.1"

    def of_resource(name: str) -> str | None:
        asked.append(name)
        return {"team": "a"}.get(name)

    context = RequestContext(U, {"aws:sourceip": source_ip, "aws:securetransport": "true"}, {"aws:resourcetag/": of_resource})
    assert [context.get(key) for key in ("aws:sourceip", "aws:sourceip", "aws:resourcetag/team", "aws:resourcetag/x")] == [
        "10.0.0.1",
        "10.0.0.1",
        "a",
        None,
    ]
    assert context.get("aws:resourcetag/team") == "a"
    assert context.get("aws:resourcetag") is None
    assert asked == ["ip", "team", "x"]


@pytest.mark.parametrize(
    ("principal", "keys"),
    [
        (U, {"principalarn": U_ARN, "principalaccount": A, "principaltype": "User", "userid": U.unique_id, "username": "u"}),
        (S, {"principalarn": R_ARN, "principalaccount": A, "principaltype": "AssumedRole", "userid": f"{S.role_id}:ci"}),
        (Principal.root(A), {"principalarn": ROOT_A, "principalaccount": A, "principaltype": "Account", "userid": A}),
        (FRED, {"principalarn": FRED.arn, "principalaccount": A, "principaltype": "FederatedUser", "userid": f"{A}:fred"}),
        (Principal.anonymous(), {"principaltype": "Anonymous"}),
        (Principal.service("ecs.amazonaws.com"), {"principalservicename": "ecs.amazonaws.com"}),
        (Principal.web_identity("arn:p"), {"federatedprovider": "arn:p"}),
    ],
)
def test_keys_about_the_principal(principal: Principal, keys: dict[str, str]) -> None:
    context = RequestContext(principal, {})
    told = {key.removeprefix("aws:"): context.get(key) for key in PRINCIPAL_KEYS}
    assert {key: value for key, value in told.items() if value is not None and key != "principalisawsservice"} == keys
    assert told["principalisawsservice"] == ("true" if "principalservicename" in keys else "false")


def test_tags_whose_keys_differ_in_case_alone_have_several_values() -> None:
    find = tags({"Team": "a", "team": "b", "Other": "c"})
    assert find("team") == ("a", "b")
    assert find("other") == "c"
    assert find("none") is None
    assert given({"AWS:SourceIp": "x"}) == {"aws:sourceip": "x"}


def test_names_of_roles_with_a_path() -> None:
    assert Principal.session(f"arn:aws:iam::{A}:role/a/b/r", "AROA", "ci").arn == S_ARN
