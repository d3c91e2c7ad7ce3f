"""The way into /v2/: route, authenticate, hand over, and turn whatever is raised into the specification's errors."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

import msgspec

from moorage.auth.rates import TokensNeeded
from moorage.events.event import Asked, Event
from moorage.metadata.database import DatabaseUnavailable
from moorage.model.errors import (
    AccessDenied,
    BlobNotFound,
    DomainError,
    KeyUnavailable,
    ManifestInvalid,
    NotAuthenticated,
    ParameterInvalid,
    RangeMismatch,
    RateExceeded,
    StorageCorrupt,
    UploadBusy,
)
from moorage.model.principal import Caller
from moorage.model.scope import Scope
from moorage.model.shown import shown
from moorage.operations.registry import registries
from moorage.storage.blob_store import StoreUnavailable
from moorage.transfer.handover import ClientLeft
from moorage.wire.http import AnswerSoon, AtOnce, BadRequest, Header, Request, Response, Send
from moorage.wire.oci import blobs, lists, manifests, uploads
from moorage.wire.oci.access import challenge
from moorage.wire.oci.errors import JSON, OciError, describe
from moorage.wire.oci.exchange import FOUND, VERSION, Exchange, Found, Services
from moorage.wire.oci.router import Route, parse_route

logger = logging.getLogger("moorage.oci")

_UNAVAILABLE = "the registry is temporarily unavailable: try again"
_AGAIN: Header = (b"retry-after", b"2")

Handler = Callable[[Exchange], Awaitable[None]]


async def _base(exchange: Exchange) -> None:
    """``GET /v2/``: the login of docker. A token that counts is enough."""
    await exchange.services.db.lookup(registries.log_in, exchange.caller)
    await Response(200, b"{}", [VERSION, JSON]).send(exchange.send, head=exchange.is_head)


# Every route names the operation it calls, and every operation authorises: a route that is not here does not exist.
ROUTES: dict[tuple[str, str], Handler] = {
    ("base", "GET"): _base,
    ("base", "HEAD"): _base,
    ("catalog", "GET"): lists.catalog,
    ("tags", "GET"): lists.tags,
    ("referrers", "GET"): lists.referrers,
    ("manifest", "GET"): manifests.get,
    ("manifest", "HEAD"): manifests.get,
    ("manifest", "PUT"): manifests.put,
    ("manifest", "DELETE"): manifests.delete,
    ("blob", "GET"): blobs.get,
    ("blob", "HEAD"): blobs.head,
    ("blob", "DELETE"): blobs.delete,
    ("uploads", "POST"): uploads.start,
    ("upload", "PATCH"): uploads.append,
    ("upload", "PUT"): uploads.finish,
    ("upload", "GET"): uploads.status,
    ("upload", "DELETE"): uploads.cancel,
}


AT_ONCE: dict[tuple[str, str], Callable[[Services, Request, Route, Scope, Caller], AtOnce | None]] = {
    ("manifest", "GET"): manifests.get_at_once,
    ("manifest", "HEAD"): manifests.get_at_once,
    ("blob", "HEAD"): blobs.head_at_once,
}


class OciApp:
    """The ASGI application for everything below /v2 and for /token, of private registries."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def __call__(self, request: Request, send: Send, scope: Scope, origin: str) -> None:
        """Answer one request.

        Args:
            scope: the registry that the host addresses.
            origin: scheme and host as the client used them, for the challenge.
        """
        found: Found | None = request.scope.pop(FOUND, None)
        try:
            route = parse_route(request.path) if found is None else found.route
            if route is None:
                await nothing_there(send)
                return
            if found is not None:
                await self.answer(Exchange(self._services, request, send, route, scope, found.caller, found=found))
                return
            request.event = Event(Asked("", "", f"{request.method} {route.kind}"))
            caller = self._services.access.caller(request, scope, route)
            await self.answer(Exchange(self._services, request, send, route, scope, caller))
        except Exception as error:  # the last line of defence: an answer instead of a traceback
            await self.fail(error, request, send, challenge(origin, bearer=self._services.bearer_challenge))

    async def answer(self, exchange: Exchange) -> None:
        """Have an authenticated request answered by the handler of its route. Raises whatever that raises."""
        handler = ROUTES.get((exchange.route.kind, exchange.request.method))
        if handler is None:
            await self._method_not_allowed(exchange)
            return
        try:
            await handler(exchange)
        except (RangeMismatch, UploadBusy) as error:
            if not exchange.request.may_be_answered:
                raise
            await uploads.refuse_position(exchange, error)

    async def fail(self, error: Exception, request: Request, send: Send, login: Header) -> None:
        """Answer what a request ended with, as far as there is still somebody to be answered.

        Args:
            login: the challenge for those who have to log in.
        """
        if isinstance(error, ClientLeft):
            return
        # An OSError: the client left while it was answered, which is the connection's business.
        if not request.may_be_answered or isinstance(error, OSError):
            raise error
        await self._refuse(error, request, send, login)

    def at_once(self, request: Request, scope: Scope) -> AtOnce | AnswerSoon | None:
        """The answer to the pull of a manifest, or to HEAD of a blob, where nothing has to be waited for; None for all else.

        Where the database has to be waited for, it is that to a pull that was answered before, as soon as that is known to hold.

        What is answered None goes the whole way through `__call__`: this is a shorter way to the same answer, which spares the
        event loop a task, never another decision.
        """
        services = self._services
        if not services.db.answers_at_once:
            return services.remembered.find_soon(request, scope, partial(_unavailable, request))
        caller, answer = None, None
        try:
            remembered = services.remembered.find(request, scope)
            if remembered is not None:
                return remembered
            route = parse_route(request.path)
            handler = AT_ONCE.get((route.kind, request.method)) if route is not None else None
            if route is None or handler is None:
                return None
            caller = services.access.caller(request, scope, route)
            answer = handler(services, request, route, scope, caller)
        except BlobNotFound as error:
            described = describe(error)
            answer = AtOnce.of(described.status, [VERSION, JSON], b"", len(described.body()))
        except RateExceeded as error:
            return _too_fast(error, request)
        except (DomainError, BadRequest, DatabaseUnavailable, TokensNeeded):
            pass
        if answer is None and caller is not None and caller.ticket is not None and FOUND not in request.scope:
            caller.ticket.give_back()
        return answer

    async def token(self, request: Request, send: Send, origin: str) -> None:
        """``GET /token``: the same token for clients that prefer Bearer. Source: Docker token authentication specification."""
        try:
            password, seconds = self._services.access.password(request)
            body = {"token": password, "access_token": password, "expires_in": seconds}
            await Response(200, msgspec.json.encode(body), [JSON, (b"cache-control", b"no-store")]).send(send)
        except Exception as error:  # as above
            await self._refuse(error, request, send, challenge(origin, bearer=self._services.bearer_challenge))

    async def _method_not_allowed(self, exchange: Exchange) -> None:
        allowed = ", ".join(sorted(method for kind, method in ROUTES if kind == exchange.route.kind))
        error = OciError(405, "UNSUPPORTED", "The operation is unsupported.")
        await Response(405, error.body(), [VERSION, JSON, (b"allow", allowed.encode())]).send(
            exchange.send, head=exchange.is_head
        )

    async def _refuse(self, error: Exception, request: Request, send: Send, login: Header) -> None:
        headers = [VERSION, JSON]
        quirks = self._services.quirks
        if isinstance(error, NotAuthenticated):
            described = describe(error)
            if quirks.refuse_without_challenge and b"authorization" in request.headers:
                described = OciError(403, "DENIED", described.message)
            else:
                headers.append(login)
        elif isinstance(error, ManifestInvalid | ParameterInvalid) and quirks.invalid_is_unsupported:
            told = describe(error)
            described = OciError(405, "UNSUPPORTED", told.message, told.detail)
        elif isinstance(error, DomainError):
            described = describe(error)
            if isinstance(error, RateExceeded | KeyUnavailable):
                headers.append((b"retry-after", b"%d" % error.retry_after_seconds))
            if isinstance(error, RateExceeded) and request.event is not None:
                request.event.is_throttled = True
            elif isinstance(error, AccessDenied) and request.ticket is not None:
                request.ticket.give_back()  # of several actions the first was allowed
        elif isinstance(error, BadRequest):
            described = OciError(400, "UNSUPPORTED", str(error))
        elif isinstance(error, DatabaseUnavailable | StoreUnavailable):
            logger.warning("unavailable: %s", error, extra={"request_id": request.id})
            described = OciError(503, "UNKNOWN", _UNAVAILABLE + _named(request))
            headers.append(_AGAIN)
        else:
            described = OciError(500, "UNKNOWN", "unknown error")
        if described.status == 500:
            described = replace(described, message=described.message + _named(request))
            trace = None if isinstance(error, StorageCorrupt) else error  # damage at rest is no fault of the program
            where = request.method, shown(request.scope["raw_path"])
            logger.error("%s %s failed: %s", *where, error, exc_info=trace, extra={"request_id": request.id})
        await Response(described.status, described.body(), headers).send(send, head=request.method == "HEAD")


