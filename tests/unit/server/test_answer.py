"""Responses in bytes, as an application asks for them."""

from __future__ import annotations

from typing import Any

import pytest

from moorage.server.http.answer import STATUS_LINE, Answer

DATE = b"Thu, 01 Jan 1970 00:00:00 GMT"
Fields = list[tuple[bytes, bytes]]


def started(status: int = 200, fields: Fields | None = None, **more: Any) -> Answer:
    given: dict[str, Any] = {"date": DATE, "request_id": b"id-1", "keep_alive": True, **more}
    return Answer(status, fields or [], **given)


def test_a_head_to_the_byte() -> None:
    assert started(201, [(b"Content-Length", b"2"), (b"X-A", b"b")]).head == (
        b"HTTP/1.1 201 Created\r\n"
        b"date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
        b"content-length: 2\r\n"
        b"x-a: b\r\n"
        b"x-request-id: id-1\r\n"
        b"\r\n"
    )


def test_a_status_without_a_name() -> None:
    assert STATUS_LINE[299] == b"HTTP/1.1 299 \r\n"
    assert STATUS_LINE[404] == b"HTTP/1.1 404 Not Found\r\n"


@pytest.mark.parametrize(
    ("fields", "more", "keeps", "times"),
    [
        ([(b"content-length", b"0")], {}, True, 0),
        ([(b"content-length", b"0")], {"keep_alive": False}, False, 1),
        ([(b"content-length", b"0"), (b"connection", b"Close")], {}, False, 1),
        ([(b"content-length", b"0"), (b"connection", b"close")], {"keep_alive": False}, False, 1),
        ([], {"to_1_0": True}, False, 1),
        ([], {}, True, 0),
    ],
)
def test_the_end_of_the_connection_is_said_once(fields: Fields, more: dict[str, Any], keeps: bool, times: int) -> None:
    answer = started(200, fields, **more)
    assert answer.keep_alive == keeps
    assert answer.head.lower().count(b"connection: close") == times


def test_a_body_of_known_length() -> None:
    answer = started(200, [(b"content-length", b"5")])
    assert answer.is_of(5)
    assert answer.framed(b"ab", True) + answer.framed(b"cde", False) == b"abcde"
    assert answer.bytes_out == 5


@pytest.mark.parametrize("body", [b"abcd", b"abcdef"])
def test_a_body_of_another_length_than_promised(body: bytes) -> None:
    answer = started(200, [(b"content-length", b"5")])
    with pytest.raises(RuntimeError, match="differs"):
        answer.framed(body, False)


def test_a_body_of_unknown_length_goes_in_chunks() -> None:
    answer = started()
    assert b"transfer-encoding: chunked\r\n" in answer.head
    assert not answer.is_of(0)
    assert answer.framed(b"a" * 16, True) == b"10\r\n" + b"a" * 16 + b"\r\n"
    assert answer.framed(b"", True) == b""
    assert answer.framed(b"b", False) == b"1\r\nb\r\n0\r\n\r\n"
    assert answer.bytes_out == 17


def test_http_1_0_knows_no_chunks() -> None:
    answer = started(to_1_0=True)
    assert b"chunked" not in answer.head
    assert answer.framed(b"abc", False) == b"abc"


@pytest.mark.parametrize("status", [204, 304])
def test_statuses_that_have_no_body(status: int) -> None:
    answer = started(status)
    assert b"chunked" not in answer.head
    assert answer.framed(b"", False) == b""


def test_head_keeps_the_length_and_sends_nothing() -> None:
    answer = started(200, [(b"content-length", b"5")], to_head=True)
    assert b"content-length: 5\r\n" in answer.head
    assert answer.framed(b"", False) == b""
    assert started(200, [(b"content-length", b"5")], to_head=True).framed(b"abcde", False) == b""


@pytest.mark.parametrize(
    "field",
    [
        (b"x", b"a\r\nset-cookie: b"),
        (b"x", b"a\nb"),
        (b"x", b"\x00"),
        (b"x\r\ny", b"a"),
        (b"x y", b"a"),
        (b"x:", b"a"),
        (b"Transfer-Encoding", b"chunked"),
    ],
)
def test_no_field_splits_a_response_or_frames_it(field: tuple[bytes, bytes]) -> None:
    with pytest.raises(RuntimeError):
        started(200, [field])
