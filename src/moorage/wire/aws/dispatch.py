"""The door of the AWS APIs: one ASGI callable for all services, told apart by target, action and signed service.

The order of a request: find the operation, authenticate, parse, check against the model, call the handler (which authorises
before it looks anything up), render. Whatever needs no body is decided before the body is read.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import re
from collections.abc import Awaitable, Callable, Container, Iterable, Mapping, MutableMapping
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

from moorage.auth.canonical import Headers, canonical_headers
from moorage.auth.credentials import Credential, CredentialLookup
from moorage.auth.rates import RequestRates
from moorage.auth.sessions import may_reach
from moorage.auth.signature_errors import FaultKind, SignatureRefused, refuse
from moorage.auth.sigv4 import (
    ReceivedRequest,
    SignedRequest,
    SigningKeys,
    check_credential,
    check_scope,
    check_time,
    is_signed,
    parse_authorization,
    verify,
)
from moorage.events.event import EVENT, NOBODY, Asked, Event, Sink
from moorage.model.clock import Clock, system_clock
from moorage.model.errors import AccessDenied, NotBuilt, RateExceeded
from moorage.model.rates import RequestKey, Ticket, region_of
from moorage.model.scope import is_account_id, is_region
from moorage.transfer.handover import ClientLeft
from moorage.wire.aws.bodies import DEFAULT_LIMIT, LIMITS, UNKNOWN_LIMIT, BodyBudget, Receive, RequestBody
from moorage.wire.aws.errors import internal_error, to_aws_error
from moorage.wire.aws.faults import MissingAction, UnknownOperation
from moorage.wire.aws.models import OperationPlan, ServicePlan
from moorage.wire.aws.protocols import json, query, query_json
from moorage.wire.aws.service import Call, Handler, Output, Service
from moorage.wire.aws.validate import check
from moorage.wire.aws.wording import AwsError, Errors
from moorage.wire.http import REQUEST_ID

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
_T = TypeVar("_T")

_log = logging.getLogger(__name__)
_AGAIN_SECONDS = 2
"""What `Retry-After` says where the database or the blob store do not answer, as the other plane does."""
_LARGE = 256 * 1024
"""From this size on, hashing and parsing a body is the pool's work: it would hold up the event loop."""
_KEY_ID = re.compile(r"[A-Za-z0-9_]{4,128}")
_SHA256 = re.compile(rb"[0-9a-f]{64}")
_XML = b"text/xml"
_LONGEST_TARGET = 160


@dataclass(frozen=True, slots=True)
class _Route:
    """All that is known about an operation before a request comes."""

    service: ServicePlan
    operation: OperationPlan
    handler: Handler | None
    limit: int
    parse_json: Callable[[bytes | bytearray], dict[str, Any]]
    action: str
    """What requests are counted as: ``ecr:PutImage``."""


class _Request:
    """One request on its way: what is known of it so far, for the answer that an error needs at any moment."""

    __slots__ = (
        "body",
        "event",
        "headers",
        "method",
        "now",
        "operation",
        "raw_path",
        "raw_query",
        "request_id",
        "retry_after",
        "scope",
        "service",
        "ticket",
    )

    def __init__(self, scope: Scope, body: RequestBody, service: ServicePlan, now: float) -> None:
        self.scope = scope
        self.body = body
        self.headers: Headers = canonical_headers(scope["headers"])
        self.method: str = scope["method"]
        self.raw_query: bytes = scope["query_string"]
        self.raw_path: bytes = scope.get("raw_path") or scope["path"].encode()
        self.now = now
        given: bytes | None = scope.get(REQUEST_ID)
        self.request_id = given.decode("ascii") if given else str(UUID(bytes=os.urandom(16), version=4))
        self.service = service
        self.operation: OperationPlan | None = None
        self.event = Event(NOBODY)
        self.ticket: Ticket | None = None
        self.retry_after = 0

    @property
    def wants_json(self) -> bool:
        """The client asked for an answer of the query protocol in JSON."""
        return query_json.is_wanted(self.headers.get(b"accept", b""))


