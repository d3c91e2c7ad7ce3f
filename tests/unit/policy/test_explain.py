"""Explanations: what decided, what was missing, what nearly applied."""

from __future__ import annotations

import json

from moorage.policy.document import Kind
from moorage.policy.evaluate import PolicyType
from moorage.policy.explain import Failure, context_keys, explain, to_dict, to_text
from moorage.policy.parse import parse
from moorage.policy.principals import Principal
from tests.unit.policy.builders import (
    PULL,
    RB,
    ROOT_A,
    U_ARN,
    A,
    R,
    U,
    V,
    allow,
    ask,
    boundary,
    deny,
    document,
    identity,
    on_repository,
    repository,
)

OFFICE = {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}


def test_the_statements_that_decided() -> None:
    told = explain(ask(U, PULL, identity=identity(allow("s3:*", "*"), {**allow("ecr:*", "*"), "Sid": "A"}, allow(PULL, R))))
    assert [(origin.index, origin.sid, origin.role) for origin in told.matched] == [
        (1, "A", PolicyType.IDENTITY),
        (2, None, PolicyType.IDENTITY),
    ]
    assert told.missing is None
    assert told.near == ()
    assert told.allowed_by_boundary is None
    assert to_text(told).splitlines() == [
        f"{U_ARN} may {PULL} on {R}",
        "  decided by statement 2 'A' of identity-based policy p (line 1)",
        "  decided by statement 3 of identity-based policy p (line 1)",
    ]


def test_statements_that_nearly_allowed_tell_what_failed() -> None:
    policies = identity(
        allow(PULL, repository("other")),
        allow("ecr:PutImage", R),
        allow(PULL, R, condition=OFFICE),
        allow(PULL, R, condition={"StringEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}}),
        allow("ecr:PutImage", "*"),
        allow("s3:*", "arn:aws:s3:::b"),
        deny(PULL, repository("other")),
    )
    told = explain(ask(U, PULL, identity=policies, keys={"aws:SourceIp": "192.0.2.1"}))
    assert told.missing is PolicyType.IDENTITY
    assert [(near.origin.index, near.failures) for near in told.near] == [
        (0, (Failure("Resource", (repository("other"),), (R,)),)),
        (1, (Failure("Action", ("ecr:PutImage",), (PULL,)),)),
        (2, (Failure("Condition", ("10.0.0.0/8",), ("192.0.2.1",), "IpAddress", "aws:SourceIp"),)),
        (3, (Failure("Condition", ("${aws:PrincipalTag/team}",), (), "StringEquals", "aws:ResourceTag/team"),)),
    ]
    assert told.missing_keys == ("aws:PrincipalTag/team", "aws:ResourceTag/team")
    text = to_text(told)
    assert "    IpAddress aws:SourceIp wants 10.0.0.0/8, got 192.0.2.1" in text.splitlines()
    assert "    StringEquals aws:ResourceTag/team wants ${aws:PrincipalTag/team}, got nothing" in text.splitlines()
    assert "  the request has no aws:PrincipalTag/team, aws:ResourceTag/team" in text.splitlines()


def test_resource_policies_tell_whom_they_name() -> None:
    granted = on_repository(allow(PULL, principal={"AWS": U_ARN}))
    for_other = ask(V, PULL, RB, identity=identity(allow("ecr:*", "*")), resource_policy=granted)
    assert [near.failures for near in explain(for_other).near] == [(Failure("Principal", (U_ARN,), (V.arn,)),)]
    negated = on_repository(allow(PULL, NotPrincipal={"AWS": ROOT_A}))
    service = ask(Principal.service("lambda.amazonaws.com"), PULL, resource_policy=negated)
    assert [near.failures for near in explain(service).near] == [(Failure("Principal", (A,), ("lambda.amazonaws.com",)),)]


def test_as_json() -> None:
    text = document(allow("ecr:*", "*"), deny(PULL, R))
    denied = ask(U, PULL, identity=identity(allow("ecr:*", "*"), deny(PULL, R)), boundary=boundary(allow("s3:*", "*")))
    told = to_dict(explain(denied))
    assert json.loads(json.dumps(told)) == {
        "principal": U_ARN,
        "action": PULL,
        "resource": R,
        "decision": "explicitDeny",
        "decidedBy": "identity-based policy",
        "reason": "with an explicit deny in an identity-based policy",
        "matched": [
            {
                "policy": "p",
                "policyType": "none",
                "role": "identity-based policy",
                "statement": 1,
                "sid": None,
                "start": {"line": 1, "column": text.index('{"Effect": "Deny"') + 1},
                "end": {"line": 1, "column": len(text) - 1},
            }
        ],
        "missing": None,
        "near": [],
        "missingContextKeys": [],
        "allowedByBoundary": False,
        "assumed": [],
    }
    implicit = to_dict(explain(ask(U, PULL, identity=identity(allow(PULL, R, condition=OFFICE)))))
    assert implicit["near"][0]["failures"] == [
        {"element": "Condition", "wanted": ["10.0.0.0/8"], "got": [], "operator": "IpAddress", "key": "aws:SourceIp"}
    ]


def test_roots_need_no_policy() -> None:
    told = explain(ask(Principal.root(A), PULL))
    assert told.matched == ()
    assert to_text(told).splitlines()[1] == "  no policy is needed for it"


def test_boundaries_are_told_apart() -> None:
    allows = explain(ask(U, PULL, identity=identity(allow("*", "*")), boundary=boundary(allow(PULL, "*"))))
    assert allows.allowed_by_boundary is True
    denies = explain(ask(U, PULL, boundary=boundary(allow("*", "*"), deny(PULL, "*"))))
    assert denies.allowed_by_boundary is False


def test_the_keys_that_policies_name() -> None:
    condition = {"StringLike": {"AWS:SourceVpc": "${aws:PrincipalTag/a, 'x'}"}}
    texts = [
        document(allow(PULL, repository("${aws:username}"), condition=condition)),
        document(allow(PULL, repository("${aws:ignored}"), condition={"Bool": {"aws:sourcevpc": "${aws:no}"}}), version=None),
    ]
    keys = context_keys(parse(text, Kind.IDENTITY) for text in texts)
    assert keys == ("AWS:SourceVpc", "aws:PrincipalTag/a", "aws:username")
