"""What can be configured and is not acted upon yet, because the engine behind it is not built.

The one list of it: the reference of operations, the log of a start and the answers of the API go by it. Whoever builds an engine
removes its line.
"""

from __future__ import annotations

from msgspec import Struct

REPLICATION = "replication"
NOT_AVAILABLE = "EngineNotAvailable"
"""The failure code of what waits for an engine: a status that never ends would have clients wait for ever."""


class Engine(Struct, frozen=True):
    """An engine that is not here. `stored`: what is kept for it; `operations`: those that keep it, by service."""

    name: str
    stored: str
    operations: frozenset[tuple[str, str]]


def _ecr(*names: str) -> frozenset[tuple[str, str]]:
    return frozenset(("ecr", name) for name in names)


ABSENT = (
    Engine("lifecycle runs", "lifecycle policies", _ecr("PutLifecyclePolicy")),
    Engine(
        "image scanning engine",
        "scan-on-push settings and scanning configurations",
        _ecr("PutImageScanningConfiguration", "PutRegistryScanningConfiguration"),
    ),
    Engine(REPLICATION, "replication rules", _ecr("PutReplicationConfiguration", "StartReplicationBackfill")),
    Engine(
        "pull-through cache",
        "pull-through cache rules",
        _ecr("CreatePullThroughCacheRule", "UpdatePullThroughCacheRule"),
    ),
    Engine("signing engine", "signing configurations", _ecr("PutSigningConfiguration")),
    Engine(
        "public gallery",
        "catalog data",
        frozenset((("ecr-public", "PutRepositoryCatalogData"), ("ecr-public", "PutRegistryCatalogData"))),
    ),
    Engine(
        "console",
        "passwords and how long sign-ins last",
        frozenset((("iam", "CreateLoginProfile"), ("iam", "UpdateLoginProfile"))),
    ),
    Engine("SAML federation", "SAML providers", frozenset((("iam", "CreateSAMLProvider"), ("iam", "UpdateSAMLProvider")))),
)


def is_absent(name: str) -> bool:
    """Whether an engine is not built yet."""
    return any(engine.name == name for engine in ABSENT)


def waited_for(service: str, operation: str) -> str | None:
    """The engine for which an operation only keeps what it is given; None: it is acted upon."""
    return next((engine.name for engine in ABSENT if (service, operation) in engine.operations), None)


def notice() -> str:
    """What the log of a start says; empty where all engines are there."""
    return ", ".join(engine.stored for engine in ABSENT)
