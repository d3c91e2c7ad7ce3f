"""Virtual MFA devices."""

from __future__ import annotations

import base64
import struct
import time
import zlib
from typing import Any

import pytest

from moorage.auth.totp import code_at, step_at
from tests.conftest import fresh_name
from tests.integration.aws.errors import refused
from tests.integration.iam.documents import arn

WRONG = "Authentication code for device is not valid."


class Device:
    """A device and the app that shows its codes."""

    def __init__(self, iam: Any, **arguments: Any) -> None:
        self.made = iam.create_virtual_mfa_device(**arguments)["VirtualMFADevice"]
        self.serial = self.made["SerialNumber"]
        self.seed = base64.b32decode(self.made["Base32StringSeed"])

    def codes(self, offset: int = -1) -> dict[str, str]:
        """Two consecutive codes, the first of them `offset` steps from now."""
        step = step_at(time.time()) + offset
        return {"AuthenticationCode1": code_at(self.seed, step), "AuthenticationCode2": code_at(self.seed, step + 1)}


@pytest.fixture
def device(iam: Any) -> Device:
    return Device(iam, VirtualMFADeviceName=fresh_name("device"))


def test_life_of_a_device(iam: Any, user: str) -> None:
    name = fresh_name("device")
    device = Device(iam, VirtualMFADeviceName=name, Path="/x/", Tags=[{"Key": "a", "Value": "b"}])
    assert device.serial == arn("mfa", f"x/{name}")
    assert device.made["Tags"] == [{"Key": "a", "Value": "b"}]
    assert len(device.seed) == 20
    with refused("EntityAlreadyExists", "MFADevice entity at the same path and name already exists.", 409):
        iam.create_virtual_mfa_device(VirtualMFADeviceName=name, Path="/x/")
    iam.enable_mfa_device(UserName=user, SerialNumber=device.serial, **device.codes())
    (listed,) = iam.list_mfa_devices(UserName=user)["MFADevices"]
    assert (listed["UserName"], listed["SerialNumber"]) == (user, device.serial)
    found = iam.get_mfa_device(SerialNumber=device.serial, UserName=user)
    assert (found["UserName"], found["EnableDate"]) == (user, listed["EnableDate"])
    with refused("EntityAlreadyExists", "MFA Device is already in use.", 409):
        iam.enable_mfa_device(UserName=user, SerialNumber=device.serial, **device.codes())
    with refused("DeleteConflict", "MFA VirtualDevice in use. Must deactivate first.", 409):
        iam.delete_virtual_mfa_device(SerialNumber=device.serial)
    with refused("DeleteConflict", "Cannot delete entity, must delete MFA device first.", 409):
        iam.delete_user(UserName=user)
    iam.deactivate_mfa_device(UserName=user, SerialNumber=device.serial)
    with refused("NoSuchEntity", status=404):
        iam.deactivate_mfa_device(UserName=user, SerialNumber=device.serial)
    assert iam.list_mfa_devices(UserName=user)["MFADevices"] == []
    iam.delete_virtual_mfa_device(SerialNumber=device.serial)
    with refused("NoSuchEntity", f"VirtualMFADevice with serial number {device.serial} does not exist.", 404):
        iam.delete_virtual_mfa_device(SerialNumber=device.serial)


def test_the_picture_is_a_png(device: Device) -> None:
    png = device.made["QRCodePNG"]
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", png[16:24])
    assert width == height > 100
    assert struct.unpack(">I", png[29:33])[0] == zlib.crc32(png[12:29])


def test_codes_count_once(iam: Any, device: Device, user: str) -> None:
    codes = device.codes()
    iam.enable_mfa_device(UserName=user, SerialNumber=device.serial, **codes)
    iam.deactivate_mfa_device(UserName=user, SerialNumber=device.serial)
    with refused("InvalidAuthenticationCode", WRONG, 403):
        iam.enable_mfa_device(UserName=user, SerialNumber=device.serial, **codes)


