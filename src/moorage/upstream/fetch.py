"""GET of a small document from a server that somebody else named: bounded in size and time, no redirects, no surprises."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from collections.abc import Sequence
from importlib import import_module
from urllib.parse import urlsplit

from moorage.upstream.addresses import AddressRefused, NameUnknown, Place, find_place, pinned_resolver

TIMEOUT_SECONDS = 5.0
"""For all of a fetch but the resolution of its name."""


class FetchRefused(Exception):
    """What is there is not acceptable, or leads where we do not go; trying again is no use. For the log only."""


class FetchFailed(Exception):
    """No answer, or one that says so: trying again may help. For the log only."""


class Fetcher:
    """Fetches documents by https from public addresses.

    Args:
        allow_private: also from private and loopback ones; then by http as well, but only from those, and from servers whose
            certificate nobody vouches for but the caller's thumbprints.
    """

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._authorities: ssl.SSLContext | None = None

    async def get(self, url: str, limit: int, thumbprints: Sequence[str] = ()) -> bytes:
        """The document at `url`, of at most `limit` bytes.

        Args:
            thumbprints: SHA-1 of certificates in lower-case hexadecimal; looked at only where private addresses are allowed.

        Raises:
            FetchRefused, FetchFailed
        """
        scheme, host, port = self._take_apart(url)
        try:
            place = await find_place(host, port, allow_private=self._allow_private)
        except AddressRefused as error:
            raise FetchRefused(str(error)) from None
        except NameUnknown as error:
            raise FetchFailed(str(error)) from None
        if scheme == "http" and place.is_public:
            raise FetchRefused(f"{url}: https is needed")
        await asyncio.to_thread(import_module, "aiohttp")  # at the first fetch: the event loop does not wait for it
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                tls = await self._trust(place, thumbprints) if scheme == "https" else None
                return await _get(url, place, tls, limit)
        except TimeoutError:
            raise FetchFailed(f"{url}: no answer in {TIMEOUT_SECONDS:.0f} s") from None

    def _take_apart(self, url: str) -> tuple[str, str, int]:
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            raise FetchRefused(f"{url[:200]!r} is no URL") from None
        allowed = {"https", "http"} if self._allow_private else {"https"}
        if parts.scheme not in allowed or not host or parts.username is not None or parts.password is not None:
            raise FetchRefused(f"{url[:200]!r}: only https, without user and password")
        return parts.scheme, host, port or (443 if parts.scheme == "https" else 80)

    async def _trust(self, place: Place, thumbprints: Sequence[str]) -> ssl.SSLContext:
        if self._allow_private and thumbprints:
            certificate = await _certificate_of(place)
            # SHA-1, because that is what IAM keeps of a provider. It names one certificate here; nothing is signed with it.
            if hashlib.sha1(certificate, usedforsecurity=False).hexdigest() in {each.lower() for each in thumbprints}:
                context = ssl.create_default_context(cadata=certificate)
                context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
                context.check_hostname = False  # this very certificate is trusted, whatever names it bears
                return context
        if self._authorities is None:  # reading them takes tens of milliseconds
            self._authorities = await asyncio.to_thread(ssl.create_default_context)
        return self._authorities


async def _certificate_of(place: Place) -> bytes:
    """The certificate that a server shows, in DER. Nothing else is asked of it, so it need not be trusted yet."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        _, writer = await asyncio.open_connection(place.addresses[0][1], place.port, ssl=context, server_hostname=place.host)
    except OSError as error:
        raise FetchFailed(f"{place.host}: {error}") from None
    try:
        certificate: bytes | None = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    finally:
        writer.transport.abort()
    return certificate or b""


async def _get(url: str, place: Place, tls: ssl.SSLContext | None, limit: int) -> bytes:
    import aiohttp

    connector = aiohttp.TCPConnector(resolver=pinned_resolver(place), use_dns_cache=False, force_close=True, ssl=tls or False)
    headers = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "moorage"}
    try:
        async with (
            aiohttp.ClientSession(connector=connector, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.get(url, headers=headers, allow_redirects=False) as answer,
        ):
            if answer.status >= 500 or answer.status == 429:
                raise FetchFailed(f"{url}: status {answer.status}")
            if answer.status != 200 or answer.headers.get("Content-Encoding", "identity") != "identity":
                raise FetchRefused(f"{url}: status {answer.status}, {answer.headers.get('Content-Encoding')}")
            body = bytearray()
            async for part in answer.content.iter_any():
                body += part
                if len(body) > limit:
                    raise FetchRefused(f"{url}: more than {limit} bytes")
            return bytes(body)
    except (aiohttp.ClientSSLError, ssl.SSLError) as error:
        raise FetchRefused(f"{url}: {error}") from None
    except (aiohttp.ClientError, OSError) as error:
        raise FetchFailed(f"{url}: {error}") from None
    except ValueError as error:
        raise FetchRefused(f"{url}: {error}") from None
