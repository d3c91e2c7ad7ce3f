"""The hand-over of a connection's descriptor to threads, for the bodies of one request and its response.

See `moorage.transfer.handover` for what it promises, and `socket_io` for how threads take turns.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence

from moorage.server.http.answer import Answer
from moorage.server.http.cycle import RequestCycle
from moorage.server.http.parser import BODY_END, Event
from moorage.server.http.socket_io import (
    BrokenFraming,
    Gathering,
    Receiving,
    ReceivingChunks,
    Sending,
)
from moorage.server.http.turns import Step, take_turns
from moorage.transfer.handover import Sink, Source, fill


class DescriptorChannel:
    """The `Channel` that the extension offers."""

    __slots__ = ("_cycle",)

    def __init__(self, cycle: RequestCycle) -> None:
        self._cycle = cycle

    async def send_source(self, source: Source, start: int, stop: int) -> int:
        """Part of `Channel`: see `moorage.transfer.handover.send_source`."""
        cycle = self._cycle
        answer = cycle.open_answer()
        if cycle.head.method == "HEAD" or start == stop:
            await cycle.send_body(answer, b"", False)
            return 0
        if not answer.is_of(stop - start):
            raise ValueError(f"a body of {stop - start} bytes for another Content-Length")
        step = Step.GONE
        with cycle.connection.reading_held():
            await cycle.connection.drained()
            if not cycle.is_disconnected:
                step = await self._send_turns(answer, source, start, stop)
        if step is Step.DONE:
            cycle.complete()
        else:
            self._give_up()
        return answer.bytes_out

    async def receive_into(self, sink: Sink) -> bool:
        """Part of `Channel`: see `moorage.transfer.handover.receive_into`."""
        cycle = self._cycle
        cycle.let_body_come()
        with cycle.connection.reading_held():
            try:
                step = await self._receive_turns(sink)
            except asyncio.CancelledError:
                cycle.connection.abort()
                raise
            except Exception:
                # The parser no longer knows where in the body the connection stands.
                cycle.keep_alive = False
                cycle.connection.is_discarding = True
                raise
        cycle.body_settled()
        if step is Step.DONE:
            return True
        if step is Step.BROKEN:
            cycle.pipeline.refuse(400, cycle.head.agent, in_body=True)
        else:
            self._give_up()
        return False

    def _give_up(self) -> None:
        self._cycle.connection.abort()
        self._cycle.lost()

    async def _send_turns(self, answer: Answer, source: Source, start: int, stop: int) -> Step:
        connection, pool = self._cycle.connection, self._cycle.site.terms.transfers
        with connection.descriptor() as descriptor:
            sending = Sending(descriptor, pool, source, range(start, stop), answer.head)
            try:
                return await take_turns(sending, descriptor, pool, connection.limits.stall_seconds)
            except BaseException:
                if len(sending.head) < len(answer.head):
                    connection.abort()
                raise
            finally:
                answer.bytes_out += sending.position - start
                if len(sending.head) < len(answer.head):
                    answer.head = b""

    async def _receive_turns(self, sink: Sink) -> Step:
        cycle = self._cycle
        if cycle.body:
            data, cycle.body = cycle.body, bytearray()
            await cycle.site.terms.transfers.run(fill, sink, data)
        if not cycle.more_body:
            return Step.DONE
        if cycle.is_broken:
            return Step.BROKEN
        if cycle.is_disconnected:
            return Step.GONE
        with cycle.connection.descriptor() as descriptor:
            if cycle.head.length is None:
                return await self._receive_chunks(sink, descriptor)
            return await self._receive_length(sink, descriptor, cycle.head.length)

    async def _receive_length(self, sink: Sink, descriptor: socket.socket, length: int) -> Step:
        cycle = self._cycle
        receiving = Receiving(descriptor, cycle.site.terms.transfers, sink, length - cycle.bytes_in)
        try:
            step = await self._take_in(receiving, descriptor)
        finally:
            cycle.bytes_in += receiving.received
        if step is Step.DONE:
            cycle.more_body = False
            cycle.pipeline.parser.body_was_taken()
        return step

    async def _receive_chunks(self, sink: Sink, descriptor: socket.socket) -> Step:
        cycle, parser, gathering = self._cycle, self._cycle.pipeline.parser, Gathering(sink)
        behind: Sequence[Event] = ()

        def feed(data: memoryview) -> bool:
            nonlocal behind
            events = parser.feed(data)
            for number, event in enumerate(events, 1):
                if isinstance(event, bytes):
                    cycle.bytes_in += len(event)
                    gathering.copy(event)
                elif event is BODY_END:
                    cycle.more_body = False
                    behind = events[number:]
                    return True
                else:
                    raise BrokenFraming
            return False

        step = await self._take_in(ReceivingChunks(descriptor, cycle.site.terms.transfers, feed, gathering.flush), descriptor)
        cycle.pipeline.came_behind(behind)
        return step

    async def _take_in(self, receiving: Receiving | ReceivingChunks, descriptor: socket.socket) -> Step:
        limits = self._cycle.connection.limits
        return await take_turns(receiving, descriptor, self._cycle.site.terms.transfers, limits.stall_seconds, limits.stall_bytes)
