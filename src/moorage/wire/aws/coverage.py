"""Which of the modelled operations this version has."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from moorage.wire.aws.service import Service


@dataclass(frozen=True, slots=True)
class Coverage:
    """One modelled operation and whether it has a handler."""

    service: str
    operation: str
    state: Literal["built", "always refused", "not built yet"]


def coverage(services: Iterable[Service]) -> list[Coverage]:
    """Every modelled operation of `services`, by service and name."""
    return [
        Coverage(service.plan.name, name, _state(service, name))
        for service in sorted(services, key=lambda service: service.plan.name)
        for name in sorted(service.plan.operations)
    ]


def _state(service: Service, name: str) -> Literal["built", "always refused", "not built yet"]:
    if name in service.refused:
        return "always refused"
    return "built" if name in service.handlers else "not built yet"
