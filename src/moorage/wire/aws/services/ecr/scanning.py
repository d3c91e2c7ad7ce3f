"""Scanning: configurations of the registry and of repositories, and what scans have found."""

from __future__ import annotations

from typing import Any

from moorage.metadata.registry.records import ScanningConfiguration, ScanningRule
from moorage.operations.scanning import configuration as scanning_configuration
from moorage.operations.scanning import findings as scan_findings
from moorage.operations.scanning import scans as image_scans
from moorage.wire.aws.callers import caller_of
from moorage.wire.aws.service import Call, Output, Service
from moorage.wire.aws.services.ecr.context import EcrContext, image_of, name_of, names_of, position_of, scope_of


def register(service: Service, context: EcrContext) -> None:
    """Add the operations to ``Service("ecr")``."""

    @service.operation("PutRegistryScanningConfiguration")
    async def put_registry_scanning_configuration(call: Call) -> Output:
        rules = tuple(_rule(given) for given in call.get("rules") or ())
        made = await context.db.write(
            scanning_configuration.put_registry_scanning_configuration,
            caller_of(call),
            scope_of(call),
            call.get("scanType"),
            rules,
        )
        return {"registryScanningConfiguration": _shown(made)}

    @service.operation("GetRegistryScanningConfiguration")
    async def get_registry_scanning_configuration(call: Call) -> Output:
        scope = scope_of(call)
        found = await context.db.read(scanning_configuration.get_registry_scanning_configuration, caller_of(call), scope)
        return {"registryId": scope.registry_id, "scanningConfiguration": _shown(found)}

    @service.operation("PutImageScanningConfiguration")
    async def put_image_scanning_configuration(call: Call) -> Output:
        scope, name = scope_of(call), name_of(call)
        on = bool(call["imageScanningConfiguration"].get("scanOnPush", False))
        await context.db.write(scanning_configuration.put_image_scanning_configuration, caller_of(call), scope, name, on=on)
        return {
            "registryId": scope.registry_id,
            "repositoryName": name,
            "imageScanningConfiguration": {"scanOnPush": on},
        }

    @service.operation("BatchGetRepositoryScanningConfiguration")
    async def batch_get_repository_scanning_configuration(call: Call) -> Output:
        scope = scope_of(call)
        found, missing = await context.db.read(
            scanning_configuration.batch_get_repository_scanning_configuration, caller_of(call), scope, names_of(call)
        )
        return {
            "scanningConfigurations": [
                {
                    "repositoryArn": each.repository.arn,
                    "repositoryName": each.repository.name,
                    "scanOnPush": each.repository.scan_on_push,
                    "scanFrequency": each.frequency,
                    "appliedScanFilters": _filters(each.filters),
                }
                for each in found
            ],
            "failures": [
                {
                    "repositoryName": name,
                    "failureCode": "REPOSITORY_NOT_FOUND",
                    "failureReason": f"The repository with name '{name}' does not exist in the registry with id "
                    f"'{scope.registry_id}'",
                }
                for name in missing
            ],
        }

    @service.waiting("StartImageScan", image_scans.ENGINE)
    async def start_image_scan(call: Call) -> Output:
        return await context.db.read(image_scans.start_image_scan, caller_of(call), scope_of(call), name_of(call), image_of(call))

    @service.operation("DescribeImageScanFindings")
    async def describe_image_scan_findings(call: Call) -> Output:
        scope, name, wanted = scope_of(call), name_of(call), image_of(call)
        position_of(context, call, f"DescribeImageScanFindings|{scope}|{name}|{wanted}")
        return await context.db.read(scan_findings.describe_image_scan_findings, caller_of(call), scope, name, wanted)


def _rule(given: dict[str, Any]) -> ScanningRule:
    return ScanningRule(given["scanFrequency"], tuple(each["filter"] for each in given["repositoryFilters"]))


def _filters(filters: tuple[str, ...]) -> list[dict[str, str]]:
    return [{"filter": pattern, "filterType": "WILDCARD"} for pattern in filters]


def _shown(configuration: ScanningConfiguration) -> dict[str, Any]:
    return {
        "scanType": configuration.scan_type,
        "rules": [{"scanFrequency": rule.frequency, "repositoryFilters": _filters(rule.filters)} for rule in configuration.rules],
    }
