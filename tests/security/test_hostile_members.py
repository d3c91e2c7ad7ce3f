"""Every member of every operation gets values that no client sends: each is answered as the model says, and what is refused
changes nothing."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel

from moorage.testing.reference.operations import covered
from moorage.testing.server import MoorageServer
from tests.conftest import Pool
from tests.security.fuzzing.targets import TARGETS, Target
from tests.security.fuzzing.values import Fate, Hostile, requests
from tests.security.fuzzing.wire import Answer

COMMON = {
    "json": {
        "AccessDeniedException",
        "SerializationException",
        "ThrottlingException",
        "RequestEntityTooLargeException",
    },
    "query": {"AccessDenied", "Throttling", "ValidationError"},
}
"""What every operation may answer, though no model lists it. A fault of the server is not among them."""
CASES = {
    ("ecr", "sqlite+local", 0): (1.0, 6000),
    ("ecr", "sqlite+local", 1): (1.0, 6000),
    ("ecr", "postgres+s3", 0): (0.5, 3000),
    ("ecr", "postgres+s3", 1): (0.5, 3000),
    ("ecr-public", "sqlite+local", 0): (1.0, 4000),
    ("service-quotas", "sqlite+local", 0): (1.0, 1000),
    ("organizations", "sqlite+local", 0): (1.0, 500),
    ("iam", "sqlite+local", 0): (0.35, 3000),
    ("iam", "sqlite+local", 1): (0.35, 3000),
    ("sts", "sqlite+local", 0): (0.7, 500),
}
"""By service, stack and share of its operations: which part of all hostile requests is sent, and how many those are at the very
least."""
SHARES = {service: 1 + max(share for name, _, share in CASES if name == service) for service, _, _ in CASES}
BUILT = {(entry.service, entry.operation) for entry in covered() if entry.state == "built"}
PATIENCE = 3
"""Rounds in which requests that were refused once may turn out to be good ones, because the state has changed."""


def test_there_are_enough_requests() -> None:
    assert sum(least for _, least in CASES.values()) >= 20_000
    assert {service for service, _, _ in CASES} == set(TARGETS)


@pytest.fixture
def server(pool: Pool, case: tuple[str, str, int]) -> Iterator[MoorageServer]:
    """A server that only these tests ask: they leave much behind."""
    stack = case[1]
    shared: MoorageServer = pool.get(f"fuzzed {stack}", lambda: pool.new_server(stack))
    since = shared.log_size()
    yield shared
    shared.require_clean_log(since)


@pytest.fixture(params=CASES, ids=lambda case: "-".join(map(str, case)))
def case(request: pytest.FixtureRequest) -> tuple[str, str, int]:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def target(server: MoorageServer, case: tuple[str, str, int]) -> Iterator[Target]:
    service = case[0]
    model = ServiceModel(Loader().load_service_model(service, "service-2"), service)
    key = server.root if service == "organizations" else server.create_account("fuzzed")
    made = TARGETS[service](server, model, key)
    yield made
    made.wire.close()


def judge(model: ServiceModel, operation: OperationModel, sent: Hostile, answer: Answer) -> str | None:
    """What is wrong with an answer; None: nothing."""
    codes = {shape.metadata.get("error", {}).get("code", shape.name) for shape in operation.error_shapes}
    is_json = model.metadata["protocol"] == "json"
    if answer.is_ok:
        return None if sent.fate is Fate.OPEN else f"accepted, though {sent.fate.value}"
    if not 400 <= answer.status < 500:
        return "a fault of the server"
    family = "InvalidParameterException" if "InvalidParameterException" in codes else "ValidationException"
    if is_json and sent.fate is Fate.MISTYPED:
        allowed = {"SerializationException"}
    elif sent.fate is Fate.REFUSED:
        allowed = {family if is_json else "ValidationError"}
    else:
        unlisted = UNLISTED.get((model.service_name, operation.name), set())
        allowed = codes | COMMON["json" if is_json else "query"] | ({family} if is_json else unlisted)
    if sent.fate is Fate.OPEN and answer.code in {"UnknownOperationException", "InvalidAction"} and NOT_BUILT.search(answer.body):
        return None
    return None if answer.code in allowed else f"not one of {sorted(allowed)}"


def sayable(sent: Hostile) -> Hostile:
    """A request as the query protocol can say it: all values are texts there, and what is null or empty is not there."""
    is_said = sent.fate is Fate.REFUSED and not any(_has_gaps(value) for value in sent.params.values())
    return sent if is_said else Hostile(sent.params, Fate.OPEN, sent.where)


def _has_gaps(value: Any) -> bool:
    """Whether a value holds another that makes no field."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return value == {} or any(item is None or _has_gaps(item) for item in inner)


UNLISTED = {("iam", "GetAccessKeyLastUsed"): {"NoSuchEntity"}}
"""What the model of an operation has forgotten."""
NOT_BUILT = re.compile(rb"not available in this version of (?:Moorage|the server)")
"""The honest refusal of what waits for an engine."""


def test_hostile_members(case: tuple[str, str, int], target: Target) -> None:
    service, _, share = case
    part, least = CASES[case]
    names = [name for name in target.model.operation_names if (service, name) in BUILT]
    sent, wrong = 0, []
    for name in names[share :: SHARES[service]]:
        operation = target.model.operation_model(name)
        known = target.prepare()
        source = random.Random(f"{service} {name}")
        asked = list(requests(operation.input_shape, known, source, mixed=30)) if operation.input_shape else []
        asked = source.sample(asked, int(len(asked) * part))
        if target.model.metadata["protocol"] == "query":
            asked = [sayable(each) for each in asked]

        def ask(each: Hostile, name: str = name) -> Answer:
            return target.wire.call(name, each.params)

        answers = target.wire.each(ask, asked)
        sent += len(asked)
        for each, answer in zip(asked, answers, strict=True):
            fault = judge(target.model, operation, each, answer)
            if fault is not None:
                wrong.append(f"{name} {each.where}: {answer.status} {answer.code}: {fault}: {answer.body[:200]!r}")
        refused = [each for each, answer in zip(asked, answers, strict=True) if not answer.is_ok]
        for _ in range(PATIENCE):
            before = target.snapshot()
            again = target.wire.each(ask, refused)
            after = target.snapshot()
            sent += len(refused)
            if not any(answer.is_ok for answer in again):
                changed = [pair for pair in zip(before, after, strict=False) if pair[0] != pair[1]]
                assert before == after, f"{name}: what was refused has changed {changed[:3]}"
                break
            refused = [each for each, answer in zip(refused, again, strict=True) if not answer.is_ok]
        else:
            wrong.append(f"{name}: refused requests are accepted later, again and again")
    assert not wrong, f"{len(wrong)} of {sent}:\n" + "\n".join(wrong[:60])
    assert sent >= least, sent
