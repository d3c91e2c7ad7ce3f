"""How much one address may pull in a month without a login, counted over all nodes: in memory, written once a second.

What is checked before a pull begins is what all nodes have written down, and what this one has not yet. So an address can go over
its amount by what is under way, and by what other nodes sent in the seconds since this one last asked. What a crash can lose is
one second of counts. Source: ECR Public User Guide, "service quotas"; the text of the refusal is Amazon's.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, MutableMapping
from datetime import UTC, datetime
from typing import Any

from moorage.metadata.database import Database
from moorage.model.clock import Clock
from moorage.model.errors import DataLimitExceeded
from moorage.operations.usage.anonymous_transfers import record_sent, sent_to
from moorage.transfer.handover import EXTENSION, Channel, Send, Sink, Source
from moorage.transfer.pull_rate import place_of

_FRESH_SECONDS = 10.0
"""How long a sum counts that other nodes may have added to."""
_REMEMBERED = 65_536
_BATCH = 500


class AnonymousTransfers:
    """Belongs to the event loop.

    Args:
        most_bytes: what an address may pull in a month.
    """

    def __init__(self, db: Database, clock: Clock, most_bytes: int) -> None:
        self._db, self._clock, self._most = db, clock, most_bytes
        self._month = ""
        self._new: dict[str, int] = {}
        self._sums: OrderedDict[str, tuple[int, float]] = OrderedDict()

    async def check(self, address: str) -> None:
        """Make sure that an address may begin another pull. Raises DataLimitExceeded, with the seconds until the next month."""
        place, now = place_of(address), self._clock()
        month = self._turn(now)
        written, asked_at = self._sums.get(place, (0, float("-inf")))
        if not 0 <= now - asked_at < _FRESH_SECONDS:
            written = await self._db.lookup(sent_to, month, place)
            self._remember(place, written)
        if written + self._new.get(place, 0) >= self._most:
            raise DataLimitExceeded(_seconds_to_next_month(now))

    def sent(self, address: str, count: int) -> None:
        """Bytes have left for an address."""
        if count:
            self._turn(self._clock())
            place = place_of(address)
            if place in self._new or len(self._new) < _REMEMBERED:
                self._new[place] = self._new.get(place, 0) + count

    async def flush(self) -> None:
        """Write what has gathered."""
        if not self._new:
            return
        month = self._turn(self._clock())
        gathered, self._new = sorted(self._new.items()), {}
        written = 0
        try:
            for begin in range(0, len(gathered), _BATCH):
                sums = await self._db.write_lightly(record_sent, month, dict(gathered[begin : begin + _BATCH]))
                written = begin + _BATCH
                for place, total in sums.items():
                    self._remember(place, total)
        finally:
            for place, count in gathered[written:]:
                self._new[place] = self._new.get(place, 0) + count

    def counting(self, send: Send, scope: MutableMapping[str, Any], address: str) -> Send:
        """`send`, such that bodies sent by it, or by the channel in `scope`, are counted."""

        async def counted(message: MutableMapping[str, Any]) -> None:
            await send(message)
            if message["type"] == "http.response.body" and scope["method"] != "HEAD":
                self.sent(address, len(message.get("body", b"")))

        offer = (scope.get("extensions") or {}).get(EXTENSION)
        if offer is not None and (channel := offer.get("channel")) is not None:
            offer["channel"] = _CountingChannel(channel, lambda count: self.sent(address, count))
        return counted

    def _remember(self, place: str, total: int) -> None:
        self._sums[place] = total, self._clock()
        self._sums.move_to_end(place)
        if len(self._sums) > _REMEMBERED:
            self._sums.popitem(last=False)

    def _turn(self, now: float) -> str:
        """The month that it is; what was counted in another is over."""
        month = datetime.fromtimestamp(now, UTC).strftime("%Y-%m")
        if month != self._month:
            self._month = month
            self._new.clear()
            self._sums.clear()
        return month


class _CountingChannel:
    """A `Channel` that tells how much it has sent."""

    def __init__(self, channel: Channel, tell: Callable[[int], None]) -> None:
        self._channel, self._tell = channel, tell

    async def send_source(self, source: Source, start: int, stop: int) -> int:
        sent = await self._channel.send_source(source, start, stop)
        self._tell(sent)
        return sent

    async def receive_into(self, sink: Sink) -> bool:
        return await self._channel.receive_into(sink)


def _seconds_to_next_month(now: float) -> int:
    today = datetime.fromtimestamp(now, UTC)
    first = datetime(today.year + today.month // 12, today.month % 12 + 1, 1, tzinfo=UTC)
    return max(1, int(first.timestamp() - now) + 1)
