"""Handlers and the model operations they are registered for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from moorage.auth.credentials import Credential
from moorage.auth.signature_errors import FaultKind, refuse
from moorage.events.event import Event
from moorage.model.rates import Ticket
from moorage.wire.aws.models import ModelMissing, service_plan
from moorage.wire.aws.wording import Errors

Output = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """An authenticated, parsed and checked request, as a handler gets it.

    Args:
        service: botocore's name of the service; `operation` is the model's name of the operation.
        params: by the names of the input shape; blobs are bytes or bytearray, timestamps seconds since the epoch.
        credential: whose key signed it; None only for operations that anybody may call (``sts:AssumeRoleWithWebIdentity``).
        region: the region of the credential scope.
        request_id: goes out as ``x-amzn-RequestId``, and into the log.
        scheme: ``http`` or ``https``, as the client used it; `host` likewise, with its port.
        source_ip: the client's address, empty where the server does not know it.
        ticket: the request's claim to be within its rate; None: it has no rate.
        event: the event of the request.
    """

    service: str
    operation: str
    params: dict[str, Any]
    credential: Credential | None
    region: str
    request_id: str
    scheme: str
    host: str
    source_ip: str
    user_agent: str
    ticket: Ticket | None = None
    event: Event | None = None

    def __getitem__(self, member: str) -> Any:
        return self.params[member]

    def get(self, member: str, default: Any = None) -> Any:
        """The value of an optional member."""
        return self.params.get(member, default)

    @property
    def signer(self) -> Credential:
        """The credential of an operation that has to be signed."""
        if self.credential is None:
            raise refuse(FaultKind.NO_TOKEN)
        return self.credential


Handler = Callable[[Call], Awaitable[Output]]


class Service:
    """A service of the model, how it words errors, and the handlers of those of its operations that are built."""

    def __init__(self, name: str, errors: Errors) -> None:
        self.plan, self.errors = service_plan(name), errors
        self.handlers: dict[str, Handler] = {}
        self.refused: set[str] = set()
        """Those of them that answer nothing but a refusal, whoever asks."""
        self.waits: dict[str, str] = {}
        """Those of them that do everything but their work, and the engine that will do it."""

    def refusal(self, name: str) -> Callable[[Handler], Handler]:
        """`operation` for one that is refused whoever asks, in the words of the service."""
        self.refused.add(name)
        return self.operation(name)

    def waiting(self, name: str, engine: str) -> Callable[[Handler], Handler]:
        """`operation` for one that checks all that it is given and then says that `engine` is not there yet."""
        self.waits[name] = engine
        return self.operation(name)

    def operation(self, name: str) -> Callable[[Handler], Handler]:
        """Register the decorated coroutine function as the handler of operation `name`.

        Raises:
            ModelMissing: the model has no such operation, or it has a handler already.
        """
        if name not in self.plan.operations:
            raise ModelMissing(f"{self.plan.name} has no operation {name}")
        if name in self.handlers:
            raise ModelMissing(f"{self.plan.name}:{name} has a handler already")

        def register(handler: Handler) -> Handler:
            self.handlers[name] = handler
            return handler

        return register
