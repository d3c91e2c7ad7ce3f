"""Is this the code that the device shows? Every try is counted, a code counts once, and wrong ones make the device wait."""

from __future__ import annotations

from moorage.auth.totp import matching_step, step_at
from moorage.keys.root_key import RootKey
from moorage.metadata.identity import mfa_devices
from moorage.metadata.identity.records import MfaDevice
from moorage.metadata.transaction import Transaction
from moorage.operations.identity.tries import locked_until

_DRIFT_STEPS = 1
"""A device's clock may be this far off."""
_PAIR_STEPS = 4
"""The first of two consecutive codes may be this old: the second has to be waited for and typed."""


def seal_seed(root_key: RootKey, serial: str, seed: bytes) -> bytes:
    """A device's seed for the database."""
    return root_key.seal_secret(seed, {"mfa-device": serial})


def check_mfa(tx: Transaction, root_key: RootKey, principal_id: str, serial: str, code: str) -> bool:
    """Tell whether `code` is one that the principal's device shows now, and use it up.

    A refusal has been counted: let the transaction commit, then tell the caller. It does not say why: no such device, not the
    principal's, a wrong code, one that was used, or too many tries of late.

    Args:
        principal_id: a user's unique id, or the account's id for its root.
        serial: the device's ARN.
    """
    device = mfa_devices.lock(tx, serial)
    if device is None or device.user_id != principal_id:
        return False
    now = step_at(tx.now / 1_000_000)
    return _try(tx, root_key, device, (code,), range(now - _DRIFT_STEPS, now + _DRIFT_STEPS + 1))


def check_pair(tx: Transaction, root_key: RootKey, device: MfaDevice, first: str, second: str) -> bool:
    """`check_mfa` with two consecutive codes, which prove that whoever types them has the device. `device` is locked."""
    now = step_at(tx.now / 1_000_000)
    return _try(tx, root_key, device, (first, second), range(now - _PAIR_STEPS, now + _DRIFT_STEPS))


def _try(tx: Transaction, root_key: RootKey, device: MfaDevice, codes: tuple[str, ...], steps: range) -> bool:
    if tx.now < device.locked_until:
        return False
    seed = root_key.open_secret(device.seed, {"mfa-device": device.serial})
    found = matching_step(seed, codes, (step for step in steps if step > device.last_step))
    if found is None:
        failures = device.failures + 1
        mfa_devices.set_tries(tx, device, device.last_step, failures, locked_until(tx.now, failures))
        return False
    mfa_devices.set_tries(tx, device, found, 0, 0)
    return True
