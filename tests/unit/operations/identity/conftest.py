"""Use cases of IAM on a database whose time stands still, for callers whose keys and policies are in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import pytest

from moorage.keys.root_key import RootKey
from moorage.metadata.database import Database
from moorage.metadata.identity import identities
from moorage.metadata.identity import policies as identity_policies
from moorage.metadata.opening import open_database
from moorage.metadata.records import AccessKey
from moorage.metadata.registry import registries
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.model.principal import Caller
from moorage.operations.identity import access_keys, users
from tests.unit.operations.identity.rights import Right, document

P = ParamSpec("P")
T = TypeVar("T")

ACCOUNT, OTHER = "111111111111", "222222222222"
ROOT = Caller("AKIAROOT", ACCOUNT, ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root")
ROOT_KEY = RootKey(bytes(32), "test")


@dataclass
class World:
    """A database with two accounts, and the first one's root."""

    db: Database
    now: list[float]
    caller: Caller = ROOT

    def write(self, function: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a use case that changes something."""
        return self.db.run_write(function, *args, **kwargs)

    def read(self, function: Callable[Concatenate[ReadTransaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a use case that only reads."""
        return self.db.run_read(function, *args, **kwargs)

    def epoch(self, account: str = ACCOUNT) -> int:
        """The account's epoch."""
        return self.db.run_read(identities.credential_status, account, "")[0]

    def user(self, name: str, *rights: Right) -> Caller:
        """A new user with a long-term key, who has exactly these rights."""
        made = self.write(users.create_user, self.caller, name, "/", None, []).identity
        key = self.write(access_keys.create_access_key, ROOT_KEY, self.caller, name)
        caller = Caller(key.id, ACCOUNT, made.id, made.arn)
        self.let(caller, *rights)
        return caller

    def let(self, user: Caller, *rights: Right) -> None:
        """Give a user exactly these rights, in the place of those that it had."""
        self.write(_put_rights, user, rights)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now[0] += seconds


def _put_rights(tx: Transaction, user: Caller, rights: tuple[Right, ...]) -> None:
    # Past the use case and its quota: rights that are written out in full are long.
    identities.touch(tx, user.account_id)
    identity = identities.find_by_id(tx, user.principal_id)
    assert identity is not None
    identity_policies.delete_inline(tx, identity, "rights")
    if rights:
        identity_policies.put_inline(tx, identity, "rights", document(*rights))


def _fill(tx: Transaction) -> None:
    for account in (ACCOUNT, OTHER):
        registries.insert_account(tx, account, "test")
    assert registries.insert_key(tx, AccessKey(ROOT.access_key_id, ACCOUNT, ACCOUNT, b"", "Active"))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    now = [1_800_000_000.0]
    db = open_database(f"sqlite:///{tmp_path / 'm.db'}", lambda: now[0])
    db.run_write(_fill)
    yield World(db, now)
    db.close()
