"""``python -m bench.policy``: what a decision costs. The figures stand in docs/decisions/0007-policy-engine.md."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from typing import Any

from moorage.policy.compile import PolicySet, Source, compile_policy
from moorage.policy.context import RequestContext, tags
from moorage.policy.document import Kind
from moorage.policy.evaluate import Policies, Request, decide
from moorage.policy.parse import parse
from moorage.policy.principals import Principal

ACCOUNT, STATEMENTS, ROUNDS = "111111111111", 50, 200
USER = Principal.user(f"arn:aws:iam::{ACCOUNT}:user/u", "AIDAUUUUUUUUUUUUUUUUU")


def _repository(name: str) -> str:
    return f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/{name}"


def document() -> str:
    """Statements of the kinds that teams write, all about pulls; the last one allows, by tags."""
    statements: list[dict[str, Any]] = []
    for number in range(STATEMENTS - 1):
        statement: dict[str, Any] = {
            "Effect": "Deny" if number % 5 == 0 else "Allow",
            "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:Describe*"],
            "Resource": [_repository(f"team{number}/*"), _repository(f"*/shared{number}")],
        }
        if number % 4 == 0:
            statement["Condition"] = {"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "192.168.0.0/16"]}}
        statements.append(statement)
    by_tag = {"StringEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}, "Bool": {"aws:SecureTransport": "true"}}
    statements.append({"Effect": "Allow", "Action": "ecr:*", "Resource": "*", "Condition": by_tag})
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def _request(name: str) -> Request:
    team = tags({"team": "a"})
    values = {"aws:securetransport": "true", "aws:sourceip": "10.1.2.3"}
    context = RequestContext(USER, values, {"aws:resourcetag/": team, "aws:principaltag/": team})
    return Request(USER, "ecr:BatchGetImage", _repository(name), ACCOUNT, context)


def _microseconds(run: Callable[[], object], times: int) -> float:
    started = time.perf_counter()
    for _ in range(times):
        run()
    return (time.perf_counter() - started) / times * 1e6


def main() -> None:
    """Print the medians."""
    text = document()

    def compiled() -> Policies:
        return Policies(identity=PolicySet([compile_policy(parse(text, Kind.IDENTITY), Source("p"))]))

    policies = compiled()
    names = [f"app{number}" for number in range(100)]
    figures = {
        "parse and compile": [_microseconds(compiled, 1) for _ in range(ROUNDS)],
        "first decision": [],
        "decision on another repository": [],
        "decision asked before": [_microseconds(lambda: decide(_request("app0"), policies), 100) for _ in range(ROUNDS)],
    }
    for _ in range(ROUNDS):
        fresh = compiled()
        figures["first decision"].append(_microseconds(lambda fresh=fresh: decide(_request("app"), fresh), 1))  # type: ignore[misc]
        others = iter(names)
        figures["decision on another repository"].append(
            _microseconds(lambda others=others, fresh=fresh: decide(_request(next(others)), fresh), len(names))  # type: ignore[misc]
        )
    print(f"{STATEMENTS} statements, {len(text)} characters")
    for what, measured in figures.items():
        print(f"{what}: {statistics.median(measured):.1f} µs, at best {min(measured):.1f} µs")


if __name__ == "__main__":
    main()