class Dispatcher:
    """Answers the requests of all services that it is given.

    Args:
        services: the services with their handlers; an operation without one is answered as not built.
        credentials: finds access keys.
        pool: threads for hashing and parsing large bodies.
        regions: the regions that may be signed for; None: any.
        clock: for skew and expiry.
        assumed: for servers without authentication: who a request is taken for, by its access key id (empty: it names none).
        default_region: of requests that are not signed, on such a server.
        budget: bounds the memory of large bodies.
        sinks: who reads the events of requests.
        rates: the rates that they are held to; None: to none.
    """

    def __init__(
        self,
        services: Iterable[Service],
        credentials: CredentialLookup,
        pool: Executor,
        *,
        regions: Container[str] | None = None,
        clock: Clock = system_clock,
        assumed: Callable[[str], Awaitable[Credential]] | None = None,
        default_region: str = "",
        budget: BodyBudget | None = None,
        sinks: tuple[Sink, ...] = (),
        rates: RequestRates | None = None,
    ) -> None:
        self._sinks, self._rates = sinks, rates
        self._assumed, self._default_region = assumed, default_region
        self._credentials = credentials
        self._pool = pool
        self._regions = regions
        self._clock = clock
        self._budget = budget or BodyBudget()
        self._keys = SigningKeys()
        self._targets: dict[bytes, _Route] = {}
        self._prefixes: dict[bytes, ServicePlan] = {}
        self._actions: dict[tuple[str, str], _Route] = {}
        self._query_services: list[ServicePlan] = []
        self._plans: list[ServicePlan] = []
        self._errors: dict[str, Errors] = {}
        for service in services:
            self._add(service)

    def _add(self, service: Service) -> None:
        plan = service.plan
        self._plans.append(plan)
        self._errors[plan.name] = service.errors
        for name, operation in plan.operations.items():
            limit = LIMITS.get(name, DEFAULT_LIMIT)
            if limit > DEFAULT_LIMIT:
                parse = json.LargeParser(operation.input).parse
            else:
                parse = partial(json.parse_document, shape=operation.input)
            route = _Route(plan, operation, service.handlers.get(name), limit, parse, f"{plan.name}:{name}")
            if plan.protocol == "json":
                self._targets[f"{plan.target_prefix}.{name}".encode()] = route
            else:
                self._actions[plan.api_version, name] = route
        if plan.protocol == "json":
            self._prefixes[plan.target_prefix.encode()] = plan
        else:
            self._query_services.append(plan)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request: ``POST /``, or ``GET /`` with an Action."""
        client = scope.get("client")
        body = RequestBody(receive, self._budget, client[0] if client else "")
        request = _Request(scope, body, self._plans[0], self._clock())
        try:
            status, content, content_type = await self._answer(request)
            keep_open = body.is_finished or await body.drain()
        except ClientLeft:
            _log.debug("client left", extra={"request_id": request.request_id})
            return
        finally:
            await body.close()
        headers = [
            (b"x-amzn-requestid", request.request_id.encode()),
            (b"content-type", content_type),
            (b"content-length", b"%d" % len(content)),
        ]
        if request.retry_after:
            headers.append((b"retry-after", b"%d" % request.retry_after))
        if not keep_open:
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    async def _answer(self, request: _Request) -> tuple[int, bytes, bytes]:
        try:
            target = request.headers.get(b"x-amz-target")
            if target is not None or self._is_json(request):
                return await self._answer_json(request, target or b"")
            return await self._answer_query(request)
        except ClientLeft:
            raise
        except Exception as error:
            return self._render_error(request, error)

    def _is_json(self, request: _Request) -> bool:
        """Whether a request without a target was meant for a JSON service."""
        if request.headers.get(b"content-type", b"").startswith(b"application/x-amz-json"):
            return True
        try:
            signed = parse_authorization(request.headers, request.raw_query)
        except SignatureRefused:
            return not self._query_services
        return any(plan.protocol == "json" and plan.signing_name == signed.service for plan in self._plans)

    async def _answer_json(self, request: _Request, target: bytes) -> tuple[int, bytes, bytes]:
        route = self._targets.get(target)
        if route is None or request.method != "POST":
            request.service = self._prefixes.get(target.partition(b".")[0]) or self._first_json()
            raise UnknownOperation(_unknown(target))
        request.service, request.operation = route.service, route.operation
        request.event = request.scope[EVENT] = Event(Asked("", "", route.action))
        signed, credential = self._admit(request, route, *await self._identify(request))
        stated = self._verify_head(request, signed, credential)
        raw = await request.body.read(route.limit, _stated_size(request.headers))
        await self._authenticate(request, signed, credential, raw, stated)
        handler = _built(route)
        is_large = len(raw) > _LARGE
        params = await self._in_pool(route.parse_json, raw) if is_large else route.parse_json(raw)
        del raw
        check(params, route.service, route.operation)
        output = await self._handled(request, route, handler, self._call(request, route, params, signed, credential))
        content = json.render_document(output, route.operation.output)
        return 200, content, b"application/x-amz-json-" + route.service.json_version.encode()

    async def _answer_query(self, request: _Request) -> tuple[int, bytes, bytes]:
        request.service = self._query_services[0] if self._query_services else self._plans[0]
        # What the body asks for is not known yet, but who asks must be: bodies of nobody are small.
        signed, credential = await self._identify(request)
        stated = self._verify_head(request, signed, credential)
        limit = DEFAULT_LIMIT if signed or self._assumed is not None else UNKNOWN_LIMIT
        raw = await request.body.read(limit, _stated_size(request.headers))
        fields = query.parse_fields(raw if request.method == "POST" else request.raw_query)
        action, version = fields.get("Action"), fields.get("Version", "")
        if not action:
            raise MissingAction("Missing Action")
        route = self._actions.get((version, action))
        if route is None:
            for plan in self._query_services:
                if plan.api_version == version:
                    request.service = plan
            raise UnknownOperation(f"Could not find operation {action[:128]} for version {version[:32]}")
        request.service, request.operation = route.service, route.operation
        request.event = request.scope[EVENT] = Event(Asked("", "", route.action))
        signed, credential = self._admit(request, route, signed, credential)
        await self._authenticate(request, signed, credential, raw, stated)
        handler = _built(route)
        params = query.parse_params(fields, route.operation.input)
        check(params, route.service, route.operation)
        output = await self._handled(request, route, handler, self._call(request, route, params, signed, credential))
        if request.wants_json:
            return 200, query_json.render_document(output, route.operation, request.request_id), query_json.CONTENT_TYPE
        return 200, query.render_document(output, route.service, route.operation, request.request_id), _XML

    async def _identify(self, request: _Request) -> tuple[SignedRequest | None, Credential | None]:
        """Whose key signs, if one does: all that can be found out without the body and what it asks for."""
        if self._assumed is not None:
            return await self._assume(request)
        if not is_signed(request.headers, request.raw_query):
            return None, None
        signed = parse_authorization(request.headers, request.raw_query)
        if request.service.signing_name != signed.service:
            named = (plan for plan in self._query_services if plan.signing_name == signed.service)
            request.service = next(named, request.service) if request.operation is None else request.service
        key_id = signed.access_key_id
        found = await self._credentials(key_id, signed.session_token) if _KEY_ID.fullmatch(key_id) else None
        credential = check_credential(signed, found, request.now)
        check_time(signed, request.now)
        request.body.owners += (f"key {key_id}",)
        return signed, credential

    def _admit(
        self, request: _Request, route: _Route, signed: SignedRequest | None, credential: Credential | None
    ) -> tuple[SignedRequest | None, Credential | None]:
        """Check that this key may sign for this service, or that nobody has to sign. Raises SignatureRefused."""
        if not route.operation.is_signed and not is_signed(request.headers, request.raw_query):
            return None, None
        if self._assumed is not None:
            return signed, credential
        if signed is None or credential is None:
            raise refuse(FaultKind.NO_TOKEN)
        if credential.session is not None and not may_reach(credential.session, route.service.name):
            raise refuse(FaultKind.UNKNOWN_KEY)
        check_scope(signed, route.service.signing_name, self._regions)
        return signed, credential

    def _verify_head(self, request: _Request, signed: SignedRequest | None, credential: Credential | None) -> bytes | None:
        """Verify the signature now if the head states the digest of the body, as most SDKs do, and return that."""
        stated = request.headers.get(b"x-amz-content-sha256", b"")
        if signed is None or credential is None or self._assumed is not None or not _SHA256.fullmatch(stated):
            return None
        try:
            check_scope(signed, request.service.signing_name, self._regions)  # what is derived from it is remembered
        except SignatureRefused:
            return None  # it is told once it is known what was asked for
        received = ReceivedRequest(request.method, request.raw_path, request.raw_query, request.headers, stated.decode())
        verify(self._keys, signed, credential.secret, received, request.now)
        return stated

    async def _assume(self, request: _Request) -> tuple[SignedRequest | None, Credential]:
        """Take the request for whose it says it is, without looking at its signature."""
        assert self._assumed is not None
        try:
            signed = parse_authorization(request.headers, request.raw_query)
            token = signed.session_token
            found = await self._credentials(signed.access_key_id, token) if token is not None else None
            if self._regions is not None and signed.region not in self._regions:
                raise refuse(FaultKind.SCOPE_REGION, signed.region)
            return signed, found or await self._assumed(signed.access_key_id)
        except SignatureRefused as error:
            if error.kind is FaultKind.SCOPE_REGION:
                raise  # nobody is asked who it is, but there is no such place
            return None, await self._assumed("")

    async def _authenticate(
        self,
        request: _Request,
        signed: SignedRequest | None,
        credential: Credential | None,
        raw: bytes | bytearray,
        stated: bytes | None,
    ) -> None:
        if signed is None or credential is None or self._assumed is not None:
            return
        digest = await self._in_pool(_sha256, raw) if len(raw) > _LARGE else _sha256(raw)
        if stated is not None:
            if digest.encode() != stated:
                raise refuse(FaultKind.PAYLOAD_MISMATCH)
            return
        received = ReceivedRequest(request.method, request.raw_path, request.raw_query, request.headers, digest)
        is_tls = request.scope.get("scheme") == "https"
        verify(self._keys, signed, credential.secret, received, request.now, unsigned_payload_allowed=is_tls)

    async def _in_pool(self, function: Callable[[bytes | bytearray], _T], raw: bytes | bytearray) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, raw)

    def _call(
        self,
        request: _Request,
        route: _Route,
        params: dict[str, Any],
        signed: SignedRequest | None,
        credential: Credential | None,
    ) -> Call:
        client = request.scope.get("client")
        region = self._default_region if signed is None else signed.region
        account = credential.account_id if credential is not None else _account_of_role(params)
        key = account, region_of(route.service.name, region), route.action
        counted_as = key if credential is not None and is_region(key[1]) else None
        request.event = request.scope[EVENT] = self._event(route, credential, counted_as)
        request.ticket = None if self._rates is None else self._rates.ticket(key)
        return Call(
            service=route.service.name,
            operation=route.operation.name,
            params=params,
            credential=credential,
            region=region,
            request_id=request.request_id,
            scheme=request.scope.get("scheme", "http"),
            host=request.headers.get(b"host", b"").decode("latin-1"),
            source_ip=client[0] if client else "",
            user_agent=request.headers.get(b"user-agent", b"").decode("latin-1"),
            ticket=request.ticket,
            event=request.event,
        )

    async def _handled(self, request: _Request, route: _Route, handler: Handler, call: Call) -> Output:
        """What the handler answers. Who has no key is known when it has, and counted then."""
        output = await handler(call)
        if call.credential is None and (account := _account_of_role(call.params)):
            request.event.counted_as = account, region_of(call.service, call.region), route.action
        return output

    def _event(self, route: _Route, credential: Credential | None, counted_as: RequestKey | None) -> Event:
        if credential is None:
            return Event(Asked("", "", route.action), sinks=self._sinks)
        asked = Asked(credential.principal_arn, credential.account_id, route.action)
        key_id = credential.access_key_id if credential.session is None else ""
        return Event(asked, credential.principal_id, key_id, counted_as, self._sinks)

    def _first_json(self) -> ServicePlan:
        return next((plan for plan in self._plans if plan.protocol == "json"), self._plans[0])

    def _render_error(self, request: _Request, error: Exception) -> tuple[int, bytes, bytes]:
        service = request.service
        if isinstance(error, RateExceeded):
            request.retry_after = error.retry_after_seconds
            request.event.is_throttled = True
        elif isinstance(error, AccessDenied) and request.ticket is not None:
            request.ticket.give_back()  # of several actions the first was allowed
        told = to_aws_error(error, service, request.operation, self._errors[service.name])
        if told is None or told.status == 500:
            _log.error("request %s failed", request.request_id, exc_info=error, extra={"request_id": request.request_id})
            told = told or internal_error(service)
        elif told.status > 500:
            _log.warning("request %s refused: %s", request.request_id, error, extra={"request_id": request.request_id})
            request.retry_after = _AGAIN_SECONDS
        return _render(told, service, request)


def _render(error: AwsError, service: ServicePlan, request: _Request) -> tuple[int, bytes, bytes]:
    if service.protocol == "json":
        content = json.render_error(error.code, error.message, error.members)
        return error.status, content, b"application/x-amz-json-" + service.json_version.encode()
    if request.wants_json:
        content = query_json.render_error(error.code, error.message, error.is_sender_fault, request.request_id)
        return error.status, content, query_json.CONTENT_TYPE
    content = query.render_error(error.code, error.message, error.is_sender_fault, service.xml_namespace, request.request_id)
    return error.status, content, _XML


def _unknown(target: bytes) -> str:
    """What is said about a request of the JSON protocol that names no operation of ours."""
    if not target:
        return "The request names no operation: X-Amz-Target is missing, and the path is not one of a service of this server."
    name = target[:_LONGEST_TARGET].decode("latin-1").encode("ascii", "backslashreplace").decode("ascii")
    return f"Could not find the operation {name}: no service of this server has it."


def _built(route: _Route) -> Handler:
    if route.handler is None:
        raise NotBuilt(f"The operation {route.operation.name} is not available in this version of the server.")
    return route.handler


def _account_of_role(params: Mapping[str, Any]) -> str:
    """Whose role somebody without a key asks for; empty if that cannot be seen."""
    account = str(params.get("RoleArn")).split(":")[4:5]
    return account[0] if account and is_account_id(account[0]) else ""


def _stated_size(headers: Headers) -> int | None:
    text = headers.get(b"content-length", b"")
    return int(text) if text.isdigit() and len(text) < 16 else None


def _sha256(raw: bytes | bytearray) -> str:
    return hashlib.sha256(raw).hexdigest()
