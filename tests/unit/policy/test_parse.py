"""What is a policy: the texts for what is not, and that no text brings anything but them."""

# ruff: noqa: E501 - exact texts, one case to a line
from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moorage.model.errors import MalformedPolicy
from moorage.policy import sizes
from moorage.policy.compile import PolicySet, Source, compile_policy
from moorage.policy.document import Condition, Kind
from moorage.policy.evaluate import Policies, Request, decide
from moorage.policy.explain import explain
from moorage.policy.findings import findings
from moorage.policy.jsontext import replace_principals, statement_spans
from moorage.policy.parse import parse
from tests.unit.policy.builders import R_ARN, ROOT_A, S_ARN, U_ARN, A, R, U, allow, deny, document

SYNTAX = "Syntax errors in policy."
OK = allow("ecr:*", "*")
OIDC = f"arn:aws:iam::{A}:oidc-provider/token.example.com/a"


def identity(**elements: Any) -> str:
    """An identity policy of a valid statement with other elements; None leaves one out."""
    return document({name: value for name, value in {**OK, **elements}.items() if value is not None})


def raw(body: str) -> str:
    """A document of one statement, as text."""
    return '{"Version":"2012-10-17","Statement":[{' + body + "}]}"


def condition(value: Any) -> str:
    """An identity policy with that Condition."""
    return identity(Condition=value)


