"""Use cases of IAM on a database whose time stands still, with an authoriser that can be watched and told what to say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import pytest

from moorage.keys.root_key import RootKey
from moorage.metadata import identities, registries
from moorage.metadata.database import Database
from moorage.metadata.opening import open_database
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.model.errors import AccessDenied
from moorage.model.principal import Caller, RequestFacts
from moorage.model.scope import Scope
from moorage.operations.identity import finding

P = ParamSpec("P")
T = TypeVar("T")

ACCOUNT, OTHER = "111111111111", "222222222222"
ROOT = Caller("AKIAROOT", ACCOUNT, ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root")
ROOT_KEY = RootKey(bytes(32), "test")


@dataclass(frozen=True)
class Asked:
    """One question to the authoriser."""

    action: str
    resource: str
    facts: RequestFacts


@dataclass
class World:
    """A database with two accounts."""

    db: Database
    now: list[float]
    asked: list[Asked] = field(default_factory=list)
    may: Callable[[Asked], bool] = field(default=lambda _: True)
    caller: Caller = ROOT

    def write(self, function: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a use case that changes something."""
        return self.db.run_write(function, *args, **kwargs)

    def read(self, function: Callable[Concatenate[ReadTransaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a use case that only reads."""
        return self.db.run_read(function, *args, **kwargs)

    def epoch(self, account: str = ACCOUNT) -> int:
        """The account's epoch."""
        return self.db.run_read(identities.standing, account, "")[0]

    def as_user(self, name: str, user_id: str) -> Caller:
        """A user with a long-term key."""
        return Caller("AKIAUSER", ACCOUNT, user_id, f"arn:aws:iam::{ACCOUNT}:user/{name}")

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now[0] += seconds


def _add_accounts(tx: Transaction) -> None:
    for account in (ACCOUNT, OTHER):
        registries.insert_account(tx, account, "test")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    now = [1_800_000_000.0]
    db = open_database(f"sqlite:///{tmp_path / 'm.db'}", lambda: now[0])
    db.run_write(_add_accounts)
    made = World(db, now)

    def authorize(_tx: Any, caller: Caller, action: str, scope: Scope, resource: str, facts: RequestFacts) -> None:
        assert scope == Scope("aws", "us-east-1", caller.account_id)
        question = Asked(action, resource, facts)
        made.asked.append(question)
        if not made.may(question):
            raise AccessDenied(caller.arn, action, resource, f"no identity-based policy allows the {action} action")

    monkeypatch.setattr(finding, "authorize", authorize)
    yield made
    db.close()
