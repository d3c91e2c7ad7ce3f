"""The keys of identity providers: found by discovery, remembered for a while, fetched again when a token names a new one.

Sources: OpenID Connect Discovery 1.0, sections 4 and 4.3; RFC 7517.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from moorage.auth.oidc import PublicKey, UnverifiedToken, keys_for, read_keys
from moorage.model.shown import shown
from moorage.model.sts_errors import ProviderUnreachable, VerificationKeyMissing
from moorage.upstream.fetch import Fetcher, FetchFailed, FetchRefused

logger = logging.getLogger("moorage.oidc")

FRESH_SECONDS = 3600.0
"""Keys of this age are fetched again before they are used."""
STALE_SECONDS = 24 * 3600.0
"""Where that does not succeed they count on, until they have this age: a provider that withdraws a key is obeyed."""
RETRY_SECONDS = 30.0
"""A provider that has answered is asked no more often than this, whatever tokens say and whatever it said."""
UNREACHABLE_SECONDS = 1.0
"""One that could not be reached is asked again after this, and after twice as long each time, up to `RETRY_SECONDS`."""

_DISCOVERY_BYTES = 64 * 1024
_JWKS_BYTES = 256 * 1024
_PROVIDERS = 512

_Problem = VerificationKeyMissing | ProviderUnreachable


class _Known:
    """What is known of one provider. Times are of a clock that only goes forward."""

    __slots__ = ("fetched_at", "fetching", "keys", "problem", "tried_at", "unreached")

    def __init__(self) -> None:
        self.keys: tuple[PublicKey, ...] = ()
        self.fetched_at = float("-inf")
        self.tried_at = float("-inf")
        self.problem: _Problem | None = None
        self.unreached = 0  # times in a row
        self.fetching: asyncio.Task[None] | None = None


class ProviderKeys:
    """Keys by provider. Belongs to one event loop."""

    def __init__(self, fetcher: Fetcher, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetcher, self._clock = fetcher, clock
        self._providers: OrderedDict[tuple[str, tuple[str, ...]], _Known] = OrderedDict()

    async def for_token(self, token: UnverifiedToken, issuer: str, thumbprints: Sequence[str]) -> Sequence[PublicKey]:
        """The keys of the provider `issuer` (its URL), one of which `token` names.

        Everybody who waits for the keys of one provider waits for one fetch.

        Raises:
            VerificationKeyMissing: the provider has no such key, or what it says of itself cannot be used.
            ProviderUnreachable: it does not answer, and no keys of it are known that still count.
        """
        known = self._known(issuer, tuple(thumbprints))
        is_fresh = self._clock() - known.fetched_at < FRESH_SECONDS
        if not (is_fresh and keys_for(token, known.keys)):
            await self._refresh(known, issuer, thumbprints)
        is_useless = not keys_for(token, known.keys) or self._clock() - known.fetched_at >= STALE_SECONDS
        if is_useless and known.problem is not None:
            raise type(known.problem)(str(known.problem))
        if is_useless:
            raise VerificationKeyMissing(f"{issuer} has no key {str(token.kid)[:80]!r} for {token.algorithm}")
        return known.keys

    def _known(self, issuer: str, thumbprints: tuple[str, ...]) -> _Known:
        entry = (issuer, thumbprints)
        known = self._providers.get(entry)
        if known is None:
            known = self._providers[entry] = _Known()
            if len(self._providers) > _PROVIDERS:
                self._providers.popitem(last=False)
        self._providers.move_to_end(entry)
        return known

    async def _refresh(self, known: _Known, issuer: str, thumbprints: Sequence[str]) -> None:
        if known.fetching is None:
            if self._clock() - known.tried_at < _pause(known.unreached):
                return
            known.tried_at = self._clock()
            known.fetching = asyncio.create_task(self._fetch(known, issuer, thumbprints))
        await asyncio.shield(known.fetching)  # who leaves early does not take the others' answer away

    async def _fetch(self, known: _Known, issuer: str, thumbprints: Sequence[str]) -> None:
        try:
            known.keys = await self._ask(issuer, thumbprints)
            known.fetched_at, known.problem = self._clock(), None
        except FetchRefused as error:
            known.problem = VerificationKeyMissing(str(error))
        except FetchFailed as error:
            known.problem = ProviderUnreachable(str(error))
        except Exception as error:
            logger.error("keys of %s", shown(issuer), exc_info=error)
            known.problem = VerificationKeyMissing(str(error))
        finally:
            known.fetching = None
        known.unreached = known.unreached + 1 if isinstance(known.problem, ProviderUnreachable) else 0
        if known.problem is not None:
            logger.warning("no keys of identity provider %s: %s", shown(issuer), known.problem)

    async def _ask(self, issuer: str, thumbprints: Sequence[str]) -> tuple[PublicKey, ...]:
        url = issuer.rstrip("/") + "/.well-known/openid-configuration"
        document = _read(await self._fetcher.get(url, _DISCOVERY_BYTES, thumbprints))
        if document.get("issuer") != issuer:
            raise FetchRefused(f"{url} speaks for {str(document.get('issuer'))[:200]!r}")
        location = document.get("jwks_uri")
        if not isinstance(location, str):
            raise FetchRefused(f"{url} names no jwks_uri")
        try:
            return read_keys(await self._fetcher.get(location, _JWKS_BYTES, thumbprints))
        except ValueError as error:
            raise FetchRefused(f"{location[:200]}: {error}") from None


def _pause(unreached: int) -> float:
    """How long a provider is left alone after it was asked."""
    return min(RETRY_SECONDS, UNREACHABLE_SECONDS * 2 ** min(unreached - 1, 16)) if unreached else RETRY_SECONDS


def _read(document: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(document, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise FetchRefused("the discovery document is no JSON object") from None