IDENTITY: list[tuple[str, str]] = [
    ("", SYNTAX),
    ("{", SYNTAX),
    ("[]", SYNTAX),
    ("null", SYNTAX),
    ("{}", SYNTAX),
    ('{"Version":"2012-10-17"}', SYNTAX),
    ('{"Version":"2012-10-17","Statement":"x"}', SYNTAX),
    ('{"Version":"2012-10-17","Statement":["x"]}', SYNTAX),
    ('{"Version":"2012-10-17","Statement":null}', SYNTAX),
    ('{"Version":"2013-01-01","Statement":[]}', SYNTAX),
    ('{"Version":20121017,"Statement":[]}', SYNTAX),
    ('{"Version":"2012-10-17","Version":"2012-10-17","Statement":[]}', SYNTAX),
    ('{"version":"2012-10-17","Statement":[]}', SYNTAX),
    ('{"Version":"2012-10-17","Statement":[],"Extra":1}', SYNTAX),
    ('{"Version":"2012-10-17","Id":7,"Statement":[]}', SYNTAX),
    ('{"Version":"2012-10-17","Id":"\\ud800","Statement":[]}', SYNTAX),
    ('{"Version":"2012-10-17","Id":"\ud800","Statement":[]}', SYNTAX),
    ('{"Version":"2012-10-17","Id":NaN,"Statement":[]}', SYNTAX),
    (raw('"Effect":"Allow","Action":"ecr:*","Action":"ecr:*","Resource":"*"'), SYNTAX),
    (raw('"Effect":"Allow","Action":"ecr:*","Resource":"*","Condition":{"Bool":{"aws:x":"true","aws:x":"true"}}'), SYNTAX),
    (identity(Effect="allow"), SYNTAX),
    (identity(Effect=None), SYNTAX),
    (identity(Effect={}), SYNTAX),
    (identity(Action=5), SYNTAX),
    (identity(Action=[["ecr:*"]]), SYNTAX),
    (identity(Action={"a": "b"}), SYNTAX),
    (identity(NotAction="ecr:*"), SYNTAX),
    (identity(NotResource="*"), SYNTAX),
    (identity(Sid=5), SYNTAX),
    (identity(action="ecr:*"), SYNTAX),
    (identity(Resource=True), SYNTAX),
    (condition("x"), SYNTAX),
    (condition({"StringEquals": "x"}), SYNTAX),
    (condition({"StringSame": {"aws:x": "y"}}), SYNTAX),
    (condition({"stringequals": {"aws:x": "y"}}), SYNTAX),
    (condition({"ForSomeValues:StringEquals": {"aws:x": "y"}}), SYNTAX),
    (condition({"NullIfExists": {"aws:x": "true"}}), SYNTAX),
    (condition({"ForAnyValue:Null": {"aws:x": "true"}}), SYNTAX),
    (condition({"IfExists": {"aws:x": "true"}}), SYNTAX),
    (condition({"StringEquals": {"aws:x": {"a": "b"}}}), SYNTAX),
    (condition({"StringEquals": {"aws:x": [["a"]]}}), SYNTAX),
    (condition({"StringEquals": {"aws:x": None}}), SYNTAX),
    (condition({"StringEquals": {"aws:x": "${aws:username"}}), SYNTAX),
    (condition({"StringEquals": {"aws:x": "${}"}}), SYNTAX),
    (condition({"StringEquals": {"aws:x": "${a,b}"}}), SYNTAX),
    (identity(Resource="arn:aws:ecr:us-east-1:1:repository/${x"), SYNTAX),
    (identity(Action=None), "Policy statement must contain actions."),
    (identity(Action=[]), "Policy statement must contain actions."),
    (identity(Resource=None), "Policy statement must contain resources."),
    (identity(Resource=[]), "Policy statement must contain resources."),
    (identity(Principal="*"), "Policy document should not specify a principal."),
    (identity(NotPrincipal="*"), "Policy document should not specify a principal."),
    (identity(Action="PutImage"), "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."),
    (condition({"StringEquals": {"username": "y"}}), "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."),
    (identity(Action="ecr:Put:Image"), "Actions/Condition can contain only one colon."),
    (identity(Action="e*:PutImage"), "Vendor e* is not valid"),
    (identity(Action="*:PutImage"), "Vendor * is not valid"),
    (identity(NotAction=":PutImage", Action=None), "Vendor  is not valid"),
    (identity(Action="ecr:Put Image"), "The policy failed legacy parsing"),
    (identity(Action="ecr:"), "The policy failed legacy parsing"),
    (identity(Resource="app"), 'Resource app must be in ARN format or "*".'),
    (identity(Resource="**"), 'Resource ** must be in ARN format or "*".'),
    (identity(Resource="*:*"), 'Resource *:* must be in ARN format or "*".'),
    (identity(Resource=""), 'Resource  must be in ARN format or "*".'),
    (identity(Resource="arn:gcp:ecr:us-east-1:1:repository/x"), 'Partition "gcp" is not valid for resource "arn:gcp:ecr:us-east-1:1:repository/x".'),
    (identity(Resource="arn:x"), 'Partition "x" is not valid for resource "arn:x:*:*:*:*".'),
    (identity(Resource="arn:aws"), "Resource vendor must be fully qualified and cannot contain regexes."),
    (identity(Resource="arn:aws:e*:::x"), "Resource vendor must be fully qualified and cannot contain regexes."),
    (identity(Resource="arn:aws:${aws:username}:::x"), "Resource vendor must be fully qualified and cannot contain regexes."),
    (identity(NotResource="arn:aws:*:::x", Resource=None), "Resource vendor must be fully qualified and cannot contain regexes."),
    (identity(Resource="arn:aws:iam:us-east-1:1:role/x"), "IAM resource arn:aws:iam:us-east-1:1:role/x cannot contain region information."),
    (identity(Resource="arn:aws:iam::1:robot/x"), 'IAM resource path must either be "*" or start with user/, federated-user/, role/, group/, instance-profile/, mfa/, server-certificate/, policy/, sms-mfa/, saml-provider/, oidc-provider/, report/, access-report/.'),
    (document({**OK, "Sid": "a"}, {**OK, "Sid": "a"}), "Statement IDs (SID) in a single policy must be unique."),
    (identity(Sid="two words"), "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*"),
    (" " * (sizes.MAX_TEXT + 1), SYNTAX),
    ('{"a":' * 50_000 + "1" + "}" * 50_000, SYNTAX),
    ("[" * 100_000, SYNTAX),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), IDENTITY)
def test_faults_of_identity_policies(text: str, message: str) -> None:
    with pytest.raises(MalformedPolicy) as caught:
        parse(text, Kind.IDENTITY)
    assert str(caught.value) == message
    assert caught.value.kind == "identity"


