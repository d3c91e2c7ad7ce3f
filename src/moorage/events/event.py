"""What one request does, noted while it is done: who asks, for what, what was decided on which resources, what was pulled.

The wire makes an event as soon as it knows who asks; the caller carries it, so that whatever is decided in the request's name is
noted. Nothing is counted meanwhile: a use case may run twice, ask twice or be given up. When the request has ended, the server
passes the event, with times and sizes, through the door (`events.door`), once.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from msgspec import Struct

from moorage.model.rates import RequestKey

EVENT = "moorage.event"
"""Key of the ASGI scope under which the wire puts the event of a request."""


class Asked(NamedTuple):
    """Who asked for what, as far as it is known."""

    principal: str
    """ARN; empty for nobody in particular."""
    account: str
    operation: str
    """As which operation it counts (``ecr:BatchGetImage``), else its route."""


NOBODY = Asked("", "", "")
"""Of requests of which nothing is known."""


class Passed(Struct, frozen=True, gc=False):
    """How often an event passed the door, and when it did last (microseconds since the epoch)."""

    count: int
    last_at: int


class Sink(Protocol):
    """Who reads events that have passed."""

    def add(self, event: Event, passed: Passed, /) -> None:
        """Take note. Called on the event loop: it is quick and does not raise."""


class Event:
    """One request's event; that of an answer that is given again and again is shared by all who are given it, and complete.

    Attributes:
        asked: who asked for what.
        principal_id: the unique id of the principal, empty for nobody in particular.
        key_id: the long-term key that was used; empty for temporary credentials.
        counted_as: whose request it counts as; None: nobody's.
        allowed: (action, resource) that were allowed, each with the region.
        denied: (action, resource) that were denied, each with the reason.
        manifests: ids of the images whose manifests were pulled.
        is_throttled: it was refused for its rate.
    """

    __slots__ = (
        "allowed",
        "asked",
        "counted_as",
        "denied",
        "is_throttled",
        "key_id",
        "manifests",
        "principal_id",
        "sinks",
    )

    def __init__(
        self,
        asked: Asked,
        principal_id: str = "",
        key_id: str = "",
        counted_as: RequestKey | None = None,
        sinks: tuple[Sink, ...] = (),
    ) -> None:
        self.asked = asked
        self.principal_id, self.key_id = principal_id, key_id
        self.counted_as = counted_as
        self.sinks = sinks
        self.allowed: dict[tuple[str, str], str] = {}
        self.denied: dict[tuple[str, str], str] = {}
        self.manifests: list[int] = []
        self.is_throttled = False

    def allow(self, action: str, resource: str, region: str) -> None:
        """Note that an action was allowed: once, however often it is asked for."""
        self.allowed[action, resource] = region

    def deny(self, action: str, resource: str, reason: str) -> None:
        """Note that an action was denied, and why."""
        self.denied[action, resource] = reason
