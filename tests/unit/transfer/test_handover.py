"""The plain path below a server that offers nothing."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from moorage.model.errors import StorageCorrupt, StorageFull
from moorage.transfer.handover import PIECE_BYTES, Message, Scope, receive_into, send_source

CONTENT = bytes(range(256)) * 20000  # about 5 MiB
SCOPE: Scope = {"type": "http", "method": "GET"}


class Content:
    """A source in memory whose pieces end at odd places."""

    def __init__(self, size: int = len(CONTENT)) -> None:
        self.size = size
        self.busy = False

    def view(self, offset: int) -> memoryview:
        assert threading.current_thread() is not threading.main_thread()
        return memoryview(CONTENT)[offset : (offset // 700_001 + 1) * 700_001]

    def descriptor(self) -> int | None:
        return None


class Collected:
    def __init__(self, full_at: int | None = None) -> None:
        self.content = bytearray()
        self._room = memoryview(bytearray(300_000))
        self._full_at = full_at

    def buffer(self) -> memoryview:
        return self._room

    def advance(self, count: int) -> None:
        assert threading.current_thread() is not threading.main_thread()
        self.content += self._room[:count]
        if self._full_at is not None and len(self.content) > self._full_at:
            raise StorageFull


def sent(scope: Scope, source: Content, start: int, stop: int, leaves_after: int = 1 << 40) -> tuple[int, bytes, list[bool]]:
    """What `send_source` returns and sends; the client leaves after that many bytes."""
    body = bytearray()
    more: list[bool] = []

    async def send(message: Message) -> None:
        if len(body) >= leaves_after:
            raise ConnectionResetError
        assert len(message["body"]) <= PIECE_BYTES
        body.extend(message["body"])
        more.append(message.get("more_body", False))

    return asyncio.run(send_source(scope, send, source, start, stop)), bytes(body), more


@pytest.mark.parametrize("span", [(0, len(CONTENT)), (3, 4), (700_000, 700_002), (9, 9), (123, 4_000_000)])
def test_a_range_is_sent_in_bounded_pieces(span: tuple[int, int]) -> None:
    count, body, more = sent(SCOPE, Content(), *span)
    assert body == CONTENT[span[0] : span[1]]
    assert count == len(body)
    assert more == [True] * (len(more) - 1) + [False]


def test_head_reads_nothing() -> None:
    assert sent({"type": "http", "method": "HEAD"}, Content(), 0, 100) == (0, b"", [False])


def test_a_client_that_leaves_is_no_error() -> None:
    count, body, _ = sent(SCOPE, Content(), 0, len(CONTENT), leaves_after=1_000_000)
    assert count <= len(body) < len(CONTENT)


def test_a_source_that_ends_early_is_corrupt() -> None:
    with pytest.raises(StorageCorrupt):
        sent(SCOPE, Content(len(CONTENT) + 1), 0, len(CONTENT) + 1)


@pytest.mark.parametrize("span", [(-1, 5), (5, 4), (0, len(CONTENT) + 1)])
def test_a_range_outside_the_source_is_refused(span: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="not within"):
        sent(SCOPE, Content(), *span)


def received(sink: Collected, messages: list[dict[str, Any]]) -> bool:
    async def receive() -> Message:
        return messages.pop(0)

    return asyncio.run(receive_into(SCOPE, receive, sink))


def requests(size: int, piece: int) -> list[dict[str, Any]]:
    starts = list(range(0, size, piece)) or [0]
    return [
        {"type": "http.request", "body": CONTENT[start : min(size, start + piece)], "more_body": start != starts[-1]}
        for start in starts
    ]


@pytest.mark.parametrize(("size", "piece"), [(0, 1), (1, 1), (len(CONTENT), 65536), (len(CONTENT), 3_000_000)])
def test_a_body_arrives_whole(size: int, piece: int) -> None:
    sink = Collected()
    assert received(sink, requests(size, piece))
    assert sink.content == CONTENT[:size]


def test_what_came_before_the_client_left_is_kept() -> None:
    sink = Collected()
    assert not received(sink, [*requests(len(CONTENT), 65536)[:30], {"type": "http.disconnect"}])
    assert sink.content == CONTENT[: 30 * 65536]


def test_an_error_of_the_sink_is_the_callers() -> None:
    with pytest.raises(StorageFull):
        received(Collected(full_at=1_000_000), requests(len(CONTENT), 65536))