def test_codes_must_be_consecutive_and_recent(iam: Any, device: Device, user: str) -> None:
    one, other = device.codes(-2), device.codes(-1)
    for codes in (
        {"AuthenticationCode1": one["AuthenticationCode2"], "AuthenticationCode2": one["AuthenticationCode1"]},
        {"AuthenticationCode1": one["AuthenticationCode1"], "AuthenticationCode2": other["AuthenticationCode2"]},
        device.codes(-40),
        device.codes(40),
    ):
        with refused("InvalidAuthenticationCode", WRONG, 403):
            iam.enable_mfa_device(UserName=user, SerialNumber=device.serial, **codes)
    iam.enable_mfa_device(UserName=user, SerialNumber=device.serial, **device.codes())
    iam.deactivate_mfa_device(UserName=user, SerialNumber=device.serial)


def test_wrong_codes_make_it_wait(iam: Any, device: Device, user: str) -> None:
    wrong = {"AuthenticationCode1": "000000", "AuthenticationCode2": "000000"}
    for _ in range(12):
        with refused("InvalidAuthenticationCode", WRONG, 403):
            iam.enable_mfa_device(UserName=user, SerialNumber=device.serial, **wrong)
    with refused("InvalidAuthenticationCode", WRONG, 403):
        iam.enable_mfa_device(UserName=user, SerialNumber=device.serial, **device.codes())


def test_resync(iam: Any, device: Device, user: str) -> None:
    iam.enable_mfa_device(UserName=user, SerialNumber=device.serial, **device.codes(-3))
    iam.resync_mfa_device(UserName=user, SerialNumber=device.serial, **device.codes(-1))
    with refused("InvalidAuthenticationCode", WRONG, 403):
        iam.resync_mfa_device(UserName=user, SerialNumber=device.serial, **device.codes(-1))
    with refused("ValidationError"):
        iam.resync_mfa_device(
            UserName=user, SerialNumber=device.serial, AuthenticationCode1="abcdef", AuthenticationCode2="123456"
        )


def test_unknown(iam: Any, own: Any, device: Device, user: str) -> None:
    own.create_user(UserName=user)
    with refused("NoSuchEntity", f"VirtualMFADevice with serial number {device.serial} does not exist.", 404):
        own.enable_mfa_device(UserName=user, SerialNumber=device.serial, **device.codes())
    with refused("NoSuchEntity", "The user with name nobody cannot be found.", 404):
        iam.enable_mfa_device(UserName="nobody", SerialNumber=device.serial, **device.codes())
    with refused("NoSuchEntity", status=404):
        iam.get_mfa_device(SerialNumber=device.serial, UserName=user)
    with refused("NoSuchEntity", "The user with name nobody cannot be found.", 404):
        iam.list_mfa_devices(UserName="nobody")
    with refused("ValidationError"):
        iam.create_virtual_mfa_device(VirtualMFADeviceName="n" * 201)


def test_list(own: Any) -> None:
    own.create_user(UserName="u")
    devices = [Device(own, VirtualMFADeviceName=f"d{number}", Path=f"/{'p' * 150}/") for number in range(3)]
    own.enable_mfa_device(UserName="u", SerialNumber=devices[1].serial, **devices[1].codes())

    def serials(**chosen: Any) -> list[str]:
        pages = own.get_paginator("list_virtual_mfa_devices").paginate(**chosen, PaginationConfig={"PageSize": 1})
        return [entry["SerialNumber"] for page in pages for entry in page["VirtualMFADevices"]]

    assert serials() == [device.serial for device in devices]
    assert serials(AssignmentStatus="Unassigned") == [devices[0].serial, devices[2].serial]
    (assigned,) = own.list_virtual_mfa_devices(AssignmentStatus="Assigned")["VirtualMFADevices"]
    assert assigned["User"]["UserName"] == "u"
    assert "Base32StringSeed" not in assigned


def test_the_root_has_a_device(own: Any) -> None:
    device = Device(own, VirtualMFADeviceName="root-device")
    own.enable_mfa_device(UserName="root", SerialNumber=device.serial, **device.codes())
    assert [entry["SerialNumber"] for entry in own.list_mfa_devices()["MFADevices"]] == [device.serial]
    (listed,) = own.list_virtual_mfa_devices(AssignmentStatus="Assigned")["VirtualMFADevices"]
    assert listed["User"]["Arn"].endswith(":root")
    assert own.get_account_summary()["SummaryMap"]["AccountMFAEnabled"] == 1
    own.deactivate_mfa_device(SerialNumber=device.serial)
    assert own.get_account_summary()["SummaryMap"]["AccountMFAEnabled"] == 0
