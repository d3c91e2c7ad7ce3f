"""docs/reference/operations.md: which operations of the AWS services are built."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

from botocore import xform_name

from moorage.server.app import aws_services
from moorage.testing.reference.markdown import code, document, table
from moorage.wire.aws.coverage import Coverage, coverage

TESTS = Path("tests") / "integration"
_FOLDERS = {"ecr": ("aws", "access"), "ecr-public": ("public",), "service-quotas": ("aws",)}
"""Where a service's tests stand, the first folder that has one counts; elsewhere the folder has the service's name."""
_PREFIXES = {"service-quotas": "servicequotas"}
"""Of actions, where it is not the service's name."""
_NAMED = 1000
"""More calls than any file has."""
_SHOWN = {"built": "built", "always refused": "refused", "not built yet": "not yet"}
_BORROWED = {
    ("ecr", "ListImageReferrers"): "ecr:BatchGetImage",
    ("sts", "GetCallerIdentity"): "",
    ("sts", "GetScopedCredentials"): "",
    ("sts", "GetSessionToken"): "",
}
"""Operations that need another action than that of their own name, or none."""


def covered() -> list[Coverage]:
    """Every operation of the modelled services."""
    # Handlers are registered without looking at what they will work with.
    return coverage(aws_services(*(cast(Any, None) for _ in range(5))))


def action_of(service: str, operation: str) -> str:
    """The IAM action that an operation needs; empty: every principal may call it."""
    return _BORROWED.get((service, operation), f"{_PREFIXES.get(service, service)}:{operation}")


def page(root: Path) -> str:
    """The page; tests are looked up below `root`."""
    found = covered()
    blocks = []
    for service in dict.fromkeys(entry.service for entry in found):
        callers: dict[str, Path] = {}
        for folder in reversed(_FOLDERS.get(service, (service,))):
            callers |= _callers(root, folder)
        entries = [entry for entry in found if entry.service == service]
        built = [entry for entry in entries if entry.state == "built"]
        stored = [entry for entry in entries if entry.state == "stored"]
        rows = [
            [
                code(entry.operation),
                _shown(entry),
                code(action_of(service, entry.operation)) or "none",
                _link(callers.get(_method(entry.operation))) if entry.state != "not built yet" else "",
            ]
            for entry in entries
        ]
        blocks += [
            f"## {service}",
            f"{len(built)} of {len(entries)} are built"
            + (f"; {len(stored)} more keep what they are given, which is not acted upon yet." if stored else "."),
            table(["operation", "", "IAM action", "test"], rows),
        ]
    return document(
        "Operations of the AWS API",
        "All operations that botocore's service models have. One that is not built yet is refused with "
        "`UnknownOperationException` (`InvalidAction` of `iam` and `sts`), and so is one that waits for an engine, but only "
        "after all that it was given has been checked and found; one marked refused is answered `AccessDenied`, whoever asks. "
        "One marked stored checks and keeps what it is given and shows it again, but the engine that is to act upon it is not "
        "built yet; the log of each start lists those engines. "
        "Making something with tags also takes the right to tag it.",
        *blocks,
    )


def _shown(entry: Coverage) -> str:
    if entry.state == "waits":
        return f"waits for the {entry.engine}"
    return f"stored, waits for the {entry.engine}" if entry.state == "stored" else _SHOWN[entry.state]


def _method(operation: str) -> str:
    """What boto3 calls an operation."""
    return str(xform_name(operation))


def _callers(root: Path, folder: str) -> dict[str, Path]:
    """By boto3's name: the test file of the folder that has a test of that name, else the one that calls the operation most."""
    counts: dict[str, dict[Path, int]] = {}
    for path in sorted((root / TESTS / folder).glob("test_*.py")):
        text = path.read_text("utf-8")
        for method in re.findall(r"\.([a-z][a-z_]+)\(", text):
            by_path = counts.setdefault(method, {})
            by_path[path] = by_path.get(path, _NAMED if f"def test_{method}" in text else 0) + 1
    return {method: max(by_path, key=lambda path: by_path[path]).relative_to(root) for method, by_path in counts.items()}


def _link(path: Path | None) -> str:
    return f"[{path.stem}](../../{path.as_posix()})" if path is not None else ""
