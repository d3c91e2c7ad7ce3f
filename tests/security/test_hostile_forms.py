"""Forms of the query protocol that no client sends: names, numbers and escapes that are none, too many of them, and too deep."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel

from moorage.testing.server import MoorageServer
from tests.security.fuzzing.wire import Answer, Wire

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
VERSION = "2010-05-08"


@pytest.fixture
def wire(server: MoorageServer) -> Iterator[Wire]:
    made = Wire(server.host, ServiceModel(Loader().load_service_model("iam", "service-2"), "iam"), server.root)
    yield made
    made.close()


def sent(wire: Wire, body: bytes) -> Answer:
    return wire.send(body, FORM)


def asked(action: str, *fields: str) -> bytes:
    return "&".join([f"Action={action}", f"Version={VERSION}", *fields]).encode()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "MissingAction"),
        (b"&&&&", "MissingAction"),
        (b"=", "MissingAction"),
        (b"Action=", "MissingAction"),
        (b"action=ListUsers", "MissingAction"),
        (b"{}", "MissingAction"),
        (b"<ListUsers/>", "MissingAction"),
        (b"Action=ListUsers", "InvalidAction"),
        (b"Action=listusers&Version=2010-05-08", "InvalidAction"),
        (b"Action=ListUsers&Version=2011-06-15", "InvalidAction"),
        (b"Action=__init__&Version=2010-05-08", "InvalidAction"),
        (b"Action=%ff", "ValidationError"),
        (b"Action=ListUsers&Version=2010-05-08&\xff=1", "ValidationError"),
        (b"Action=ListUsers&Version=2010-05-08&PathPrefix=%c0%80", "ValidationError"),
        (b"Action=ListUsers&Version=2010-05-08&MaxItems=", "ValidationError"),
        (b"Action=ListUsers&Version=2010-05-08&MaxItems=1e3", "ValidationError"),
        (b"Action=ListUsers&Version=2010-05-08&MaxItems=99999999999999999999999", "ValidationError"),
        (b"Action=ListUsers&Version=2010-05-08&MaxItems=%D9%A3", "ValidationError"),
        (b"Action=ListUsers&Version=2010-05-08&" + b"a=1&" * 10_000, "ValidationError"),
        (b"Action=ListUsers&Version=2010-05-08&PathPrefix=" + b"/" * 600, "ValidationError"),
        (b"Action=ListUsers&Version=2010-05-08&x=" + b"a" * (1 << 20), "RequestEntityTooLarge"),
    ],
    ids=lambda value: value[:60] if isinstance(value, bytes) else value,
)
def test_forms_that_are_none(wire: Wire, body: bytes, code: str) -> None:
    answer = sent(wire, body)
    assert (400 <= answer.status < 500, answer.code) == (True, code), answer


def test_names_that_lead_nowhere_are_ignored(wire: Wire) -> None:
    odd = [
        "a." * 5000 + "b=1", "Tags=1", "Tags.member=1", "Tags.member.0.Key=k", "Tags.member.-1.Key=k", "Tags.member.x.Key=k",
        "Tags.member.99999999999999999999.Key=k", "Tags..Key=k", "Tags.member.%D9%A1.Key=k", "..=1", "PathPrefix.x=1",
        "MaxItems.member.1=1", "PathPrefix%00=/", "%=1", "%zz=%zz", "x=%", "x=%u0041",
    ]  # fmt: skip
    answers = wire.each(lambda field: sent(wire, asked("ListUsers", field)), odd)
    assert {field: answer.status for field, answer in zip(odd, answers, strict=True)} == dict.fromkeys(odd, 200)


def test_of_two_fields_of_one_name_the_first_counts(wire: Wire) -> None:
    assert sent(wire, asked("ListUsers", "MaxItems=5", "MaxItems=x")).is_ok
    assert sent(wire, asked("ListUsers", "MaxItems=x", "MaxItems=5")).code == "ValidationError"


def test_altered_forms(wire: Wire) -> None:
    source = random.Random(13)
    good = asked("CreatePolicy", "PolicyName=p", "PolicyDocument=%7B%7D", "Tags.member.1.Key=k", "Tags.member.1.Value=v")
    forms: list[bytes] = []
    for _ in range(1000):
        form = bytearray(good)
        for _ in range(source.randint(1, 4)):
            place = source.randrange(len(form))
            match source.randrange(3):
                case 0:
                    form[place] = source.randrange(256)
                case 1:
                    del form[place]
                case _:
                    form[place:place] = source.choice([b"%", b".", b"&", b"=", b"\x00", b"+", b"1"])
        forms.append(bytes(form))
    for body, answer in zip(forms, wire.each(lambda each: sent(wire, each), forms), strict=True):
        assert 400 <= answer.status < 500, (body, answer)
        assert answer.code, (body, answer)
