"""Virtual MFA devices. Source: the operations of the same names of IAM."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from moorage.auth.totp import new_seed
from moorage.keys.root_key import RootKey
from moorage.metadata.identity import identities, mfa_devices
from moorage.metadata.identity import tags as identity_tags
from moorage.metadata.identity.records import Identity, MfaDevice
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.model import identity_limits
from moorage.model.errors import LimitExceeded
from moorage.model.identity import arn_of
from moorage.model.identity_errors import DeleteConflict, EntityExists, EntityNotFound, RequestInvalid
from moorage.model.principal import Caller, root_arn
from moorage.operations.identity.authorized import Tags, facts_of, identity_for, permit, renewed, user_or_self
from moorage.operations.identity.mfa import check_pair, seal_seed
from moorage.operations.identity.paging import Key, Page, after_text, cut, page_of, short_key
from moorage.operations.identity.tag_rules import add_tags, check_tags

Assignment = Literal["Assigned", "Unassigned", "Any"]
_DEVICE = "mfa device"
_LONGEST = 200
"""Of path and name: what a serial number and a marker have room for."""


@dataclass(frozen=True, slots=True)
class NewDevice:
    """A device as it is shown once: nobody sees the seed again."""

    serial: str
    seed: bytes
    tags: dict[str, str]


@dataclass(frozen=True, slots=True)
class DeviceView:
    """A device and whose it is: `user` is None for a root's, and for nobody's."""

    device: MfaDevice
    user: Identity | None
    tags: dict[str, str]


def device_for(
    tx: ReadTransaction, caller: Caller, action: str, serial: str, *, tags: Tags = (), tag_keys: Sequence[str] = ()
) -> MfaDevice:
    """The device, if the caller may do `action` on it. Raises EntityNotFound."""
    found = _in_account(mfa_devices.find(tx, serial), caller)
    own_tags = identity_tags.tags_of(tx, found.serial) if found is not None else {}
    permit(tx, caller, action, serial, facts_of(resource_tags=own_tags, tags=tags, tag_keys=tag_keys))
    if found is None:
        raise EntityNotFound(_DEVICE, serial)
    return found


def create_virtual_mfa_device(tx: Transaction, root_key: RootKey, caller: Caller, name: str, path: str, tags: Tags) -> NewDevice:
    """Make a device that nobody has yet. Raises EntityExists, InputInvalid, RequestInvalid."""
    serial, facts = arn_of(caller.account_id, "mfa", path, name), facts_of(tags=tags)
    permit(tx, caller, "CreateVirtualMFADevice", serial, facts)
    if tags:
        permit(tx, caller, "TagMFADevice", serial, facts)
    checked = check_tags(tags)
    if len(path + name) > _LONGEST:
        raise RequestInvalid(f"Path and name of a virtual MFA device have at most {_LONGEST} characters together")
    identities.touch(tx, caller.account_id)
    seed = new_seed()
    if not mfa_devices.insert(tx, serial, caller.account_id, seal_seed(root_key, serial, seed)):
        raise EntityExists(_DEVICE, name)
    add_tags(tx, serial, checked)
    return NewDevice(serial, seed, checked)


def enable_mfa_device(
    tx: Transaction, root_key: RootKey, caller: Caller, user_name: str, serial: str, first: str, second: str
) -> bool:
    """Give a user a device that shows these two codes, one after the other. False: it does not, and that has been counted.

    Raises:
        EntityNotFound: no such user or device.
        EntityExists: somebody has the device.
        LimitExceeded
    """
    owner = _owner_for(tx, caller, "EnableMFADevice", user_name)
    device = _locked(tx, caller, serial)
    if device.user_id is not None:
        raise EntityExists("enabled mfa device", serial)
    if len(mfa_devices.of_user(tx, owner)) >= identity_limits.MFA_DEVICES_PER_USER:
        raise LimitExceeded(f"Cannot exceed quota for MFADevicesPerUser: {identity_limits.MFA_DEVICES_PER_USER}")
    if not check_pair(tx, root_key, device, first, second):
        return False
    mfa_devices.assign(tx, device, owner)
    return True


def resync_mfa_device(
    tx: Transaction, root_key: RootKey, caller: Caller, user_name: str, serial: str, first: str, second: str
) -> bool:
    """Make sure that a user's device shows these two codes, one after the other. False as in `enable_mfa_device`.

    Raises:
        EntityNotFound: no such user, or not its device.
    """
    owner = _owner_for(tx, caller, "ResyncMFADevice", user_name)
    return check_pair(tx, root_key, _locked(tx, caller, serial, owner), first, second)


def deactivate_mfa_device(tx: Transaction, caller: Caller, user_name: str | None, serial: str) -> None:
    """Take a device from its user. Raises EntityNotFound: no such user, or not its device."""
    name = user_name if user_name is not None else _own_name(tx, caller)
    owner = _owner_for(tx, caller, "DeactivateMFADevice", name)
    mfa_devices.assign(tx, _locked(tx, caller, serial, owner), None)


def delete_virtual_mfa_device(tx: Transaction, caller: Caller, serial: str) -> None:
    """Delete a device that nobody has. Raises EntityNotFound, DeleteConflict."""
    device_for(tx, caller, "DeleteVirtualMFADevice", serial)
    identities.touch(tx, caller.account_id)
    device = _locked(tx, caller, serial)
    if device.user_id is not None:
        raise DeleteConflict("MFA VirtualDevice in use. Must deactivate first.")
    identity_tags.drop_all(tx, serial)
    mfa_devices.remove(tx, device)


def list_mfa_devices(
    tx: ReadTransaction, caller: Caller, user_name: str | None, after: Key, count: int
) -> tuple[str | None, Page[MfaDevice]]:
    """Name of the user (None: a root) and its devices. Raises EntityNotFound."""
    user = user_or_self(tx, caller, "ListMFADevices", user_name)
    found = mfa_devices.of_user(tx, user.id if user is not None else caller.account_id)
    page = cut(found, after, count, lambda device: [device.enabled_at or 0, *short_key(device.serial)])
    return user.name if user is not None else None, page


def list_virtual_mfa_devices(
    tx: ReadTransaction, caller: Caller, assignment: Assignment, after: Key, count: int
) -> Page[DeviceView]:
    """The account's devices by serial number, without tags."""
    permit(tx, caller, "ListVirtualMFADevices", arn_of(caller.account_id, "mfa", "/", ""))
    prefix = arn_of(caller.account_id, "mfa", "/", "")
    found = mfa_devices.list_page(
        tx,
        caller.account_id,
        prefix + after_text(after) if after else "",
        count + 1,
        assigned=assignment != "Unassigned",
        unassigned=assignment != "Assigned",
    )
    page = page_of(found, count, lambda device: [device.serial.removeprefix(prefix)])
    users = identities.find_among(tx, [device.user_id for device in page.items if device.user_id is not None])
    return Page([DeviceView(device, users.get(device.user_id or ""), {}) for device in page.items], page.last)