T, P, G, Q = Kind.TRUST, Kind.REPOSITORY, Kind.REGISTRY, Kind.PUBLIC_REPOSITORY
ASSUME, ANY = "sts:AssumeRole", "*"
OTHERS: list[tuple[Kind, str, str]] = [
    (T, "{", "This policy contains invalid Json"),
    (T, "[]", SYNTAX),
    (T, document(allow(ASSUME, "*", principal=ANY)), "Has prohibited field Resource"),
    (T, document(allow(ASSUME, NotResource="*", principal=ANY)), "Has prohibited field NotResource"),
    (T, document(allow(ASSUME)), "Missing required field Principal"),
    (T, document(allow("ecr:PutImage", principal=ANY)), "AssumeRole policy may only specify STS AssumeRole actions."),
    (T, document(allow("*", principal=ANY)), "AssumeRole policy may only specify STS AssumeRole actions."),
    (T, document(allow(ASSUME, principal={"AWS": f"arn:aws:iam::{A}:user/*"})), f'Invalid principal in policy: "AWS":"arn:aws:iam::{A}:user/*"'),
    (T, document(allow(ASSUME, principal={"AWS": "AIDAUUUUUUUUUUUUUUUUU"})), 'Invalid principal in policy: "AWS":"AIDAUUUUUUUUUUUUUUUUU"'),
    (T, document(allow(ASSUME, principal={"AWS": "12345"})), 'Invalid principal in policy: "AWS":"12345"'),
    (T, document(allow(ASSUME, principal={"AWS": f"arn:aws:iam::{A}:group/g"})), f'Invalid principal in policy: "AWS":"arn:aws:iam::{A}:group/g"'),
    (T, document(allow(ASSUME, principal={"Service": "*"})), 'Invalid principal in policy: "SERVICE":"*"'),
    (T, document(allow(ASSUME, principal={"Federated": "token"})), 'Invalid principal in policy: "FEDERATED":"token"'),
    (T, document(allow(ASSUME, principal={"CanonicalUser": "x"})), "Invalid principal in policy"),
    (T, document(allow(ASSUME, principal={"aws": A})), "Invalid principal in policy"),
    (T, document(allow(ASSUME, principal={})), "Invalid principal in policy"),
    (T, document(allow(ASSUME, principal={"AWS": []})), "Invalid principal in policy"),
    (T, document(allow(ASSUME, principal="everyone")), "Invalid principal in policy"),
    (T, document(allow(ASSUME, principal=[A])), "Invalid principal in policy"),
    (T, document(allow(ASSUME, principal={"AWS": {"a": A}})), SYNTAX),
    (T, document(allow(ASSUME, principal=ANY, NotPrincipal=ANY)), SYNTAX),
    (P, document(allow("ecr:PutImage", R, principal=ANY)), "Has prohibited field Resource"),
    (P, document(allow("ecr:PutImage")), "Missing required field Principal"),
    (P, document(allow("s3:GetObject", principal=ANY)), "Vendor s3 is not valid"),
    (Q, document(allow("ecr:PutImage", principal=ANY)), "Vendor ecr is not valid"),
    (G, document(allow("ecr:ReplicateImage", principal={"AWS": A})), "Policy statement must contain resources."),
    (G, document(allow("ecr:ReplicateImage", "*", principal={"AWS": A}), version=None), "Policy document must be version 2012-10-17 or greater."),
    (G, document(allow("ecr:ReplicateImage", "*", principal={"AWS": A}), version="2008-10-17"), "Policy document must be version 2012-10-17 or greater."),
    (G, document(allow("ecr:ReplicateImage", "*")), "Missing required field Principal"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text", "message"), OTHERS)
def test_faults_of_policies_with_principals(kind: Kind, text: str, message: str) -> None:
    with pytest.raises(MalformedPolicy) as caught:
        parse(text, kind)
    assert str(caught.value) == message


GOOD: list[tuple[Kind, str]] = [
    (Kind.IDENTITY, document()),
    (Kind.IDENTITY, '{"Statement":{"Effect":"Deny","NotAction":["*"],"NotResource":["*"]}}'),
    (Kind.IDENTITY, document(OK, OK, version=None)),
    (Kind.IDENTITY, identity(Sid="", Action=["*", "*:*", "unknown-service:Any*?"])),
    (Kind.IDENTITY, identity(Resource=["arn:aws:ecr", "arn:*:ecr:*", f"arn:aws:iam::{A}:user/${{aws:username}}", "arn:aws:iam::*:*"])),
    (Kind.IDENTITY, identity(Resource="arn:aws:iam::${aws:PrincipalAccount}:role/x")),
    (Kind.IDENTITY, condition({})),
    (Kind.IDENTITY, condition({"StringEquals": {}, "Bool": {"aws:x": []}, "NumericLessThan": {"aws:y": [1, 2.5, -3]}})),
    (Kind.BOUNDARY, document(OK)),
    (Kind.SESSION, document(OK)),
    (Kind.SERVICE_CONTROL, document(OK)),
    (Kind.RESOURCE_CONTROL, document(deny("*", "*", principal="*"))),
    (T, document(allow("sts:AssumeRole*", principal={"AWS": [A, ROOT_A, U_ARN, R_ARN, S_ARN, "*"], "Service": "ecs-tasks.amazonaws.com"}))),
    (T, document(allow("sts:AssumeRoleWithWebIdentity", principal={"Federated": [OIDC, "accounts.google.com"]}))),
    (T, document(deny(ASSUME, NotPrincipal={"AWS": f"arn:aws:sts::{A}:federated-user/fred"}))),
    (P, document(allow("ecr:PutImage", principal=ANY, Sid="new statement"), allow("ecr:*", principal={"AWS": A}, Sid="new statement"), version="2008-10-17")),
    (P, document(allow("*", principal=ANY), version=None)),
    (P, document(allow("ecr:NotYetInvented", principal={"AWS": f"arn:aws-cn:iam::{A}:role/a/path/r"}))),
    (G, document(allow(["ecr:ReplicateImage", "ecr:CreateRepository"], "arn:aws:ecr:*:*:repository/*", principal={"AWS": ROOT_A}))),
    (Q, document(allow("ecr-public:PutImage", principal={"AWS": A}))),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text"), GOOD)
def test_what_is_legal(kind: Kind, text: str) -> None:
    policy = parse(text, kind)
    assert policy.text == text
    assert len(statement_spans(text)) == len(policy.statements)


def test_a_document_keeps_what_was_written() -> None:
    policy = parse(
        '{"Version":"2012-10-17","Id":"x","Statement":{"Sid":"a","Effect":"Deny","NotAction":"Ecr:*","Resource":["*"],'
        '"Condition":{"ForAllValues:NumericLessThanIfExists":{"AWS:X":[1.50,"2",true]}}}}',
        Kind.IDENTITY,
    )
    statement = policy.statements[0]
    assert (policy.id, statement.sid, statement.allows, statement.not_actions) == ("x", "a", False, True)
    assert statement.conditions == (Condition("NumericLessThan", "ForAllValues", True, "AWS:X", ("1.50", "2", "true")),)
    assert statement.conditions[0].name == "ForAllValues:NumericLessThanIfExists"


def test_accounts_are_the_same_however_they_are_written() -> None:
    policy = parse(document(allow("ecr:*", principal={"AWS": [A, ROOT_A]})), Kind.REPOSITORY)
    assert policy.statements[0].principals is not None
    assert policy.statements[0].principals.accounts == (A, A)


def test_statements_are_found_in_their_text() -> None:
    text = '{"Version":"2012-10-17","St\\u0061tement":[{"Effect":"Allow","Action":"ecr:*","Resource":"*"},\n  {"Effect":\n"Deny","Action":"a:{","Resource":"*"}]}'
    first, second = statement_spans(text)
    assert (first.start_line, first.start_column, first.end_line, first.end_column) == (1, 43, 1, 93)
    assert (second.start_line, second.start_column, second.end_line, second.end_column) == (2, 3, 3, 38)
    only = statement_spans('{"Id":"Statement","Statement":{"Effect":"Allow","Condition":{"Statement":{}}}}')
    assert [(span.start_column, span.end_column) for span in only] == [(31, 78)]


def test_names_are_replaced_in_principals_only() -> None:
    text = document(allow("ecr:*", principal={"AWS": [U_ARN, R_ARN]}, condition={"ArnEquals": {"aws:PrincipalArn": U_ARN}}))
    shown = json.loads(replace_principals(text, {U_ARN: U.unique_id}))
    assert shown["Statement"][0]["Principal"]["AWS"] == [U.unique_id, R_ARN]
    assert shown["Statement"][0]["Condition"] == {"ArnEquals": {"aws:PrincipalArn": U_ARN}}
    assert replace_principals(text, {}) == text


def test_white_space_counts_where_the_quota_counts_it() -> None:
    text = '{ "Statement" :\n\t[ ] }'
    assert sizes.counted_size(text, Kind.IDENTITY) == sizes.counted_size(text, Kind.TRUST) == len('{"Statement":[]}')
    assert sizes.counted_size(text, Kind.SESSION) == sizes.counted_size(text, Kind.REPOSITORY) == len(text)
    assert [sizes.size_limit(kind) for kind in (Kind.IDENTITY, Kind.TRUST, Kind.REPOSITORY)] == [6_144, 2_048, 10_240]
    assert all(sizes.size_limit(kind) for kind in Kind)


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.sampled_from(["*", "Allow", "ecr:*", "${x}", A])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.one_of(st.sampled_from(["Effect", "Action", "Resource", "Principal", "AWS", "Condition", "StringLike", "Null", "aws:x", "Sid"]), st.text(max_size=4)),
            inner,
            max_size=5,
        ),
    ),
    max_leaves=12,
)  # fmt: skip


