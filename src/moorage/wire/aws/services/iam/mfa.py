"""Virtual MFA devices."""

from __future__ import annotations

import io
from typing import Any

from moorage.auth.totp import as_base32, as_uri
from moorage.model.identity_errors import CodeRefused
from moorage.model.principal import root_arn
from moorage.operations.identity import mfa_devices
from moorage.operations.identity.mfa_devices import Assignment, DeviceView, NewDevice
from moorage.wire.aws.callers import caller_of
from moorage.wire.aws.service import Call, Output, Service
from moorage.wire.aws.services.iam import shown
from moorage.wire.aws.services.iam.context import IamContext, pairs

_ROOT = "root"
_ISSUER = "Moorage"


def register(service: Service, context: IamContext) -> None:
    """Add the operations to ``Service("iam")``."""
    _changes(service, context)
    _lists(service, context)


def _changes(service: Service, context: IamContext) -> None:
    @service.operation("CreateVirtualMFADevice")
    async def create_device(call: Call) -> Output:
        created = await context.db.write(
            mfa_devices.create_virtual_mfa_device,
            context.root_key,
            caller_of(call),
            call["VirtualMFADeviceName"],
            call.get("Path") or "/",
            pairs(call.get("Tags")),
        )
        return {
            "VirtualMFADevice": {
                "SerialNumber": created.serial,
                "Base32StringSeed": as_base32(created.seed).encode(),
                "QRCodePNG": await context.pools.on_cpu(_picture, created),
                "Tags": shown.tag_list(created.tags) if created.tags else None,
            }
        }

    @service.operation("EnableMFADevice")
    async def enable_device(call: Call) -> Output:
        if not await context.db.write(mfa_devices.enable_mfa_device, context.root_key, caller_of(call), *_codes(call)):
            raise CodeRefused
        return {}

    @service.operation("ResyncMFADevice")
    async def resync_device(call: Call) -> Output:
        if not await context.db.write(mfa_devices.resync_mfa_device, context.root_key, caller_of(call), *_codes(call)):
            raise CodeRefused
        return {}

    @service.operation("DeactivateMFADevice")
    async def deactivate_device(call: Call) -> Output:
        await context.db.write(mfa_devices.deactivate_mfa_device, caller_of(call), call.get("UserName"), call["SerialNumber"])
        return {}

    @service.operation("DeleteVirtualMFADevice")
    async def delete_device(call: Call) -> Output:
        await context.db.write(mfa_devices.delete_virtual_mfa_device, caller_of(call), call["SerialNumber"])
        return {}


def _lists(service: Service, context: IamContext) -> None:
    @service.operation("ListMFADevices")
    async def list_devices(call: Call) -> Output:
        after, count = context.page_asked(call)
        name, page = await context.db.read(mfa_devices.list_mfa_devices, caller_of(call), call.get("UserName"), after, count)
        devices = [
            {"UserName": name or _ROOT, "SerialNumber": device.serial, "EnableDate": shown.seconds(device.enabled_at)}
            for device in page.items
        ]
        return {"MFADevices": devices, **context.page_shown(call, page)}

    @service.operation("ListVirtualMFADevices")
    async def list_virtual_devices(call: Call) -> Output:
        after, count = context.page_asked(call)
        assignment: Assignment = call.get("AssignmentStatus", "Any")
        page = await context.db.read(mfa_devices.list_virtual_mfa_devices, caller_of(call), assignment, after, count)
        return {"VirtualMFADevices": [_shown(view) for view in page.items], **context.page_shown(call, page)}

    @service.operation("GetMFADevice")
    async def get_device(call: Call) -> Output:
        found = await context.db.read(mfa_devices.get_mfa_device, caller_of(call), call["SerialNumber"], call.get("UserName"))
        return {
            "UserName": found.user.name if found.user is not None else _ROOT,
            "SerialNumber": found.device.serial,
            "EnableDate": shown.seconds(found.device.enabled_at),
        }


def _codes(call: Call) -> tuple[str, str, str, str]:
    return call["UserName"], call["SerialNumber"], call["AuthenticationCode1"], call["AuthenticationCode2"]


def _picture(created: NewDevice) -> bytes:
    """A QR code of the seed, for an app to scan: a PNG."""
    import segno

    out = io.BytesIO()
    name = created.serial.rpartition("/")[2]
    segno.make(as_uri(created.seed, name, _ISSUER), error="m", micro=False).save(out, kind="png", scale=4)
    return out.getvalue()


def _shown(view: DeviceView) -> dict[str, Any]:
    device = view.device
    entry: dict[str, Any] = {"SerialNumber": device.serial, "EnableDate": shown.seconds(device.enabled_at)}
    if view.user is not None:
        entry["User"] = shown.identity(view.user)
    elif device.user_id == device.account_id:
        entry["User"] = {"UserId": device.account_id, "Arn": root_arn(device.account_id)}
    return entry
