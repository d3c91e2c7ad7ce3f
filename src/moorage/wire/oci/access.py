"""Who is calling /v2/: registry tokens by Basic or Bearer, and the challenge for those who bring none that counts."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from moorage.auth.anonymous import LOGIN_NEEDED, anonymous
from moorage.auth.rates import RequestRates
from moorage.auth.registry_token import INVALID, RegistryTokens, TokenClaims, basic_password
from moorage.events.event import Asked, Event, Sink
from moorage.model import limits
from moorage.model.clock import Clock
from moorage.model.errors import NotAuthenticated
from moorage.model.principal import Caller
from moorage.model.scope import PUBLIC_PARTITION, Scope
from moorage.wire.http import Header, Request
from moorage.wire.oci.actions import request_key
from moorage.wire.oci.router import Route

MISSING = "authentication required"
_REMEMBERED, _LONGEST = 4096, 12_288
"""Headers that are remembered, and bytes of the longest: one may be stretched with spaces."""
_WITH_USER = "QVdTO"
"""How an authorizationToken begins: ``AWS:`` in base64."""
_NONE, _EMPTY = frozenset((b"",)), frozenset((b"Basic Og==", b"basic Og=="))
"""The header of clients that have no credentials: none, or, of those who were asked for Basic, an empty user and password."""


class Access:
    """Turns the Authorization header into a Caller.

    Args:
        assumed: for servers without authentication: who somebody without a token that counts is taken for.
        rates: the rates that requests are held to; None: to none.
        sinks: who reads the events of requests.
    """

    def __init__(
        self,
        tokens: RegistryTokens,
        clock: Clock,
        assumed: Callable[[Scope], Caller | None] | None = None,
        rates: RequestRates | None = None,
        sinks: tuple[Sink, ...] = (),
    ) -> None:
        self._tokens, self._clock, self._sinks = tokens, clock, sinks
        self._assumed, self._rates = assumed, rates
        self._seen: dict[bytes, TokenClaims] = {}  # headers whose token this server has made

    def caller(self, request: Request, scope: Scope, route: Route) -> Caller:
        """The holder of a token that is good in this registry's region. Raises NotAuthenticated, TokenExpired."""
        try:
            return self._holder(request, scope, route)
        except NotAuthenticated:
            assumed = self.stand_in(request, scope, route)
            if assumed is None:
                raise
            return assumed

    def _holder(self, request: Request, scope: Scope, route: Route) -> Caller:
        claims = self._claims(request.headers.get(b"authorization", b""))
        if claims.region != scope.region or claims.partition != scope.partition:
            raise NotAuthenticated(INVALID)
        return self._begun(_caller(claims, request), scope.region, route, request)

    def _begun(self, caller: Caller, region: str, route: Route, request: Request) -> Caller:
        """The caller with the event of the request, which begins, and its ticket."""
        key = request_key(caller.account_id, region, route, request.method)
        operation = key[2] if key is not None else f"{request.method} {route.kind}"
        asked = Asked(caller.arn, caller.account_id, operation)
        key_id = caller.access_key_id if caller.session is None else ""
        event = request.event = Event(asked, caller.principal_id, key_id, key, self._sinks)
        ticket = None
        if self._rates is not None and key is not None and not caller.is_anonymous:
            ticket = request.ticket = self._rates.ticket(key)
        return replace(caller, ticket=ticket, event=event)

    def public_caller(self, request: Request, route: Route, *, beside_private: bool) -> Caller:
        """Who asks a public registry: the holder of a token of ECR Public, or nobody in particular. Raises NotAuthenticated.

        Args:
            beside_private: the host is also that of a private registry, whose clients bring what they have for it, or what its
                challenge of ``/v2/`` has made of nothing. Whoever brings no public token is nobody then: a login at the one must
                not get in the way of a pull that needs none. A public token may come as either.
        """
        header = request.headers.get(b"authorization", b"")
        if not beside_private and header[:6].lower() == b"basic ":
            raise NotAuthenticated(INVALID)
        try:
            claims = self._claims(header)
            if claims.region:
                raise NotAuthenticated(INVALID)
        except NotAuthenticated:
            if not beside_private:
                raise
            return self._begun(_nobody(request), "", route, request)
        return self._begun(_caller(claims, request), "", route, request)

    def expiry(self, request: Request) -> int | None:
        """When the token expires (epoch seconds) with which a request came that `caller` has accepted; None: it needed none."""
        claims = self._seen.get(request.headers.get(b"authorization", b""))
        return claims.expires_at if claims is not None else None

    def stand_in(self, request: Request, scope: Scope, route: Route) -> Caller | None:
        """Who somebody without a token is taken for, on servers without authentication; None on all others."""
        assumed = self._assumed(scope) if self._assumed is not None else None
        return None if assumed is None else self._begun(assumed, scope.region, route, request)

    def public_token(self, request: Request, *, beside_private: bool) -> tuple[str, int]:
        """What the token endpoint of the public registries hands out, and for how many seconds: to those who bring credentials
        of ECR Public their token, to all others one of nobody. Raises NotAuthenticated for credentials that do not count.

        Args:
            beside_private: as in `public_caller`: credentials that are not of ECR Public count as none.
        """
        header = request.headers.get(b"authorization", b"")
        if header not in _NONE | _EMPTY:
            try:
                password, seconds = self.password(request)
                if self._claims(header).region:
                    raise NotAuthenticated(INVALID)
            except NotAuthenticated:
                if not beside_private:
                    raise
            else:
                return password, seconds
        expires_at = int(self._clock()) + limits.ANONYMOUS_TOKEN_SECONDS
        nobody = TokenClaims("", "", "", "", PUBLIC_PARTITION, "", expires_at)
        return self._tokens.issue(nobody), limits.ANONYMOUS_TOKEN_SECONDS

    def _claims(self, header: bytes) -> TokenClaims:
        claims = self._seen.get(header)
        if claims is None or self._clock() >= claims.expires_at:
            claims = self._open(header.decode("latin-1"))
            if len(header) <= _LONGEST:
                if len(self._seen) >= _REMEMBERED:
                    self._seen.clear()
                self._seen[header] = claims
        return claims

    def _open(self, header: str) -> TokenClaims:
        scheme, _, credentials = header.partition(" ")
        if scheme.lower() == "basic":
            password = basic_password(credentials.strip())
        elif scheme.lower() == "bearer":
            token = credentials.strip()
            # An authorizationToken as it is, which holds the user beside the password, is a bearer token as well.
            password = basic_password(token) if token.startswith(_WITH_USER) else token
        else:
            raise NotAuthenticated(MISSING)
        return self._tokens.open(password, self._clock())

    def password(self, request: Request) -> tuple[str, int]:
        """The token that a client brought by Basic, and the seconds it has left: what ``/token`` hands back for Bearer."""
        scheme, _, credentials = request.header(b"authorization").partition(" ")
        if scheme.lower() != "basic":
            raise NotAuthenticated(MISSING)
        password = basic_password(credentials.strip())
        now = self._clock()
        return password, int(self._tokens.open(password, now).expires_at - now)


