"""MFA codes that come with a request for a session."""

from __future__ import annotations

from typing import NoReturn

from moorage.keys.root_key import RootKey
from moorage.metadata.transaction import Transaction
from moorage.model.principal import Caller
from moorage.model.sts_errors import MfaFailed
from moorage.operations.identity.mfa import check_mfa


def check_code(tx: Transaction, root_key: RootKey, caller: Caller, serial: str | None, code: str | None) -> bool:
    """Whether the code is what the device of a user or root shows now; True where neither serial number nor code is given.

    Failed tries are counted, and wrong ones make the device wait, so the caller is told by `refuse` after this was committed.
    Temporary credentials have no device: what they know of MFA is in their session.
    """
    if serial is None and code is None:
        return True
    if serial is None or code is None or caller.session is not None:
        return False
    return check_mfa(tx, root_key, caller.principal_id, serial, code)


def refuse(serial: str | None, code: str | None) -> NoReturn:
    """Raises MfaFailed."""
    raise MfaFailed(serial or "", is_incomplete=serial is None or code is None)