def only_malformed(text: str) -> None:
    """Parse as each kind; what parses also compiles, decides and is explained."""
    for kind in Kind:
        try:
            policy = parse(text, kind)
        except MalformedPolicy:
            continue
        findings(policy)
        policies = PolicySet([compile_policy(policy, Source("p"))])
        for resource in (R, "*"):
            explain(decide(Request(U, "ecr:PutImage", resource, A, {}), Policies(identity=policies, resource=policies)))


@given(st.one_of(st.text(max_size=60), st.binary(max_size=60).map(lambda data: data.decode("latin-1"))))
@settings(max_examples=200, deadline=None)
def test_no_text_brings_another_error(text: str) -> None:
    only_malformed(text)


@given(VALUES)
@settings(max_examples=300, deadline=None)
def test_no_json_brings_another_error(value: Any) -> None:
    only_malformed(json.dumps(value))
    only_malformed(json.dumps({"Version": "2012-10-17", "Statement": value}))


@given(
    st.fixed_dictionaries(
        {"Effect": st.just("Allow"), "Action": VALUES, "Resource": VALUES},
        optional={"Condition": VALUES, "Principal": VALUES, "Sid": VALUES},
    )
)
@settings(max_examples=300, deadline=None)
def test_no_statement_brings_another_error(statement: dict[str, Any]) -> None:
    only_malformed(json.dumps({"Version": "2012-10-17", "Statement": [statement]}))


