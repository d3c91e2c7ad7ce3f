"""Access keys."""

from __future__ import annotations

from moorage.operations.identity import access_keys
from moorage.wire.aws.callers import caller_of
from moorage.wire.aws.service import Call, Output, Service
from moorage.wire.aws.services.iam.context import IamContext
from moorage.wire.aws.services.iam.shown import seconds

_NEVER = "N/A"


def register(service: Service, context: IamContext) -> None:
    """Add the operations to ``Service("iam")``."""

    @service.operation("CreateAccessKey")
    async def create_access_key(call: Call) -> Output:
        key = await context.db.write(access_keys.create_access_key, context.root_key, caller_of(call), call.get("UserName"))
        return {
            "AccessKey": {
                "UserName": key.user_name,
                "AccessKeyId": key.id,
                "Status": access_keys.ACTIVE,
                "SecretAccessKey": key.secret,
                "CreateDate": seconds(key.created_at),
            }
        }

    @service.operation("ListAccessKeys")
    async def list_access_keys(call: Call) -> Output:
        after, count = context.page_asked(call)
        name, page = await context.db.read(access_keys.list_access_keys, caller_of(call), call.get("UserName"), after, count)
        keys = [
            {"UserName": name, "AccessKeyId": key.id, "Status": key.status, "CreateDate": seconds(key.created_at)}
            for key in page.items
        ]
        return {"AccessKeyMetadata": keys, **context.page_shown(call, page)}

    @service.operation("UpdateAccessKey")
    async def update_access_key(call: Call) -> Output:
        await context.db.write(
            access_keys.update_access_key, caller_of(call), call.get("UserName"), call["AccessKeyId"], call["Status"]
        )
        return {}

    @service.operation("DeleteAccessKey")
    async def delete_access_key(call: Call) -> Output:
        await context.db.write(access_keys.delete_access_key, caller_of(call), call.get("UserName"), call["AccessKeyId"])
        return {}

    @service.operation("GetAccessKeyLastUsed")
    async def get_access_key_last_used(call: Call) -> Output:
        name, key = await context.db.read(access_keys.get_access_key_last_used, caller_of(call), call["AccessKeyId"])
        return {
            "UserName": name,
            "AccessKeyLastUsed": {
                "LastUsedDate": seconds(key.last_used_at),
                "ServiceName": key.last_used_service or _NEVER,
                "Region": key.last_used_region or _NEVER,
            },
        }
