"""The registry as a whole: DescribeRegistry, GetAuthorizationToken, GetAccountSetting, PutAccountSetting."""

from __future__ import annotations

import base64

from moorage.auth.registry_token import USER
from moorage.model.scope import Scope
from moorage.operations.registry import account_settings, authorization_token
from moorage.operations.replication import rules as replication
from moorage.wire.aws.callers import caller_of
from moorage.wire.aws.service import Call, Output, Service
from moorage.wire.aws.services.ecr.context import EcrContext, scope_of
from moorage.wire.aws.services.ecr.replication import shown_rule


def register(service: Service, context: EcrContext) -> None:
    """Add the operations to ``Service("ecr")``."""

    @service.operation("DescribeRegistry")
    async def describe_registry(call: Call) -> Output:
        scope = scope_of(call)
        rules = await context.db.lookup(replication.describe_registry, caller_of(call), scope)
        return {"registryId": scope.registry_id, "replicationConfiguration": {"rules": [shown_rule(rule) for rule in rules]}}

    @service.operation("GetAccountSetting")
    async def get_account_setting(call: Call) -> Output:
        value = await context.db.read(account_settings.get_account_setting, caller_of(call), scope_of(call), call["name"])
        return {"name": call["name"], "value": value}

    @service.operation("PutAccountSetting")
    async def put_account_setting(call: Call) -> Output:
        name, value = call["name"], call["value"]
        await context.db.write(account_settings.put_account_setting, caller_of(call), scope_of(call), name, value)
        return {"name": name, "value": value}

    @service.operation("GetAuthorizationToken")
    async def get_authorization_token(call: Call) -> Output:
        own = Scope.of(call.region, call.signer.account_id)
        claims = await context.db.lookup(
            authorization_token.get_authorization_token,
            caller_of(call),
            own,
            ends_with_session=context.tokens_end_with_session,
        )
        data = []
        for registry_id in call.get("registryIds") or [own.registry_id]:
            password = context.tokens.issue(claims)
            host = await context.registry_host(Scope.of(call.region, registry_id), call)
            data.append(
                {
                    "authorizationToken": base64.b64encode(f"{USER}:{password}".encode()).decode("ascii"),
                    "expiresAt": claims.expires_at,
                    "proxyEndpoint": f"{call.scheme}://{host}",
                }
            )
        return {"authorizationData": data}