def _too_fast(error: RateExceeded, request: Request) -> AtOnce:
    """A refusal that costs no more than what was asked for: there may be many."""
    if request.event is not None:
        request.event.is_throttled = True
    described = describe(error)
    body = described.body()
    headers = [VERSION, JSON, (b"retry-after", b"%d" % error.retry_after_seconds)]
    return AtOnce.of(described.status, headers, b"" if request.method == "HEAD" else body, len(body))


def _unavailable(request: Request) -> AtOnce:
    """What `OciApp` says where the database does not answer."""
    logger.warning("unavailable: the database does not answer", extra={"request_id": request.id})
    body = OciError(503, "UNKNOWN", _UNAVAILABLE + _named(request)).body()
    return AtOnce.of(503, [VERSION, JSON, _AGAIN], b"" if request.method == "HEAD" else body, len(body))


def _named(request: Request) -> str:
    """What an operator finds the cause by, for those who see nothing but the message."""
    return f" (request {request.id})" if request.id else ""


async def nothing_there(send: Send) -> None:
    """Answer a path that addresses nothing."""
    await Response(404, b"404 page not found\n", [(b"content-type", b"text/plain; charset=utf-8"), VERSION]).send(send)


__all__ = ["ROUTES", "OciApp", "Route", "nothing_there"]
