"""Signing of images that are pushed: its configuration, and how it stands for an image."""

from __future__ import annotations

from typing import Any

from moorage.metadata.registry.records import SigningRule
from moorage.operations.signing import configuration as signing_configuration
from moorage.wire.aws.callers import caller_of
from moorage.wire.aws.service import Call, Output, Service
from moorage.wire.aws.services.ecr.context import EcrContext, image_of, name_of, scope_of, shown_image


def register(service: Service, context: EcrContext) -> None:
    """Add the operations to ``Service("ecr")``."""

    @service.operation("PutSigningConfiguration")
    async def put_signing_configuration(call: Call) -> Output:
        rules = tuple(_rule(given) for given in call["signingConfiguration"]["rules"])
        await context.db.write(signing_configuration.put_signing_configuration, caller_of(call), scope_of(call), rules)
        return {"signingConfiguration": _shown(rules)}

    @service.operation("GetSigningConfiguration")
    async def get_signing_configuration(call: Call) -> Output:
        scope = scope_of(call)
        rules = await context.db.read(signing_configuration.get_signing_configuration, caller_of(call), scope)
        return {"registryId": scope.registry_id, "signingConfiguration": _shown(rules)}

    @service.operation("DeleteSigningConfiguration")
    async def delete_signing_configuration(call: Call) -> Output:
        scope = scope_of(call)
        rules = await context.db.write(signing_configuration.delete_signing_configuration, caller_of(call), scope)
        return {"registryId": scope.registry_id, "signingConfiguration": _shown(rules)}

    @service.operation("DescribeImageSigningStatus")
    async def describe_image_signing_status(call: Call) -> Output:
        scope, name, wanted = scope_of(call), name_of(call), image_of(call)
        image = await context.db.read(signing_configuration.describe_image_signing_status, caller_of(call), scope, name, wanted)
        return {
            "registryId": scope.registry_id,
            "repositoryName": name,
            "imageId": shown_image(image, wanted),
            "signingStatuses": [],
        }


def _rule(given: dict[str, Any]) -> SigningRule:
    filters = given.get("repositoryFilters")
    return SigningRule(given["signingProfileArn"], None if filters is None else tuple(each["filter"] for each in filters))


def _shown(rules: tuple[SigningRule, ...]) -> dict[str, Any]:
    return {
        "rules": [
            {
                "signingProfileArn": rule.profile_arn,
                "repositoryFilters": None
                if rule.filters is None
                else [{"filter": pattern, "filterType": "WILDCARD_MATCH"} for pattern in rule.filters],
            }
            for rule in rules
        ]
    }
