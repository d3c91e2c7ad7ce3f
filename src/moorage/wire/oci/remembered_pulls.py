"""Answers to pulls of manifests, as they left: whoever asks for the same again is answered so while nothing has changed.

Nothing: not one commit of any process, but those that no answer rests on (`Database.version_at_once`). What is kept was allowed
whatever the request's context, to the holder of a token that has not expired. So this is never another answer than the whole
way's, and a right that is taken away, a tag that is moved or an image that is deleted counts from the next request on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from moorage.auth.rates import RequestRates
from moorage.events.event import EVENT, Event
from moorage.metadata.database import Database, Version
from moorage.model.clock import Clock
from moorage.model.scope import Scope
from moorage.wire.http import AnswerSoon, AtOnce, Request

_BOUND = 8192
"""Answers that are kept; their bodies are those of the cache of opened manifests, or were."""
_BODY_BYTES = 8 * 1024 * 1024
_LONGEST = 12_288
"""Bytes of a token and a path together. Tokens have some hundred, those of sessions with policies a few thousand."""

Target = tuple[str, bytes, Scope]


class RememberedPull(NamedTuple):
    """What was answered, and for how long that counts.

    `version` is the database's before the answer was looked up; `event` is that of whoever is answered so.
    """

    answer: AtOnce
    version: Version
    expires_at: float
    event: Event


class RememberedPulls:
    """By token, then by what was asked. Belongs to the event loop.

    Args:
        rates: the rates that requests are held to; None: to none.
    """

    def __init__(self, db: Database, clock: Clock, rates: RequestRates | None = None) -> None:
        self._db, self._clock, self._rates = db, clock, rates
        self._kept: dict[bytes, dict[Target, RememberedPull]] = {}
        self._count = self._body_bytes = 0

    def find(self, request: Request, scope: Scope) -> AtOnce | None:
        """The answer, counted as a pull like any other; None: look it up. Only where the database `answers_at_once`."""
        kept = self._candidate(request, scope)
        if kept is None or kept.version != self._db.version_at_once():
            return None
        return self._passed(request, kept)

    def find_soon(self, request: Request, scope: Scope, unavailable: Callable[[], AtOnce]) -> AnswerSoon | None:
        """`find` where the database has to be asked: once for all who ask at the same time. None: nothing is kept.

        Args:
            unavailable: the answer if it does not answer. To ask again would take as long again.
        """
        kept = self._candidate(request, scope)
        if kept is None:
            return None
        soon = AnswerSoon()

        def tell(version: Version | None) -> None:
            if version is None:
                soon.then(unavailable())
            else:
                soon.then(self._passed(request, kept) if kept.version == version else None)

        self._db.version_soon(tell)
        return soon

    def _candidate(self, request: Request, scope: Scope) -> RememberedPull | None:
        headers = request.headers
        of_token = self._kept.get(headers.get(b"authorization", b""))
        if of_token is None or b"if-none-match" in headers:
            return None
        return of_token.get((request.scope["method"], request.scope["raw_path"], scope))

    def _passed(self, request: Request, kept: RememberedPull) -> AtOnce | None:
        """The answer, if the token still counts and the request is within its rate."""
        if self._clock() >= kept.expires_at:
            return None
        key = kept.event.counted_as
        if self._rates is not None and key is not None and not self._rates.admits(key):
            return None
        request.scope[EVENT] = kept.event
        return kept.answer

    def keep(self, request: Request, scope: Scope, pull: RememberedPull) -> None:
        """Remember an answer that holds until something changes."""
        token, target = request.headers[b"authorization"], (request.method, request.scope["raw_path"], scope)
        if len(token) + len(request.scope["raw_path"]) > _LONGEST:
            return  # spaces and percent signs make either as long as somebody likes
        size = len(pull.answer.body)
        if self._count >= _BOUND or self._body_bytes + size > _BODY_BYTES:
            self._kept.clear()
            self._count = self._body_bytes = 0
        of_token = self._kept.setdefault(token, {})
        before = of_token.get(target)
        if before is None:
            self._count += 1
        else:
            self._body_bytes -= len(before.answer.body)
        self._body_bytes += size
        of_token[target] = pull