def get_mfa_device(tx: ReadTransaction, caller: Caller, serial: str, user_name: str | None) -> DeviceView:
    """A device and whose it is. Raises EntityNotFound, also if it is not the user's who is named."""
    if user_name is not None:
        owner: str | None = identity_for(tx, caller, "GetMFADevice", "user", user_name).id
    else:
        own = user_or_self(tx, caller, "GetMFADevice", None)
        owner = own.id if own is not None else None
    device = _in_account(mfa_devices.find(tx, serial), caller)
    if device is None or device.user_id is None or owner not in {None, device.user_id}:
        raise EntityNotFound(_DEVICE, serial)
    return DeviceView(device, identities.find_by_id(tx, device.user_id), {})


def _owner_for(tx: Transaction, caller: Caller, action: str, user_name: str) -> str:
    """The id of the user named, if the caller may do `action` on it; a root names itself ``root`` where no user has that name.

    The epoch is raised, so that the user is not deleted meanwhile.
    """
    is_own_root = caller.is_root and user_name in {"root", caller.account_id}
    if is_own_root and identities.find(tx, caller.account_id, "user", user_name) is None:
        permit(tx, caller, action, root_arn(caller.account_id))
        identities.touch(tx, caller.account_id)
        return caller.account_id
    return renewed(tx, identity_for(tx, caller, action, "user", user_name)).id


def _own_name(tx: ReadTransaction, caller: Caller) -> str:
    own = identities.find_by_id(tx, caller.principal_id)
    return own.name if own is not None else "root"


def _locked(tx: Transaction, caller: Caller, serial: str, owner: str | None = None) -> MfaDevice:
    """The device, held; with an owner only if it is the owner's."""
    device = _in_account(mfa_devices.lock(tx, serial), caller)
    if device is None or (owner is not None and device.user_id != owner):
        raise EntityNotFound(_DEVICE, serial)
    return device


def _in_account(device: MfaDevice | None, caller: Caller) -> MfaDevice | None:
    return device if device is not None and device.account_id == caller.account_id else None