LONG = "a" * 2_000
HOSTILE = [
    repository_pattern + "b"
    for repository_pattern in ("*a" * 5_000, "*" * 10_000, "*a?" * 3_000, "a?" * 1_000 + "*", "*?" * 5_000, "*aaaa?aaaa" * 900, "?*" * 5_000)
]  # fmt: skip


@pytest.mark.parametrize("pattern", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_patterns_take_bounded_time(pattern: str) -> None:
    elements = {"Resource": f"arn:aws:ecr:*:*:repository/{pattern}", "Condition": {"StringLike": {"aws:UserAgent": pattern}}}
    policies = PolicySet([compile_policy(parse(identity(**elements), Kind.IDENTITY), Source("p"))])
    started = time.process_time()
    for resource in (f"arn:aws:ecr:us-east-1:{A}:repository/{LONG}", f"arn:aws:ecr:us-east-1:{A}:repository/{LONG}b"):
        decide(Request(U, "ecr:PutImage", resource, A, {"aws:useragent": "a" * 8_000 + "b"}), Policies(identity=policies))
    # Some milliseconds; a search that tries positions one by one takes minutes.
    assert time.process_time() - started < 2


def test_large_lists_take_bounded_time() -> None:
    started = time.process_time()
    text = document(allow([f"s{i}:A*b{i}" for i in range(1_200)], [f"arn:aws:ecr:*:*:r/{i}*x" for i in range(1_200)], condition={"StringLike": {"aws:x": [f"{i}*y" for i in range(1_200)]}}))  # fmt: skip
    policies = PolicySet([compile_policy(parse(text, Kind.IDENTITY), Source("p"))])
    explain(decide(Request(U, "ecr:PutImage", R, A, {"aws:x": "z"}), Policies(identity=policies)))
    many = document(*[allow("ecr:*", "*")] * 1_500)
    policies = PolicySet([compile_policy(parse(many, Kind.IDENTITY), Source("p"))])
    assert len(explain(decide(Request(U, "ecr:PutImage", R, A, {}), Policies(identity=policies))).matched) == 1_500
    assert time.process_time() - started < 5
