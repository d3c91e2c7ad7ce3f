"""One request to /v2/ on its way: what the handlers of all routes share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from msgspec import Struct

from moorage.keys.data_keys import DataKeys
from moorage.metadata.database import Database
from moorage.model.clock import Clock
from moorage.model.errors import NameInvalid
from moorage.model.names import RepositoryName, parse_repository_name
from moorage.model.principal import Caller
from moorage.model.scope import Scope
from moorage.operations.images.pull import Pulled
from moorage.transfer.create_on_push import pushing
from moorage.transfer.payload_cache import PayloadCache
from moorage.transfer.receive import Receiver
from moorage.transfer.send import Sender
from moorage.transfer.work import Pools
from moorage.wire.http import Header, Request, Send
from moorage.wire.oci.access import Access
from moorage.wire.oci.quirks import Quirks
from moorage.wire.oci.remembered_pulls import RememberedPulls
from moorage.wire.oci.router import Route

T = TypeVar("T")
VERSION: Header = (b"docker-distribution-api-version", b"registry/2.0")


@dataclass(frozen=True, slots=True)
class Services:
    """What the handlers work with; made once by the composition root."""

    db: Database
    keys: DataKeys
    access: Access
    receiver: Receiver
    sender: Sender
    payloads: PayloadCache
    remembered: RememberedPulls
    pools: Pools
    quirks: Quirks
    clock: Clock
    bearer_challenge: bool


class Found(NamedTuple):
    """What was found out about a pull that could not be answered at once: it is not asked for again."""

    route: Route
    caller: Caller
    pulled: Pulled


FOUND = "moorage.found"
"""Key of the ASGI scope."""


class Exchange(Struct, frozen=True):
    """An authenticated request, its route and where its answer goes."""

    services: Services
    request: Request
    send: Send
    route: Route
    scope: Scope
    caller: Caller
    prefix: str = ""
    """What stands before the repository's name in paths: of a public one its registry's alias, with a slash."""
    found: Found | None = None

    @property
    def name(self) -> RepositoryName:
        """The repository's name. Raises NameInvalid."""
        return parse_repository_name(self.route.name)

    def local(self, path: str) -> str:
        """A repository's path as its registry knows it. Raises NameInvalid for one of another registry."""
        if not path.startswith(self.prefix):
            raise NameInvalid(path[:100], "not a repository of this registry")
        return path[len(self.prefix) :]

    @property
    def is_head(self) -> bool:
        """True if the answer has no body."""
        return self.request.method == "HEAD"

    async def pushed(self, push: Callable[[], Awaitable[T]]) -> T:
        """The outcome of a push by this request; see `transfer.create_on_push`."""
        services = self.services
        return await pushing(services.db, services.keys, self.caller, self.scope, self.name, push)

    def location(self, rest: str) -> Header:
        """A Location below the repository, relative, so that it holds behind any proxy and under any host name."""
        return b"location", f"/v2/{self.prefix}{self.route.name}/{rest}".encode()
