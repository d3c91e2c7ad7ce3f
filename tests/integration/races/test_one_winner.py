"""Of all who make, or take away, the same thing at the same moment one succeeds, and what was taken away does not come back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from moorage.testing.server import MoorageServer
from tests.conftest import fresh_name
from tests.integration.races.subjects import NONE, SUBJECTS, Subject
from tests.integration.races.together import CALLERS, WON, counted, outcomes

ROUNDS = {"sqlite+local": 1, "postgres+s3": 3}
"""On SQLite changes come one after the other by themselves."""


@pytest.fixture(params=SUBJECTS, ids=lambda subject: subject.name.replace(" ", "-"))
def subject(request: pytest.FixtureRequest) -> Subject:
    found: Subject = request.param
    return found


def test_one_of_many_succeeds(subject: Subject, stack: str, client_of: Callable[[str], Any]) -> None:
    client, name = client_of(subject.service), fresh_name("race")
    if subject.prepared is not None:
        subject.prepared(client, name)
    for _ in range(ROUNDS[stack]):
        expected = {WON: 1, subject.taken: CALLERS - 1} if subject.taken else {WON: CALLERS}
        assert counted(lambda: subject.create(client, name)) == expected
        assert subject.is_there(client, name)
        assert counted(lambda: subject.delete(client, name)) == {WON: 1, subject.gone: CALLERS - 1}
        assert not subject.is_there(client, name)


def test_an_update_does_not_bring_it_back(subject: Subject, stack: str, client_of: Callable[[str], Any]) -> None:
    if subject.update is None:
        return
    client, name = client_of(subject.service), fresh_name("back")
    if subject.prepared is not None:
        subject.prepared(client, name)
    update = subject.update
    for _ in range(ROUNDS[stack]):
        subject.create(client, name)
        calls: list[Callable[[], Any]] = [lambda: update(client, name)] * (CALLERS - 1)
        *updated, deleted = outcomes([*calls, lambda: subject.delete(client, name)])
        assert deleted == WON
        assert set(updated) <= {WON, subject.gone}
        assert not subject.is_there(client, name)
    if subject.taken:  # nothing of the old one is in a new one
        subject.create(client, name)
        assert subject.is_there(client, name)


def test_there_is_one_organization(make_server: Callable[..., MoorageServer]) -> None:
    server = make_server()
    organizations = server.client("organizations")
    expected = {WON: 1, "AlreadyInOrganizationException": CALLERS - 1}
    assert counted(organizations.create_organization) == expected
    ids = {organizations.describe_organization()["Organization"]["Id"] for _ in range(3)}
    assert len(ids) == 1
    outcomes([lambda: organizations.create_account(Email="same@example.org", AccountName="same")] * CALLERS)
    requests = organizations.list_create_account_status()["CreateAccountStatuses"]
    assert sorted(request["State"] for request in requests) == ["FAILED"] * (CALLERS - 1) + ["SUCCEEDED"]
    assert [account.get("Email") for account in organizations.list_accounts()["Accounts"]].count("same@example.org") == 1


@pytest.mark.parametrize("kind", ["user", "group"])
def test_one_of_many_renames_succeeds(kind: str, stack: str, client_of: Callable[[str], Any]) -> None:
    """Whoever comes later asks for a name that is gone, and takes no acknowledged one away."""
    iam, title = client_of("iam"), kind.capitalize()
    for _ in range(2 * ROUNDS[stack]):
        name = fresh_name("race")
        getattr(iam, f"create_{kind}")(**{f"{title}Name": name})
        new = [f"{name}-{number}" for number in range(CALLERS)]
        calls = [partial(getattr(iam, f"update_{kind}"), **{f"{title}Name": name, f"New{title}Name": each}) for each in new]
        found = outcomes(calls)
        assert Counter(found) == {WON: 1, NONE: CALLERS - 1}
        getattr(iam, f"delete_{kind}")(**{f"{title}Name": new[found.index(WON)]})
