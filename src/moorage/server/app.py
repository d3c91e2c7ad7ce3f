"""The composition root: settings in, an ASGI application out. Everything is built here and handed down; nothing is global."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from typing import Any, Protocol

from moorage.auth.credentials import Credential
from moorage.auth.cursors import Cursors
from moorage.auth.rates import HeldTokens, RequestRates
from moorage.auth.registry_token import RegistryTokens
from moorage.auth.sessions import SessionTokens
from moorage.events.activity import Activity
from moorage.events.event import Sink
from moorage.events.pulls import PullBuffer
from moorage.jobs import builtin
from moorage.jobs.background import Background
from moorage.jobs.flusher import Flusher
from moorage.keys.data_keys import DataKeys
from moorage.keys.local_keyring import LocalKeyring
from moorage.keys.root_key import RootKey
from moorage.metadata.database import Database, DatabaseUnavailable
from moorage.metadata.records import AccessKey
from moorage.model.clock import Clock, system_clock
from moorage.model.errors import KeyUnusable, StorageCorrupt
from moorage.model.principal import Caller
from moorage.model.quotas import Quotas
from moorage.model.scope import Scope
from moorage.model.seal import AES256
from moorage.operations.accounts import accounts
from moorage.operations.public import registries as public_registries
from moorage.server.addressing import Addressing, Listen
from moorage.server.clock_skew import told_skew
from moorage.server.faults_told import tell_fault
from moorage.server.rated_database import RatedDatabase
from moorage.server.regions import Regions
from moorage.server.settings import Settings
from moorage.storage.blob_store import BlobStore, StoreUnavailable
from moorage.transfer.anonymous_transfers import AnonymousTransfers
from moorage.transfer.hot_blobs import HotBlobs
from moorage.transfer.key_reserve import KeyReserve
from moorage.transfer.payload_cache import PayloadCache
from moorage.transfer.pull_rate import PullRate
from moorage.transfer.receive import Receiver
from moorage.transfer.send import Sender
from moorage.transfer.token_leases import TokenLeases
from moorage.transfer.unstarted import UnstartedUploads
from moorage.transfer.work import Pools
from moorage.upstream.fetch import Fetcher
from moorage.upstream.oidc_keys import ProviderKeys
from moorage.wire.aws.absent import AbsentServices
from moorage.wire.aws.dispatch import Dispatcher
from moorage.wire.aws.service import Call, Service
from moorage.wire.aws.services.ecr import (
    archive,
    images,
    layers,
    lifecycle,
    pull_through,
    pull_times,
    registry,
    replication,
    repositories,
    scanning,
    signing,
    templates,
)
from moorage.wire.aws.services.ecr import policies as ecr_policies
from moorage.wire.aws.services.ecr.context import EcrContext
from moorage.wire.aws.services.ecr.errors import ECR
from moorage.wire.aws.services.ecr_public import registries as public_registry_handlers
from moorage.wire.aws.services.ecr_public import repositories as public_repository_handlers
from moorage.wire.aws.services.ecr_public.service import PublicService, Shared
from moorage.wire.aws.services.iam import (
    access_keys,
    account,
    entities,
    grants,
    instance_profiles,
    mfa,
    passwords,
    policies,
    providers,
    reports,
    simulation,
    tags,
)
from moorage.wire.aws.services.iam.context import IamContext
from moorage.wire.aws.services.iam.errors import IAM
from moorage.wire.aws.services.organizations import accounts as organization_accounts
from moorage.wire.aws.services.organizations.accounts import OrganizationsContext
from moorage.wire.aws.services.organizations.errors import ORGANIZATIONS
from moorage.wire.aws.services.service_quotas import quotas
from moorage.wire.aws.services.service_quotas.errors import SERVICE_QUOTAS
from moorage.wire.aws.services.service_quotas.quotas import QuotasContext
from moorage.wire.aws.services.sts import lookups, own_sessions, roles
from moorage.wire.aws.services.sts.context import StsContext
from moorage.wire.aws.services.sts.errors import STS
from moorage.wire.http import AnswerSoon, AtOnce, Request, Response, Send
from moorage.wire.oci.access import Access
from moorage.wire.oci.app import OciApp
from moorage.wire.oci.errors import JSON, OciError
from moorage.wire.oci.exchange import VERSION, Services
from moorage.wire.oci.public import PublicApp, PublicEntry
from moorage.wire.oci.quirks import Quirks
from moorage.wire.oci.remembered_pulls import RememberedPulls
from moorage.wire.web.health import Health
from moorage.wire.web.layer_links import LayerLinks
from moorage.wire.web.logos import Logos
from moorage.wire.web.metrics import Metrics

logger = logging.getLogger("moorage.server")

_LOW_WATER_BYTES = 64 * 1024 * 1024
_REMEMBERED = 1024
_TEXT = (b"content-type", b"text/plain; charset=utf-8")


class AssumedIdentities(Protocol):
    """For servers without authentication: who callers are taken for."""

    async def credential(self, access_key_id: str, /) -> Credential: ...
    def caller(self, scope: Scope, /) -> Caller | None: ...


class Application:
    """The ASGI callable. Made on the event loop that it will serve.

    Args:
        pools: threads that outlive this application; None: it has its own.
        identities: only for servers whose authentication is off.
        keys: where data keys come from; None: the registries' own keys, under the root key.
    """

    def __init__(
        self,
        settings: Settings,
        db: Database,
        store: BlobStore,
        root_key: RootKey,
        metrics: Metrics,
        clock: Clock = system_clock,
        *,
        pools: Pools | None = None,
        identities: AssumedIdentities | None = None,
        keys: DataKeys | None = None,
    ) -> None:
        named = (settings.region, *(scope.region for scope in settings.host_scopes.values()))
        regions = Regions(settings.regions, named)
        self.addressing = Addressing(
            db, settings.default_scope, settings.domain or None, settings.host_scopes, settings.public_host or None, regions
        )
        self._proxies = _networks(settings.trusted_proxies)
        self._db, self._root_key = db, root_key
        self._credentials: dict[tuple[AccessKey, str], Credential] = {}
        self.pools = pools or Pools(remote=bool(settings.blob_store_url))
        self._owns_pools = pools is None
        self._hot = HotBlobs(settings.hot_blob_mib * 1024 * 1024)
        db.memory.of(Quotas).choose(settings.chosen_quotas)
        held = HeldTokens(clock)
        leases = TokenLeases(db, held, clock)
        rates = RequestRates(held, settings.effective_rates) if settings.effective_rates else None
        gib = settings.public_anonymous_gib_per_month
        transfers = AnonymousTransfers(db, clock, gib * 1024**3) if gib else None
        if rates is not None:
            db = RatedDatabase(db, leases)
        self.keys = keys = keys or DataKeys({AES256: LocalKeyring(root_key)})
        tokens = RegistryTokens(root_key.derive("registry tokens"))
        self._sessions = SessionTokens(root_key.derive("session tokens"))
        link_key = root_key.derive("layer links")
        activity, pulls, payloads = Activity(), PullBuffer(), PayloadCache(db, keys)
        sinks: tuple[Sink, ...] = (activity, pulls, metrics.usage)
        alone = db.dialect == "sqlite" and settings.workers == 1  # no second server can have its data folder
        unstarted = UnstartedUploads(db, alone=alone)
        receiver = Receiver(db, store, keys, self.pools, KeyReserve(db), unstarted)
        sender = Sender(store, keys, self._hot)
        oci_services = Services(
            db=db,
            keys=keys,
            access=Access(tokens, clock, identities.caller if identities is not None else None, rates, sinks),
            receiver=receiver,
            sender=sender,
            payloads=payloads,
            remembered=RememberedPulls(db, clock, rates),
            pools=self.pools,
            quirks=Quirks(settings.ecr_quirks),
            clock=clock,
            bearer_challenge=settings.bearer_challenge,
        )
        self._oci = OciApp(oci_services)
        self._public = PublicApp(oci_services, self._oci, PullRate(settings.anonymous_pull_rate, leases), transfers)
        self._public_entry = PublicEntry(self.addressing.public_name)
        self._public_path = PublicEntry(self.addressing.public_name, f"{self.addressing.public_name}/")
        cursors = Cursors(root_key.derive("pagination"))
        context = EcrContext(
            db=db,
            keys=keys,
            receiver=receiver,
            payloads=payloads,
            pools=self.pools,
            tokens=tokens,
            cursors=cursors,
            clock=clock,
            registry_host=self._registry_host,
            link_key=link_key,
            tokens_end_with_session=settings.tokens_end_with_session,
            activation_seconds=settings.activation_seconds,
        )
        iam_context = IamContext(db, root_key, cursors, clock, self.pools)
        provider_keys = ProviderKeys(Fetcher(allow_private=settings.oidc_allow_private_issuers))
        sts_context = StsContext(db, root_key, self._sessions, provider_keys, clock)
        organizations_context = OrganizationsContext(db, cursors, settings.account_id)
        services = aws_services(context, iam_context, sts_context, organizations_context, QuotasContext(db, cursors))
        self._absent = AbsentServices(
            [each.plan.signing_name for each in services],
            [each.plan.target_prefix for each in services if each.plan.target_prefix],
        )
        assumed = identities.credential if identities is not None else None
        self._aws = Dispatcher(
            services,
            self._find_credential,
            self.pools.cpu,
            regions=regions,
            clock=clock,
            assumed=assumed,
            default_region=settings.region if identities is not None else "",
            sinks=sinks,
            rates=rates,
        )
        self.receiver = receiver
        self._health = Health(db, store, _LOW_WATER_BYTES, settings.readiness_timeout_seconds)
        self._links = LayerLinks(db, sender, link_key, clock)
        self._logos = Logos(db)
        self.metrics = metrics
        self._serves_metrics, self._metrics_password = not settings.metrics_listen, settings.metrics_password
        flusher = Flusher(db, activity, pulls, metrics.usage, unstarted, transfers)
        self._background = Background(self._db, builtin.registry(self._db, store, self.pools), flusher)

    async def start(self, listen: Listen) -> None:
        """Begin the background work, and listen on the loopback addresses that registries were given."""
        if skew := told_skew(self._db):
            logger.warning("%s", skew)
        self.metrics.job_loads = self._background.loads
        self._background.start()
        await self.addressing.start(listen)

    def end(self) -> None:
        """The server is about to stop: it is not ready from now on, takes no more jobs, and answers as before."""
        self._health.end()
        self._background.end()

    async def stop(self) -> None:
        """Give running jobs a bounded time, and flush what memory holds."""
        await self._background.stop()
        await asyncio.to_thread(self._hot.close)
        if self._owns_pools:
            self.pools.close()

    async def __call__(self, scope: Any, receive: Any, send: Send) -> None:
        """Answer one HTTP request."""
        if scope["type"] != "http":
            return
        self._trust_proxy(scope)
        request = Request(scope, receive)
        try:
            await self._route(request, receive, send)
        except (DatabaseUnavailable, StoreUnavailable, StorageCorrupt, KeyUnusable) as error:
            # Of those who ask before a plane is chosen, or belong to none.
            if not request.may_be_answered:
                raise
            await tell_fault(error, request, send)

    async def _route(self, request: Request, receive: Any, send: Send) -> None:
        raw: bytes = request.scope["raw_path"]
        if raw.startswith(b"/v2/") or raw == b"/v2":
            await self._to_registry(request, send)
        elif raw == b"/":
            await self._to_aws(request, receive, send)
        elif raw == b"/healthz":
            await self._health.live(request, send)
        elif raw == b"/readyz":
            await self._health.ready(request, send)
        elif raw == b"/metrics" and self._serves_metrics:
            await self.metrics.respond(request, send, self._metrics_password)
        elif raw in {b"/token", b"/token/"}:
            await self._token(request, send, raw)
        elif raw.startswith(b"/layers/"):
            await self._links(request, send)
        elif raw.startswith(b"/logos/"):
            await self._logos(request, send)
        elif (absent := self._absent.meant_by(request)) is not None:
            await self._absent.respond(request, send, absent)
        elif self._absent.is_asked(request):
            await self._absent.respond(request, send, "")
        else:
            await Response(404, b"404 page not found\n", [_TEXT]).send(send, head=request.method == "HEAD")

    def at_once(self, scope: Any) -> AtOnce | AnswerSoon | None:
        """The answer to a GET or HEAD without a body for which nothing has to be waited for; None: ask `__call__`."""
        if not scope["raw_path"].startswith(b"/v2/"):
            return None
        self._trust_proxy(scope)
        request = Request(scope, _nothing_to_receive)
        host = request.header(b"host")
        registry = self.addressing.remembered(host)
        if registry is None or self.addressing.is_public_path(host, scope["raw_path"]):
            return None
        return self._oci.at_once(request, registry)

    async def _to_registry(self, request: Request, send: Send) -> None:
        if request.header(b"authorization").startswith("AWS4-"):  # paths of some services begin with /v2/ as well
            absent = self._absent.meant_by(request)
            if absent is not None:
                await self._absent.respond(request, send, absent)
                return
        host = request.header(b"host")
        if self.addressing.is_public(host):
            await self._public(request, send, self._public_entry, self._origin(request))
            return
        scope = await self.addressing.resolve(host)
        if scope is not None and self.addressing.is_public_path(host, request.scope["raw_path"]):
            await self._public(request, send, self._public_path, self._origin(request))
            return
        if scope is None:
            told = OciError(404, "NAME_UNKNOWN", self.addressing.why_nowhere(host))
            await Response(told.status, told.body(), [VERSION, JSON]).send(send, head=request.method == "HEAD")
            return
        await self._oci(request, send, scope, self._origin(request))

    async def _token(self, request: Request, send: Send, raw: bytes) -> None:
        """Of public registries is the token service whose path ends in a slash, and on their own hosts any."""
        is_theirs = self.addressing.is_public(request.header(b"host"))
        if raw == b"/token/" or is_theirs:
            entry = self._public_entry if is_theirs else self._public_path
            await self._public.token(request, send, entry, self._origin(request))
        else:
            await self._oci.token(request, send, self._origin(request))

    async def _to_aws(self, request: Request, receive: Any, send: Send) -> None:
        absent = self._absent.meant_by(request)
        if absent is not None:
            await self._absent.respond(request, send, absent)
            return
        if request.method not in {"POST", "GET"}:
            await Response(405, b"method not allowed\n", [_TEXT, (b"allow", b"GET, POST")]).send(
                send, head=request.method == "HEAD"
            )
            return
        if request.method == "GET" and not request.scope["query_string"]:
            await Response(200, b"Moorage: AWS APIs by POST here, the registry below /v2/\n", [_TEXT]).send(send)
            return
        await self._aws(request.scope, receive, send)

    def _origin(self, request: Request) -> str:
        return f"{request.scope['scheme']}://{request.header(b'host')}"

    async def _registry_host(self, scope: Scope, call: Call) -> str:
        if scope.is_public:
            alias = await self._db.lookup(public_registries.primary_alias, scope)
            return f"{await self.addressing.public_host(call.host)}/{alias or scope.registry_id}"
        return await self.addressing.registry_host(scope, call.host)

    async def _find_credential(self, access_key_id: str, session_token: str | None, /) -> Credential | None:
        """A key's credential: out of its token for a temporary one; of a long-term one whether it counts is asked every time,
        and its secret opened once."""
        if session_token is not None:
            return self._sessions.open(access_key_id, session_token)
        found = await self._db.lookup(accounts.find_active_key, access_key_id)
        if found is None:
            return None
        credential = self._credentials.get(found)
        if credential is None:
            credential = accounts.open_credential(self._root_key, *found)
            if len(self._credentials) >= _REMEMBERED:
                self._credentials.clear()
            self._credentials[found] = credential
        return credential

    def _trust_proxy(self, scope: Any) -> None:
        """Take the scheme, and the client's address, from a proxy that the operator trusts."""
        client = scope.get("client")
        if not self._proxies or not client:
            return
        try:
            address = ipaddress.ip_address(client[0])
        except ValueError:
            return
        if not any(address in network for network in self._proxies):
            return
        for name, value in scope["headers"]:
            if name == b"x-forwarded-proto" and value in {b"http", b"https"}:
                scope["scheme"] = value.decode()
            elif name == b"x-forwarded-for":
                scope["client"] = (_address(value.decode("latin-1").rpartition(",")[2].strip()), 0)


