"""The way into public registries: ``/v2/<alias>/<repository>/...`` for everybody, by Bearer tokens that everybody is given.

Behind it stand the same routes as for private registries. What is particular: who needs no login, and that neither an unknown
alias nor a known one tells more than that there is no such repository, in the alias's own name. Source: ECR Public's data plane.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from moorage.auth.anonymous import LOGIN_NEEDED
from moorage.model.errors import DomainError, NotAuthenticated, NotBuilt, RateExceeded, RepositoryNotFound
from moorage.model.principal import Caller
from moorage.model.scope import Scope
from moorage.operations.public import registries as public_registries
from moorage.operations.registry import registries
from moorage.transfer.anonymous_transfers import AnonymousTransfers
from moorage.transfer.pull_rate import PullRate
from moorage.wire.http import Header, Request, Response, Send
from moorage.wire.oci.access import public_challenge
from moorage.wire.oci.app import OciApp, nothing_there
from moorage.wire.oci.errors import JSON, describe
from moorage.wire.oci.exchange import VERSION, Exchange, Services
from moorage.wire.oci.router import Route, parse_route

_NO_REGISTRY = Scope.public("")
"""Of nobody: everything that is looked up there is not found, in the same words and by the same steps as elsewhere."""
_READS = frozenset((kind, method) for kind in ("manifest", "blob", "tags", "referrers") for method in ("GET", "HEAD"))
"""What needs no login."""
_BYTES = frozenset(("manifest", "blob"))
"""What is pulled: the only kinds of route that are limited."""


class PublicEntry(Struct, frozen=True):
    """By which host and path a request came.

    `host` is the name of the public registries, as the challenge tells it. `below` is empty where the host is theirs alone; else
    it is the first part of the path, with its slash, and the host's other paths are a private registry's.
    """

    host: str
    below: str = ""


class PublicApp:
    """The ASGI application of the public registries: everything below /v2, and /token/."""

    def __init__(self, services: Services, app: OciApp, rate: PullRate, transfers: AnonymousTransfers | None = None) -> None:
        self._services, self._app, self._rate, self._transfers = services, app, rate, transfers

    async def __call__(self, request: Request, send: Send, entry: PublicEntry, origin: str) -> None:
        """Answer one request.

        Args:
            origin: scheme and host as the client used them, for the challenge.
        """
        alias = ""
        try:
            route = parse_route(f"/v2/{request.path[4 + len(entry.below) :]}" if entry.below else request.path)
            if route is None:
                await nothing_there(send)
                return
            alias, _, name = route.name.partition("/")
            caller = self._services.access.public_caller(request, route, beside_private=bool(entry.below))
            if route.kind == "base":
                await self._log_in(request, send, caller)
                return
            if route.kind == "catalog":
                raise NotBuilt("The operation is unsupported.")
            if caller.is_anonymous and request.method == "GET" and route.kind in _BYTES:
                send = await self._limited(route, request, send, caller)
            if not name:
                raise RepositoryNotFound(alias, name)
            scope = await self._scope(alias)
            if caller.is_anonymous and (route.kind, request.method) not in _READS:
                caller = self._known(request, scope, route)
            within = Route(route.kind, name, route.reference)
            await self._app.answer(Exchange(self._services, request, send, within, scope, caller, f"{entry.below}{alias}/"))
        except Exception as error:  # the last line of defence: an answer instead of a traceback
            _tell_by_alias(error, alias)
            if isinstance(error, RateExceeded) and entry.below and b"authorization" not in request.headers:
                await _ask_for_login(error, request, send, _challenge(request, entry, origin, error))
                return
            await self._app.fail(error, request, send, _challenge(request, entry, origin, error))

    async def _limited(self, route: Route, request: Request, send: Send, caller: Caller) -> Send:
        """Where the answer to somebody without a login goes: it is counted. Raises RateExceeded, DataLimitExceeded."""
        if route.kind == "manifest":
            await self._rate.take(caller.source_ip)
        if self._transfers is None:
            return send
        await self._transfers.check(caller.source_ip)
        return self._transfers.counting(send, request.scope, caller.source_ip)

    def _known(self, request: Request, scope: Scope, route: Route) -> Caller:
        """Who does what takes a login, and has none. Raises NotAuthenticated, wherever authentication is on."""
        stand_in = self._services.access.stand_in(request, scope, route)
        if stand_in is None:
            raise NotAuthenticated(LOGIN_NEEDED)
        return stand_in

    async def _scope(self, alias: str) -> Scope:
        account = await self._services.db.lookup(public_registries.account_of, alias)
        return _NO_REGISTRY if account is None else Scope.public(account)

    async def _log_in(self, request: Request, send: Send, caller: Caller) -> None:
        if not caller.is_anonymous:
            await self._services.db.lookup(registries.log_in, caller)
        await Response(200, b"{}", [VERSION, JSON]).send(send, head=request.method == "HEAD")

    async def token(self, request: Request, send: Send, entry: PublicEntry, origin: str) -> None:
        """``GET /token/``: a token for whoever logs in, and one for whoever does not. Source: Docker token authentication."""
        try:
            token, seconds = self._services.access.public_token(request, beside_private=bool(entry.below))
            body = {"token": token, "access_token": token, "expires_in": seconds}
            await Response(200, msgspec.json.encode(body), [JSON, (b"cache-control", b"no-store")]).send(send)
        except Exception as error:  # as above
            await self._app.fail(error, request, send, _challenge(request, entry, origin, error))


def _challenge(request: Request, entry: PublicEntry, origin: str, error: Exception) -> Header:
    return public_challenge(origin, entry.host, request.headers.get(b"authorization", b""), error)


async def _ask_for_login(error: RateExceeded, request: Request, send: Send, login: Header) -> None:
    """Refuse what came too fast without a login, by a challenge: where the public registries have no host of their own, pulls are
    not challenged, and a client that waits for that has not yet said who it is."""
    described = describe(error)
    headers = [VERSION, JSON, login, (b"retry-after", b"%d" % error.retry_after_seconds)]
    await Response(401, described.body(), headers).send(send, head=request.method == "HEAD")


def _tell_by_alias(error: Exception, alias: str) -> None:
    """Name a public registry as whoever pulls from it knows it, not by its account."""
    if isinstance(error, DomainError) and hasattr(error, "registry_id"):
        error.registry_id = alias
