"""Answers that need no waiting, between those that do: in their order, and never at the cost of a request."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from moorage.server.http.limits import HttpLimits
from moorage.transfer.handover import Receive, Scope, Send
from moorage.wire.http import AnswerSoon, AtOnce

from .serving import Running, reply, serving, until


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


class Pending:
    """Questions that are under way: the test says when they are answered, and how."""

    def __init__(self) -> None:
        self.asked: list[AnswerSoon] = []

    def at_once(self, scope: Any) -> AnswerSoon | None:
        if not scope["raw_path"].startswith(b"/soon"):
            return None
        self.asked.append(AnswerSoon())
        return self.asked[-1]

    def tell(self, running: Running, number: int, answer: AtOnce | None) -> None:
        until(lambda: len(self.asked) > number)
        running.loop.call_soon_threadsafe(lambda: self.asked[number].then(answer))


SOON = AtOnce.of(200, [], b"soon")


def test_an_answer_that_comes_soon_comes_before_what_follows() -> None:
    pending = Pending()
    with serving(slowly, at_once=pending.at_once) as running:
        wire = running.connect()
        wire.send("".join(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n" for path in ("/soon/1", "/2", "/soon/3")))
        pending.tell(running, 0, SOON)
        told = [wire.response()[1] for _ in range(3)]
        assert told == [b"soon", b"slowly /2", b"slowly /soon/3"]  # who waited for another one goes the long way
        assert [access.status for access in running.accesses] == [200] * 3
        wire.request("GET", "/soon/4")
        pending.tell(running, 1, SOON)
        assert wire.response() == (200, b"soon")


def test_what_is_not_known_soon_goes_the_long_way() -> None:
    pending = Pending()
    with serving(slowly, at_once=pending.at_once) as running:
        wire = running.connect()
        wire.request("GET", "/soon")
        pending.tell(running, 0, None)
        assert wire.response() == (200, b"slowly /soon")
        assert running.access().status == 200
        assert len(running.accesses) == 1


def test_a_client_that_leaves_meanwhile_is_reported_once_and_the_server_goes_on() -> None:
    pending = Pending()
    with serving(slowly, at_once=pending.at_once) as running:
        wire = running.connect()
        wire.request("GET", "/soon")
        until(lambda: len(pending.asked) == 1)
        wire.close()
        left = running.access()
        assert (left.status, left.whole) == (0, False)
        pending.tell(running, 0, SOON)
        other = running.connect()
        other.request("GET", "/2")
        assert other.response() == (200, b"slowly /2")
        assert len(running.accesses) == 2


def test_a_server_that_stops_meanwhile_answers_and_closes() -> None:
    pending = Pending()
    with serving(slowly, at_once=pending.at_once) as running:
        wire = running.connect()
        wire.request("GET", "/soon")
        until(lambda: len(pending.asked) == 1)
        running.stop()
        pending.tell(running, 0, SOON)
        assert wire.response()[0] == 200
        assert wire.rest() == b""
