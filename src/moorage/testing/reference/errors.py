"""docs/reference/errors.md: the domain's errors and how each wire names them, asked of the wires' own tables."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from moorage.auth.signature_errors import FaultKind
from moorage.model import identity_errors, registry_errors
from moorage.model.errors import DomainError
from moorage.testing.error_tables import to_aws_error
from moorage.testing.reference.markdown import code, document, sentence, table
from moorage.wire.aws import faults
from moorage.wire.aws.errors import internal_error
from moorage.wire.aws.models import service_plan
from moorage.wire.aws.services.ecr.errors import ECR
from moorage.wire.aws.services.iam.errors import IAM
from moorage.wire.aws.signature_words import CODES
from moorage.wire.oci.errors import describe

_SAMPLES = {"str": "x", "int": 1, "str | None": None, "Sequence[str]": ("x",)}
_V2 = [
    ("400", "UNSUPPORTED", "the request cannot be read: a bad header, a body shorter or longer than announced"),
    ("404", "", "the path, or the host, addresses nothing (plain text)"),
    ("405", "UNSUPPORTED", "the path does not have this method"),
    ("413", "MANIFEST_INVALID", "a manifest above 4 MiB"),
    ("503", "UNKNOWN", "database or blob store do not answer: `Retry-After` says when to try again"),
    ("500", "UNKNOWN", "anything else: the log has it"),
]


def domain_errors() -> Iterator[type[DomainError]]:
    """The classes that are raised, each after the one above it."""
    yield from _below(DomainError)


def _below(above: type[DomainError]) -> Iterator[type[DomainError]]:
    for kind in above.__subclasses__():
        if not kind.__name__.startswith("_") and kind.__module__ == DomainError.__module__:
            yield kind
        yield from _below(kind)


def sample(kind: type[DomainError]) -> DomainError:
    """An error of that class with facts of no meaning."""
    parameters = list(inspect.signature(kind.__init__).parameters.values())[1:]
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
        return kind("x")
    return kind(*(_SAMPLES[str(parameter.annotation)] for parameter in parameters))


def _aws(error: Exception, service: str) -> str:
    """Code and status of an error for all operations of a service."""
    plan = service_plan(service)
    told = [to_aws_error(error, plan, operation) for operation in plan.operations.values()]
    return " or ".join(sorted({f"{code(each.code)} {each.status}" for each in told if each is not None}))


def page() -> str:
    """The page."""
    rows, seen = [], set()
    for kind in domain_errors():
        if kind in seen:
            continue
        seen.add(kind)
        error = sample(kind)
        if kind.__subclasses__() and not _aws(error, "ecr"):
            continue  # it only stands above others
        told = describe(error)
        rows.append([kind.__name__, sentence(kind.__doc__), f"{told.status} {code(told.code)}", _aws(error, "ecr")])
    return document(
        "Errors",
        "A use case raises an error of the domain; each wire has its own words for it.",
        "## Of the domain",
        "An empty cell: no operation of `ecr` raises it. Errors of values have the code of the operation's own family.",
        table(["error", "when", "`/v2/`", "`ecr`"], rows),
        "## Of settings",
        "Errors about what a registry and its repositories are set to.",
        table(["error", "when", "`ecr`"], list(_settings())),
        "## Of identities",
        "Those of `iam` beside the above. What is in the text depends on the entity: a user, a role, a policy.",
        table(["error", "when", "`iam`"], list(_identities())),
        "## Of `/v2/` itself",
        table(["status", "code", "when"], [[status, code(name), when] for status, name, when in _V2]),
        "A missing or invalid token is answered 401 with a challenge. With [`--ecr-quirks`](quirks.md) some are other.",
        "## Of the AWS API itself",
        table(["when", "`ecr`", "`sts`"], [*_faults(), *_signatures()]),
    )


def _settings() -> Iterator[list[str]]:
    for kind in (each for each in ECR if each.__module__ == registry_errors.__name__):
        yield [kind.__name__, sentence(kind.__doc__), _aws(sample(kind), "ecr")]


def _identities() -> Iterator[list[str]]:
    for kind, wording in IAM.items():
        if kind.__module__ == identity_errors.__name__:
            error = sample(kind)
            if "kind" in vars(error):
                error = kind("role", "x")  # they are worded by kind of entity
            told = to_aws_error(error, service_plan("iam"), None)
            assert told is not None, wording
            yield [kind.__name__, sentence(kind.__doc__), f"{code(told.code)} {told.status}"]


def _faults() -> Iterator[list[str]]:
    for kind in faults.WireFault.__subclasses__():
        if kind is not faults.ConstraintFault:
            yield [sentence(kind.__doc__), _aws(kind("x"), "ecr"), _aws(kind("x"), "sts")]
    yield ["Anything that nobody planned for: the log has it under the request id.", *map(_internal, ("ecr", "sts"))]


def _internal(service: str) -> str:
    error = internal_error(service_plan(service))
    return f"{code(error.code)} {error.status}"


def _signatures() -> Iterator[list[str]]:
    """One row for each pair of codes, with the faults of signatures that they stand for."""
    kinds: dict[tuple[str, str, int], list[FaultKind]] = {}
    for kind in FaultKind:
        kinds.setdefault(CODES[kind], []).append(kind)
    for (json_code, query_code, status), members in kinds.items():
        words = ", ".join(kind.name.lower().replace("_", " ") for kind in members)
        yield [f"The signature is refused: {words}.", f"{code(json_code)} 400", f"{code(query_code)} {status}"]