def _nobody(request: Request) -> Caller:
    return anonymous(request.client_address, request.header(b"user-agent"), is_secure=request.scope["scheme"] == "https")


def _caller(claims: TokenClaims, request: Request) -> Caller:
    return Caller(
        claims.access_key_id,
        claims.account_id,
        claims.principal_id,
        claims.arn,
        request.client_address,
        request.header(b"user-agent"),
        claims.session,
        is_secure=request.scope["scheme"] == "https",
    )


def challenge(origin: str, *, bearer: bool) -> Header:
    """The WWW-Authenticate header. Source: ECR's own challenge; the Docker token specification for Bearer."""
    if bearer:
        return b"www-authenticate", f'Bearer realm="{origin}/token",service="ecr.amazonaws.com"'.encode("latin-1")
    return b"www-authenticate", f'Basic realm="{origin}/",service="ecr.amazonaws.com"'.encode("latin-1")


def public_challenge(origin: str, service: str, token: bytes, error: Exception) -> Header:
    """The WWW-Authenticate header of public registries. Source: ECR Public's own challenge, whose realm ends in a slash.

    Args:
        token: the Authorization header that was refused. Of a bearer token it is said what is wrong with it (RFC 6750,
            section 3.1): else docker takes a push without a login for a passing fault, and tries for a minute.
        error: why it was refused.
    """
    said = ""
    if token[:7].lower() == b"bearer " and isinstance(error, NotAuthenticated):
        wrong = "insufficient_scope" if str(error) == LOGIN_NEEDED else "invalid_token"
        said = f',error="{wrong}",error_description="{error}"'
    return b"www-authenticate", f'Bearer realm="{origin}/token/",service="{service}",scope="aws"{said}'.encode("latin-1")
