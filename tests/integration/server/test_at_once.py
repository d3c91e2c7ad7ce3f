"""Answers that need no waiting, between those that do: in their order, and never at the cost of a request."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from moorage.server.http.limits import HttpLimits
from moorage.transfer.handover import Receive, Scope, Send
from moorage.wire.http import AtOnce

from .serving import reply, serving


async def slowly(scope: Scope, receive: Receive, send: Send) -> None:
    """Reads the body and answers with the path."""
    while (await receive()).get("more_body", False):
        pass
    await reply(send, 200, b"slowly " + scope["raw_path"])


def at_once(scope: Any) -> AtOnce | None:
    """Answers what is below /quick; /broken is a mistake of the program."""
    path: bytes = scope["raw_path"]
    if path == b"/broken":
        raise LookupError("on purpose")
    if not path.startswith(b"/quick"):
        return None
    body = b"at once " + path
    return AtOnce.of(200, [], b"" if scope["method"] == "HEAD" else body, len(body))


def test_answers_come_in_the_order_of_their_requests() -> None:
    sent = ["/quick/1", "/2", "/quick/3", "/quick/4", "/5", "/6", "/quick/7"]
    with serving(slowly, at_once=at_once) as running:
        wire = running.connect()
        wire.send("".join(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n" for path in sent))
        told = [wire.response()[1].decode().rpartition(" ")[2] for _ in sent]
        assert told == sent
        running.access(len(sent) - 1)
        assert [access.raw_path.decode() for access in running.accesses] == sent
        assert len({access.request_id for access in running.accesses}) == len(sent)


def test_many_in_one_piece_are_answered() -> None:
    with serving(slowly, at_once=at_once, limits=HttpLimits(pipelined_requests=2)) as running:
        wire = running.connect()
        wire.send(b"GET /quick HTTP/1.1\r\nHost: a\r\n\r\n" * 3000)
        for _ in range(3000):
            assert wire.response() == (200, b"at once /quick")


@pytest.mark.parametrize(
    "request_text",
    [
        "POST /quick HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /quick HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab",
        "GET /quick HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET /quick HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "GET /quick HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
        "GET /quick HTTP/1.0\r\n\r\n",
    ],
)
def test_whatever_is_more_than_a_plain_question_goes_the_long_way(request_text: str) -> None:
    with serving(slowly, at_once=at_once) as running:
        wire = running.connect()
        wire.send(request_text)
        assert wire.response() == (200, b"slowly /quick")


def test_a_mistake_on_the_short_way_leaves_the_long_one(caplog: pytest.LogCaptureFixture) -> None:
    with serving(slowly, at_once=at_once) as running:
        wire = running.connect()
        wire.request("GET", "/broken")
        assert wire.response() == (200, b"slowly /broken")
        assert [record.levelno for record in caplog.records] == [logging.ERROR]
        assert running.access().status == 200
