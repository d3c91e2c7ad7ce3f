"""Tokens that this process holds: each request takes one where it was found to be allowed, without asking anybody.

The tokens of a bucket lie in the database, shared by all processes and nodes. A process leases some at a time
(`operations.rates`) and spends them here, in memory. A lease lasts two seconds; what was not spent by then goes back with the
next one. So nothing is ever let through that the bucket did not give, and what a process that dies takes along is one lease.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Mapping
from threading import Lock

from moorage.model.clock import Clock
from moorage.model.errors import RateExceeded
from moorage.model.rates import RequestKey
from moorage.model.token_bucket import Rate

LEASE_SECONDS = 2.0
_PAUSE_SECONDS = 0.05
"""How long a bucket that was emptied is not asked again, at least, so that it gives more than one token at a time."""
_REMEMBERED = 65_536
_ROUNDED = 0.001
"""Seconds by which a wait may be rounded down."""


class TokensNeeded(Exception):
    """This process holds no token of a bucket, and does not know that there is none: it is to lease some."""

    def __init__(self, bucket: str, rate: Rate) -> None:
        super().__init__(bucket)
        self.bucket = bucket
        self.rate = rate


class _Held:
    """What this process has of one bucket. Times are seconds."""

    __slots__ = ("batch", "leased_at", "refused_at", "refused_until", "tokens")

    def __init__(self, rate: Rate) -> None:
        self.tokens = 0
        self.leased_at = 0.0
        self.refused_at = self.refused_until = 0.0
        self.batch = max(1, rate.burst // 8)


def most_held(rate: Rate) -> int:
    """Tokens of a bucket that one process holds at most, beside those that requests are waiting for."""
    return max(1, rate.burst // 4, rate.per_second // 2)


class HeldTokens:
    """The tokens of this process, by the name of their bucket. Any thread may spend them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = Lock()
        self._held: OrderedDict[str, _Held] = OrderedDict()

    def spend(self, bucket: str, rate: Rate) -> None:
        """Take a token. Raises RateExceeded, TokensNeeded."""
        now = self._clock()
        with self._lock:
            held = self._held.get(bucket)
            if held is None:
                raise TokensNeeded(bucket, rate)
            if held.tokens and 0 <= now - held.leased_at < LEASE_SECONDS:
                held.tokens -= 1
                return
            if not held.refused_at <= now < held.refused_until:
                raise TokensNeeded(bucket, rate)
            wait = held.refused_until - now
        raise RateExceeded(max(1, math.ceil(wait - _ROUNDED)))

    def give_back(self, bucket: str) -> None:
        """A token was not used after all."""
        with self._lock:
            held = self._held.get(bucket)
            if held is not None:
                held.tokens += 1

    def ask(self, bucket: str, rate: Rate, waiting: int) -> tuple[int, int]:
        """What to lease for `waiting` requests: how many tokens, and how many go back.

        Who spends a lease in less than half of its time asks for twice as many the next time; who had most of it left, for half.
        """
        now = self._clock()
        with self._lock:
            held = self._held.get(bucket)
            if held is None:
                held = self._held[bucket] = _Held(rate)
                if len(self._held) > _REMEMBERED:
                    self._held.popitem(last=False)
            else:
                self._held.move_to_end(bucket)
                if held.tokens * 2 > held.batch:
                    held.batch = max(1, held.batch // 2)
                elif not held.tokens and 0 <= now - held.leased_at < LEASE_SECONDS / 2:
                    held.batch *= 2
                held.batch = min(held.batch, most_held(rate))
            returned, held.tokens = held.tokens, 0
            return max(held.batch, waiting), returned

    def has_answer(self, bucket: str, waiting: int) -> bool:
        """Whether `waiting` requests would be told something without a lease."""
        now = self._clock()
        with self._lock:
            held = self._held.get(bucket)
            return held is not None and (
                (held.tokens >= waiting and 0 <= now - held.leased_at < LEASE_SECONDS)
                or held.refused_at <= now < held.refused_until
            )

    def put(self, bucket: str, rate: Rate, tokens: int, wait_micros: int) -> None:
        """A lease has come. `wait_micros`, if not 0: it has emptied the bucket, which will have another token then."""
        now = self._clock()
        with self._lock:
            held = self._held.get(bucket)
            if held is None:
                return
            held.tokens += tokens
            held.leased_at = now
            if wait_micros:
                pause = min(_PAUSE_SECONDS, rate.span / 2_000_000)
                held.refused_at, held.refused_until = now, now + max(wait_micros / 1_000_000, pause)


class RequestTicket:
    """One request's claim to a token: see `model.rates.Ticket`."""

    __slots__ = ("_bucket", "_held", "_is_taken", "_rate")

    def __init__(self, held: HeldTokens, bucket: str, rate: Rate) -> None:
        self._held, self._bucket, self._rate = held, bucket, rate
        self._is_taken = False

    def admit(self) -> None:
        """Take the token once. Raises RateExceeded, TokensNeeded."""
        if not self._is_taken:
            self._held.spend(self._bucket, self._rate)
            self._is_taken = True

    def give_back(self) -> None:
        """Put the token back."""
        if self._is_taken:
            self._held.give_back(self._bucket)
            self._is_taken = False


class RequestRates:
    """The rates that hold for the requests of accounts.

    Args:
        rates: by operation; those that are not there have none.
    """

    def __init__(self, held: HeldTokens, rates: Mapping[str, Rate]) -> None:
        self._held, self._rates = held, rates

    def ticket(self, key: RequestKey) -> RequestTicket | None:
        """The ticket of a request; None: its operation has no rate."""
        rate = self._rates.get(key[2])
        return None if rate is None else RequestTicket(self._held, f"{key[0]}/{key[1]}/{key[2]}", rate)

    def admits(self, key: RequestKey) -> bool:
        """Take a token for a request that is known to be allowed; False: there is none here, so it is to be asked for."""
        ticket = self.ticket(key)
        if ticket is None:
            return True
        try:
            ticket.admit()
        except (RateExceeded, TokensNeeded):
            return False
        return True
