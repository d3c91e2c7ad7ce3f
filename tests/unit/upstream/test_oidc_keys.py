"""Fetching a provider's keys: from a real server on loopback, with everything that can be wrong with one."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
import re
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest

from moorage.auth.oidc import PublicKey, UnverifiedToken, check_signature, read_token
from moorage.model.sts_errors import IdentityTokenInvalid, ProviderUnreachable, VerificationKeyMissing
from moorage.testing.oidc_issuer import DISCOVERY, JWKS, IssuerAnswer, OidcIssuer
from moorage.testing.servers import free_ports
from moorage.upstream import fetch
from moorage.upstream.fetch import Fetcher, FetchRefused
from moorage.upstream.oidc_keys import FRESH_SECONDS, RETRY_SECONDS, STALE_SECONDS, ProviderKeys


class Time:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def issuer() -> Iterator[OidcIssuer]:
    with OidcIssuer() as running:
        yield running


@pytest.fixture
def secure_issuer() -> Iterator[OidcIssuer]:
    with OidcIssuer(tls=True, path="/tenant") as running:
        yield running


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(coroutine)


def ask(issuer: OidcIssuer, text: str | None = None, thumbprints: tuple[str, ...] = (), *, private: bool = True) -> Any:
    keys = ProviderKeys(Fetcher(allow_private=private))
    return run(keys.for_token(read_token(text or issuer.token()), issuer.url, thumbprints))


def test_keys_by_discovery(issuer: OidcIssuer) -> None:
    text = issuer.token()
    check_signature(read_token(text), ask(issuer, text))
    assert issuer.requests == {DISCOVERY: 1, JWKS: 1}


def test_keys_may_be_elsewhere(issuer: OidcIssuer) -> None:
    with OidcIssuer() as elsewhere:
        elsewhere.keys = issuer.keys
        issuer.discovery["jwks_uri"] = elsewhere.url + JWKS
        text = issuer.token()
        check_signature(read_token(text), ask(issuer, text))


def test_https_with_a_certificate_of_its_own_needs_its_thumbprint(secure_issuer: OidcIssuer) -> None:
    assert ask(secure_issuer, thumbprints=(secure_issuer.thumbprint.upper(),))
    for thumbprints in ((), ("0" * 40,)):
        with pytest.raises(VerificationKeyMissing):
            ask(secure_issuer, thumbprints=thumbprints)


def test_threat_13_loopback_and_http_are_refused_unless_they_are_allowed(issuer: OidcIssuer, secure_issuer: OidcIssuer) -> None:
    for each in (issuer, secure_issuer):
        with pytest.raises(VerificationKeyMissing):
            ask(each, thumbprints=(each.thumbprint,), private=False)
        assert not each.requests


def test_threat_13_a_redirect_is_not_followed(issuer: OidcIssuer) -> None:
    with OidcIssuer() as inside:
        for path in (DISCOVERY, JWKS):
            issuer.answers = {path: IssuerAnswer(302, headers={"Location": inside.url + path})}
            with pytest.raises(VerificationKeyMissing):
                ask(issuer)
        assert not inside.requests


def test_threat_13_keys_elsewhere_are_under_the_same_rules(issuer: OidcIssuer) -> None:
    for uri in (
        "file:///etc/passwd",
        "ftp://127.0.0.1/keys",
        "//127.0.0.1/keys",
        "https://user:pass@127.0.0.1/",
        "https://[",
        "",
        5,
        None,
    ):
        issuer.discovery["jwks_uri"] = uri
        with pytest.raises(VerificationKeyMissing):
            ask(issuer)


@pytest.mark.parametrize(
    "url", ["https://169.254.169.254/latest", "https://localhost/x", "https://0x7f.1/", "https://[::ffff:7f00:1]/"]
)
def test_threat_13_the_fetcher_goes_to_no_private_address(url: str) -> None:
    with pytest.raises(FetchRefused):
        run(Fetcher(allow_private=False).get(url, 100))


@pytest.mark.parametrize(
    "answer",
    [
        IssuerAnswer(200, b"x" * 300_000),
        IssuerAnswer(200, json.dumps({"keys": ["x" * 300_000]}).encode()),
        IssuerAnswer(200, gzip.compress(b'{"keys": []}'), {"Content-Encoding": "gzip"}),
        IssuerAnswer(200, b"<html>"),
        IssuerAnswer(200, b"[]"),
        IssuerAnswer(204),
        IssuerAnswer(404),
        IssuerAnswer(301, headers={"Location": "https://example.org/"}),
    ],
)
def test_answers_that_are_of_no_use(issuer: OidcIssuer, answer: IssuerAnswer) -> None:
    for path in (DISCOVERY, JWKS):
        issuer.answers = {path: answer}
        with pytest.raises(VerificationKeyMissing):
            ask(issuer)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_answers_that_are_worth_another_try(issuer: OidcIssuer, status: int) -> None:
    issuer.answers = {JWKS: IssuerAnswer(status)}
    with pytest.raises(ProviderUnreachable):
        ask(issuer)


def test_nobody_answers() -> None:
    issuer = OidcIssuer()
    text = issuer.token()
    issuer._server.server_close()
    issuer.origin = f"http://127.0.0.1:{free_ports(1)[0]}"
    keys = ProviderKeys(Fetcher(allow_private=True))
    with pytest.raises(ProviderUnreachable):
        run(keys.for_token(read_token(text), issuer.url, ()))


def test_a_slow_answer_is_not_waited_for(issuer: OidcIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "TIMEOUT_SECONDS", 0.2)
    issuer.answers = {JWKS: IssuerAnswer(200, b'{"keys": []}', seconds=2)}
    with pytest.raises(ProviderUnreachable):
        ask(issuer)


@pytest.mark.parametrize("claimed", ["https://example.org", None, "", "http://127.0.0.1"])
def test_the_document_must_speak_for_the_issuer(issuer: OidcIssuer, claimed: str | None) -> None:
    issuer.discovery["issuer"] = claimed
    with pytest.raises(VerificationKeyMissing):
        ask(issuer)


def test_threat_04_another_issuers_keys_do_not_count(issuer: OidcIssuer) -> None:
    with OidcIssuer() as other:
        stolen = other.token(iss=issuer.url)
        with pytest.raises(IdentityTokenInvalid):
            check_signature(read_token(stolen), ask(issuer, stolen))


class Asking:
    """One cache over several questions, in one event loop, with a clock of its own."""

    def __init__(self, issuer: OidcIssuer) -> None:
        self.issuer, self.time = issuer, Time()
        self.keys = ProviderKeys(Fetcher(allow_private=True), self.time)

    async def __call__(self, text: str | None = None) -> Any:
        token: UnverifiedToken = read_token(text or self.issuer.token())
        found: tuple[PublicKey, ...] = tuple(await self.keys.for_token(token, self.issuer.url, ()))
        check_signature(token, found)
        return found

    @property
    def fetches(self) -> int:
        return self.issuer.requests[DISCOVERY]


def test_keys_are_remembered_and_fetched_once_for_all_who_wait(issuer: OidcIssuer) -> None:
    async def play() -> None:
        asking = Asking(issuer)
        issuer.answers = {DISCOVERY: IssuerAnswer(200, issuer.document(DISCOVERY) or b"", seconds=0.1)}
        await asyncio.gather(*(asking() for _ in range(20)))
        await asking()
        assert asking.fetches == 1

    run(play())


def test_who_leaves_does_not_take_the_answer_from_the_others(issuer: OidcIssuer) -> None:
    async def play() -> None:
        asking = Asking(issuer)
        issuer.answers = {DISCOVERY: IssuerAnswer(200, issuer.document(DISCOVERY) or b"", seconds=0.1)}
        first, second = asyncio.ensure_future(asking()), asyncio.ensure_future(asking())
        await asyncio.sleep(0)
        first.cancel()
        assert await second
        assert asking.fetches == 1

    run(play())


def test_a_new_kid_is_asked_for_but_not_at_every_token(issuer: OidcIssuer) -> None:
    async def play() -> None:
        asking = Asking(issuer)
        await asking()
        issuer.rotate(keep=1)
        with pytest.raises(VerificationKeyMissing):
            await asking()
        assert asking.fetches == 1
        asking.time.now += RETRY_SECONDS
        await asking()
        with OidcIssuer() as other:
            for _ in range(5):
                with pytest.raises(VerificationKeyMissing):
                    await asking(other.token(iss=issuer.url))
        assert asking.fetches == 2

    run(play())


def test_a_withdrawn_key_counts_no_longer_than_keys_are_fresh(issuer: OidcIssuer) -> None:
    async def play() -> None:
        asking = Asking(issuer)
        old = issuer.token()
        await asking(old)
        issuer.rotate()
        asking.time.now += FRESH_SECONDS - 1
        await asking(old)
        asking.time.now += 1
        with pytest.raises(VerificationKeyMissing):
            await asking(old)

    run(play())


def test_keys_outlive_an_outage_up_to_a_bound(issuer: OidcIssuer) -> None:
    async def play() -> None:
        asking = Asking(issuer)
        await asking()
        issuer.answers = {DISCOVERY: IssuerAnswer(503)}
        asking.time.now += FRESH_SECONDS
        await asking()
        await asking()
        assert asking.fetches == 2  # a failure is not tried again at once
        with OidcIssuer() as other, pytest.raises(ProviderUnreachable):
            await asking(other.token(iss=issuer.url))
        asking.time.now += STALE_SECONDS - FRESH_SECONDS
        with pytest.raises(ProviderUnreachable):
            await asking()
        issuer.answers = {}
        asking.time.now += RETRY_SECONDS
        await asking()

    run(play())


def test_a_provider_that_was_out_of_reach_is_asked_again_after_seconds(issuer: OidcIssuer) -> None:
    """And less and less often while it stays away, but at least twice a minute."""

    async def play() -> None:
        asking = Asking(issuer)
        issuer.answers = {DISCOVERY: IssuerAnswer(503)}
        asked_at: list[float] = []
        for _ in range(200):
            with pytest.raises(ProviderUnreachable):
                await asking()
            if asking.fetches > len(asked_at):
                asked_at.append(asking.time.now)
            asking.time.now += 0.5
        pauses = [later - sooner for sooner, later in itertools.pairwise(asked_at)]
        assert pauses[:5] == [1, 2, 4, 8, 16]
        assert set(pauses[5:]) == {RETRY_SECONDS}
        issuer.answers = {}
        asking.time.now += RETRY_SECONDS
        await asking()
        issuer.answers = {DISCOVERY: IssuerAnswer(503)}
        asking.time.now += STALE_SECONDS
        with pytest.raises(ProviderUnreachable):
            await asking()
        issuer.answers = {}
        asking.time.now += 1
        await asking()  # it has answered meanwhile, so it is tried as soon again as the first time

    run(play())


def test_the_log_names_the_provider_and_never_the_token(issuer: OidcIssuer, caplog: pytest.LogCaptureFixture) -> None:
    issuer.answers = {DISCOVERY: IssuerAnswer(404)}
    text = issuer.token()
    with pytest.raises(VerificationKeyMissing):
        ask(issuer, text)
    assert issuer.url in caplog.text
    assert not any(part in caplog.text for part in re.split(r"\.", text))
