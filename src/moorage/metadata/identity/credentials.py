"""Queries over what proves who somebody is: access keys of a principal, passwords."""

from __future__ import annotations

from sqlalchemy import bindparam, delete, func, select, update

from moorage.metadata.identity.records import KeyUse, LoginProfile
from moorage.metadata.statements import Statement
from moorage.metadata.tables.identity import identities, login_profiles
from moorage.metadata.tables.registries import access_keys
from moorage.metadata.transaction import ReadTransaction, Row, Transaction

_k, _l = access_keys.c, login_profiles.c
_KEY_COLUMNS = (
    _k.id, _k.account_id, _k.principal_id, _k.status, _k.created_at, _k.last_used_at, _k.last_used_service, _k.last_used_region,
)  # fmt: skip
_KEY = Statement(lambda _: select(*_KEY_COLUMNS).where(_k.id == bindparam("id")))
_KEYS_OF = Statement(lambda _: select(*_KEY_COLUMNS).where(_k.principal_id == bindparam("principal")))
_KEYS_IN = Statement(lambda _: select(*_KEY_COLUMNS).where(_k.account_id == bindparam("account")))

_PROFILE_COLUMNS = (_l.user_id, _l.password_hash, _l.must_reset, _l.created_at, _l.failures, _l.locked_until)
_PROFILE = Statement(lambda _: select(*_PROFILE_COLUMNS).where(_l.user_id == bindparam("user")))
_LOCK_PROFILE = Statement(lambda _: select(*_PROFILE_COLUMNS).where(_l.user_id == bindparam("user")).with_for_update())
_PROFILES_IN = Statement(
    lambda _: (
        select(*_PROFILE_COLUMNS)
        .join_from(identities, login_profiles, _l.user_id == identities.c.id)
        .where(identities.c.account_id == bindparam("account"))
    )
)
_INSERT_PROFILE = Statement(
    lambda insert: (
        insert(login_profiles)
        .values(
            user_id=bindparam("user"),
            password_hash=bindparam("password_hash"),
            must_reset=bindparam("must_reset"),
            created_at=bindparam("now"),
            failures=0,
            locked_until=0,
        )
        .on_conflict_do_nothing(index_elements=["user_id"])
    )
)
_SET_PASSWORD = Statement(
    lambda _: (
        update(login_profiles)
        .where(_l.user_id == bindparam("user"))
        .values(password_hash=bindparam("new_hash"), must_reset=bindparam("new_reset"))
    )
)
_SET_TRIES = Statement(
    lambda _: (
        update(login_profiles)
        .where(_l.user_id == bindparam("user"))
        .values(failures=bindparam("new_failures"), locked_until=bindparam("new_locked"))
    )
)
_DELETE_PROFILE = Statement(lambda _: delete(login_profiles).where(_l.user_id == bindparam("user")))
_COUNT_KEYS = Statement(lambda _: select(func.count()).select_from(access_keys).where(_k.principal_id == bindparam("principal")))


def find_key(tx: ReadTransaction, access_key_id: str) -> KeyUse | None:
    """An access key of any account."""
    row = tx.first(_KEY, id=access_key_id)
    return KeyUse(*row) if row else None


def keys_of(tx: ReadTransaction, principal_id: str) -> list[KeyUse]:
    """A principal's keys, oldest first."""
    return _oldest_first(tx.all(_KEYS_OF, principal=principal_id))


def keys_in(tx: ReadTransaction, account_id: str) -> list[KeyUse]:
    """All keys of an account, oldest first."""
    return _oldest_first(tx.all(_KEYS_IN, account=account_id))


def _oldest_first(rows: list[Row]) -> list[KeyUse]:
    return sorted((KeyUse(*row) for row in rows), key=lambda key: (key.created_at, key.id))


def count_keys(tx: ReadTransaction, principal_id: str) -> int:
    """How many keys a principal has."""
    row = tx.first(_COUNT_KEYS, principal=principal_id)
    assert row is not None
    return int(row[0])


def find_profile(tx: ReadTransaction, user_id: str) -> LoginProfile | None:
    """A user's login profile."""
    row = tx.first(_PROFILE, user=user_id)
    return _profile(row) if row else None


def lock_profile(tx: ReadTransaction, user_id: str) -> LoginProfile | None:
    """`find_profile`, holding the row: tries are counted one at a time."""
    row = tx.first(_LOCK_PROFILE, user=user_id)
    return _profile(row) if row else None


def profiles_in(tx: ReadTransaction, account_id: str) -> list[LoginProfile]:
    """All login profiles of an account."""
    return [_profile(row) for row in tx.all(_PROFILES_IN, account=account_id)]


def _profile(row: Row) -> LoginProfile:
    return LoginProfile(row[0], row[1], bool(row[2]), *row[3:])


def insert_profile(tx: Transaction, user_id: str, password_hash: str, *, must_reset: bool) -> bool:
    """Give a user a password; False if there is one."""
    return tx.run(_INSERT_PROFILE, user=user_id, password_hash=password_hash, must_reset=int(must_reset), now=tx.now) == 1


def set_password(tx: Transaction, user_id: str, password_hash: str, *, must_reset: bool) -> None:
    """Replace a user's password."""
    tx.run(_SET_PASSWORD, user=user_id, new_hash=password_hash, new_reset=int(must_reset))


def set_tries(tx: Transaction, user_id: str, failures: int, locked_until: int) -> None:
    """Record how many tries in a row have failed, and until when no other one counts."""
    tx.run(_SET_TRIES, user=user_id, new_failures=failures, new_locked=locked_until)


def delete_profile(tx: Transaction, user_id: str) -> bool:
    """Take a user's password away; False if there is none."""
    return tx.run(_DELETE_PROFILE, user=user_id) == 1
