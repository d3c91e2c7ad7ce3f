"""One request to /v2/ on its way: what the handlers of all routes share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from msgspec import Struct

from moorage.keys.data_keys import DataKeys
from moorage.metadata.database import Database
from moorage.model.clock import Clock
from moorage.model.errors import NameInvalid
from moorage.model.names import RepositoryName, parse_repository_name
from moorage.model.principal import Caller
from moorage.model.scope import Scope
from moorage.model.usage import UsageCounts
from moorage.transfer.payload_cache import PayloadCache
from moorage.transfer.pull_buffer import PullBuffer
from moorage.transfer.pushing import pushing
from moorage.transfer.receive import Receiver
from moorage.transfer.send import Sender
from moorage.transfer.work import Pools
from moorage.wire.http import ASKED, Asked, Header, Request, Send
from moorage.wire.oci.access import Access
from moorage.wire.oci.actions import request_key
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
    pulls: PullBuffer
    remembered: RememberedPulls
    pools: Pools
    quirks: Quirks
    clock: Clock
    bearer_challenge: bool
    usage: UsageCounts

    def count(self, request: Request, caller: Caller, region: str, route: Route) -> None:
        """Count a request whose caller is known, at a registry of `region` (empty: a public one)."""
        key = request_key(caller.account_id, region, route, request.method)
        operation = key[2] if key is not None else f"{request.method} {route.kind}"
        request.scope[ASKED] = Asked(caller.arn, caller.account_id, operation)
        if key is not None:
            request.counted_as, request.ticket = key, caller.ticket
            self.usage.count(key)


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
        """The outcome of a push by this request; see `transfer.pushing`."""
        services = self.services
        return await pushing(services.db, services.keys, self.caller, self.scope, self.name, push)

    def location(self, rest: str) -> Header:
        """A Location below the repository, relative, so that it holds behind any proxy and under any host name."""
        return b"location", f"/v2/{self.prefix}{self.route.name}/{rest}".encode()
