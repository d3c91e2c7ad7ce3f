"""Which of the modelled operations this version has."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from moorage.model.engines import waited_for
from moorage.wire.aws.service import Service

State = Literal["built", "stored", "always refused", "waits", "not built yet"]


@dataclass(frozen=True, slots=True)
class Coverage:
    """One modelled operation and whether it has a handler. `engine`: what it waits for, or keeps its input for, if it does."""

    service: str
    operation: str
    state: State
    engine: str | None = None


def coverage(services: Iterable[Service]) -> list[Coverage]:
    """Every modelled operation of `services`, by service and name."""
    return [
        Coverage(service.plan.name, name, _state(service, name), service.waits.get(name) or waited_for(service.plan.name, name))
        for service in sorted(services, key=lambda service: service.plan.name)
        for name in sorted(service.plan.operations)
    ]


def _state(service: Service, name: str) -> State:
    if name in service.refused:
        return "always refused"
    if name in service.waits:
        return "waits"
    if name in service.handlers and waited_for(service.plan.name, name) is not None:
        return "stored"
    return "built" if name in service.handlers else "not built yet"