async def _nothing_to_receive() -> Any:
    raise AssertionError("a request that is answered at once has no body")


def aws_services(
    context: EcrContext,
    iam_context: IamContext,
    sts_context: StsContext,
    organizations_context: OrganizationsContext,
    quotas_context: QuotasContext,
) -> list[Service]:
    """The AWS services with the operations that are built."""
    ecr, public = Service("ecr", ECR), PublicService(context)
    iam, sts = Service("iam", IAM), Service("sts", STS)
    organizations, service_quotas = Service("organizations", ORGANIZATIONS), Service("service-quotas", SERVICE_QUOTAS)
    for own in (public_registry_handlers, public_repository_handlers):
        own.register(public, context)
    for module in (repositories, images, layers, registry, ecr_policies):
        module.register(ecr, context)
        module.register(Shared(public), context)
    for setting in (archive, lifecycle, scanning, replication, pull_through, templates, signing, pull_times):
        setting.register(ecr, context)
    identity_handlers = (entities, access_keys, policies, grants, tags, instance_profiles, providers, passwords, mfa, account)
    for each in (*identity_handlers, reports, simulation):
        each.register(iam, iam_context)
    for each in (lookups, roles, own_sessions):
        each.register(sts, sts_context)
    organization_accounts.register(organizations, organizations_context)
    quotas.register(service_quotas, quotas_context)
    return [ecr, public, iam, organizations, service_quotas, sts]


def _address(text: str) -> str:
    """The address that a proxy wrote down; empty if it is none: a network, say, would be taken for all of its addresses."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return ""


def _networks(text: str) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    return [ipaddress.ip_network(part.strip(), strict=False) for part in text.split(",") if part.strip()]
