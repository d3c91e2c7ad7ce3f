"""Queries over virtual MFA devices."""

from __future__ import annotations

from sqlalchemy import bindparam, delete, func, select, update

from moorage.metadata.identity.records import MfaDevice
from moorage.metadata.statements import Statement
from moorage.metadata.tables.identity import mfa_devices
from moorage.metadata.transaction import ReadTransaction, Row, Transaction

_d = mfa_devices.c
_COLUMNS = (
    _d.serial, _d.account_id, _d.user_id, _d.seed, _d.created_at, _d.enabled_at, _d.last_step, _d.failures, _d.locked_until,
)  # fmt: skip
_FIND = Statement(lambda _: select(*_COLUMNS).where(_d.serial == bindparam("serial")))
_LOCK = Statement(lambda _: select(*_COLUMNS).where(_d.serial == bindparam("serial")).with_for_update())
_OF_USER = Statement(lambda _: select(*_COLUMNS).where(_d.user_id == bindparam("user")))
_PAGE = Statement(
    lambda _: (
        select(*_COLUMNS)
        .where(
            _d.serial > bindparam("after"),
            _d.serial < bindparam("end"),
            (bindparam("assigned") == 1) & _d.user_id.is_not(None) | (bindparam("unassigned") == 1) & _d.user_id.is_(None),
        )
        .order_by(_d.serial)
        .limit(bindparam("count"))
    )
)
_ASSIGNED_IN = Statement(
    lambda _: select(_d.user_id).where(_d.account_id == bindparam("account"), _d.user_id.is_not(None)).distinct()
)
_COUNT = Statement(lambda _: select(func.count()).select_from(mfa_devices).where(_d.account_id == bindparam("account")))
_COUNT_ASSIGNED = Statement(
    lambda _: select(func.count()).select_from(mfa_devices).where(_d.account_id == bindparam("account"), _d.user_id.is_not(None))
)
_INSERT = Statement(
    lambda insert: (
        insert(mfa_devices)
        .values(
            serial=bindparam("serial"),
            account_id=bindparam("account"),
            seed=bindparam("seed"),
            created_at=bindparam("now"),
            last_step=0,
            failures=0,
            locked_until=0,
        )
        .on_conflict_do_nothing(index_elements=["serial"])
    )
)
_ASSIGN = Statement(
    lambda _: (
        update(mfa_devices)
        .where(_d.serial == bindparam("device"))
        .values(user_id=bindparam("new_user"), enabled_at=bindparam("new_enabled"))
    )
)
_SET_TRIES = Statement(
    lambda _: (
        update(mfa_devices)
        .where(_d.serial == bindparam("device"))
        .values(last_step=bindparam("new_step"), failures=bindparam("new_failures"), locked_until=bindparam("new_locked"))
    )
)
_DELETE = Statement(lambda _: delete(mfa_devices).where(_d.serial == bindparam("device")))


def _record(row: Row) -> MfaDevice:
    return MfaDevice(row[0], row[1], row[2], bytes(row[3]), *row[4:])


def find(tx: ReadTransaction, serial: str) -> MfaDevice | None:
    """A device of any account by its serial number, an ARN."""
    row = tx.first(_FIND, serial=serial)
    return _record(row) if row else None


def lock(tx: Transaction, serial: str) -> MfaDevice | None:
    """`find`, holding the row: codes are tried one at a time."""
    row = tx.first(_LOCK, serial=serial)
    return _record(row) if row else None


def of_user(tx: ReadTransaction, user_id: str) -> list[MfaDevice]:
    """The devices of a user, or of a root by its account's id."""
    return sorted((_record(row) for row in tx.all(_OF_USER, user=user_id)), key=lambda device: device.serial)


def list_page(
    tx: ReadTransaction, account_id: str, after: str, count: int, *, assigned: bool, unassigned: bool
) -> list[MfaDevice]:
    """An account's devices by serial number, after the serial number `after`."""
    prefix = f"arn:aws:iam::{account_id}:mfa"
    first, end = prefix + "/", prefix + chr(ord("/") + 1)
    rows = tx.all(_PAGE, after=after or first, end=end, count=count, assigned=int(assigned), unassigned=int(unassigned))
    return [_record(row) for row in rows]


def users_with_device(tx: ReadTransaction, account_id: str) -> set[str]:
    """Ids of those in the account who have a device; its own id for the root."""
    return {row[0] for row in tx.all(_ASSIGNED_IN, account=account_id)}


def count_in(tx: ReadTransaction, account_id: str) -> int:
    """How many devices the account has, enabled or not."""
    row = tx.first(_COUNT, account=account_id)
    assert row is not None
    return int(row[0])


def count_assigned(tx: ReadTransaction, account_id: str) -> int:
    """How many devices of the account somebody has."""
    row = tx.first(_COUNT_ASSIGNED, account=account_id)
    assert row is not None
    return int(row[0])


def insert(tx: Transaction, serial: str, account_id: str, seed: bytes) -> bool:
    """Add a device that nobody has; False if the serial number is taken."""
    return tx.run(_INSERT, serial=serial, account=account_id, seed=seed, now=tx.now) == 1


def assign(tx: Transaction, device: MfaDevice, user_id: str | None) -> None:
    """Give a device to a user; None: take it back."""
    tx.run(_ASSIGN, device=device.serial, new_user=user_id, new_enabled=tx.now if user_id is not None else None)


def set_tries(tx: Transaction, device: MfaDevice, last_step: int, failures: int, locked_until: int) -> None:
    """Record the newest step whose code was used, the failed tries in a row, and until when no other one counts."""
    tx.run(_SET_TRIES, device=device.serial, new_step=last_step, new_failures=failures, new_locked=locked_until)


def remove(tx: Transaction, device: MfaDevice) -> None:
    """Delete a device."""
    tx.run(_DELETE, device=device.serial)
