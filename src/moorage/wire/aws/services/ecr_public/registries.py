"""Public registries: DescribeRegistries, their catalog data, GetAuthorizationToken."""

from __future__ import annotations

import base64

from moorage.auth.registry_token import USER
from moorage.model.errors import TokenInvalid
from moorage.operations.public import registries
from moorage.operations.registry import authorization_token
from moorage.wire.aws.callers import caller_of
from moorage.wire.aws.service import Call, Output, Service
from moorage.wire.aws.services.ecr.context import EcrContext, scope_of


def register(service: Service, context: EcrContext) -> None:
    """Add the operations to ``Service("ecr-public")``."""

    @service.operation("DescribeRegistries")
    async def describe_registries(call: Call) -> Output:
        if call.get("nextToken") is not None:
            raise TokenInvalid(call["nextToken"])  # a caller has one registry, so no page has a next one
        scope = scope_of(call)
        found = await context.db.write(registries.describe_registries, caller_of(call), scope)
        return {
            "registries": [
                {
                    "registryId": scope.registry_id,
                    "registryArn": scope.registry_arn,
                    "registryUri": await context.registry_host(scope, call),
                    "verified": found.is_verified,
                    "aliases": [
                        {
                            "name": alias.name,
                            "status": "ACTIVE",
                            "primaryRegistryAlias": position == 0,
                            "defaultRegistryAlias": alias.is_default,
                        }
                        for position, alias in enumerate(found.aliases)
                    ],
                }
            ]
        }

    @service.operation("GetRegistryCatalogData")
    async def get_registry_catalog_data(call: Call) -> Output:
        name = await context.db.read(registries.get_registry_catalog_data, caller_of(call), scope_of(call))
        return {"registryCatalogData": {"displayName": name}}

    @service.operation("PutRegistryCatalogData")
    async def put_registry_catalog_data(call: Call) -> Output:
        name = call.get("displayName")
        await context.db.write(registries.put_registry_catalog_data, caller_of(call), scope_of(call), name)
        return {"registryCatalogData": {"displayName": name}}

    @service.operation("GetAuthorizationToken")
    async def get_authorization_token(call: Call) -> Output:
        claims = await context.db.lookup(
            authorization_token.get_authorization_token,
            caller_of(call),
            scope_of(call),
            ends_with_session=context.tokens_end_with_session,
        )
        token = base64.b64encode(f"{USER}:{context.tokens.issue(claims)}".encode()).decode("ascii")
        return {"authorizationData": {"authorizationToken": token, "expiresAt": claims.expires_at}}
