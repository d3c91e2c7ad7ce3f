"""Which repositories are scanned, how, and when.

Source: ECR PutRegistryScanningConfiguration, GetRegistryScanningConfiguration, PutImageScanningConfiguration,
BatchGetRepositoryScanningConfiguration; ECR User Guide, "Image scanning", "Scan filters".
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from moorage.auth.authorize import Question, authorize
from moorage.metadata.records import Repository
from moorage.metadata.registry import registries, repositories
from moorage.metadata.registry.records import ScanningConfiguration, ScanningRule
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.model.names import RepositoryName
from moorage.model.principal import Caller
from moorage.model.registry_errors import ConfigurationInvalid
from moorage.model.scope import Scope
from moorage.model.wildcards import matches
from moorage.operations.authorized import locked_repository_for
from moorage.operations.registry import documents

BASIC, ENHANCED = "BASIC", "ENHANCED"
ON_PUSH, CONTINUOUS, MANUAL = "SCAN_ON_PUSH", "CONTINUOUS_SCAN", "MANUAL"
DISABLED = "This feature is disabled"
"""What an operation of basic scanning says where enhanced scanning is on."""


class EffectiveScanning(Struct, frozen=True):
    """When a repository's images are scanned, and the filters that say so."""

    repository: Repository
    frequency: str
    filters: tuple[str, ...]


def put_registry_scanning_configuration(
    tx: Transaction, caller: Caller, scope: Scope, scan_type: str | None, rules: tuple[ScanningRule, ...]
) -> ScanningConfiguration:
    """Replace the rules, and the type if one is given. Raises ConfigurationInvalid: rules that the type does not have."""
    authorize(tx, caller, Question("ecr:PutRegistryScanningConfiguration", scope, "*"))
    registry = registries.hold(tx, scope)
    chosen = ScanningConfiguration(scan_type or configuration_of(tx, scope).scan_type, rules)
    frequencies = [rule.frequency for rule in rules]
    if len(set(frequencies)) < len(frequencies):
        raise ConfigurationInvalid("A scanning configuration can have only one rule for each scan frequency")
    excluded = CONTINUOUS if chosen.scan_type == BASIC else MANUAL
    if excluded in frequencies:
        raise ConfigurationInvalid(f"The scan frequency {excluded} is not supported for the scan type {chosen.scan_type}")
    documents.put(tx, registry, documents.SCANNING, chosen)
    return chosen


def get_registry_scanning_configuration(tx: ReadTransaction, caller: Caller, scope: Scope) -> ScanningConfiguration:
    """The configuration: BASIC without rules where it was never set."""
    authorize(tx, caller, Question("ecr:GetRegistryScanningConfiguration", scope, "*"))
    return configuration_of(tx, scope)


def configuration_of(tx: ReadTransaction, scope: Scope) -> ScanningConfiguration:
    """A registry's configuration for whoever acts by it."""
    return documents.find(tx, scope, documents.SCANNING, ScanningConfiguration) or ScanningConfiguration()


def put_image_scanning_configuration(tx: Transaction, caller: Caller, scope: Scope, name: RepositoryName, *, on: bool) -> None:
    """Set a repository's own switch. Raises RepositoryNotFound, ConfigurationInvalid: enhanced scanning is on."""
    repository = locked_repository_for(tx, caller, "ecr:PutImageScanningConfiguration", scope, name, share=False)
    if configuration_of(tx, scope).scan_type == ENHANCED:
        raise ConfigurationInvalid(DISABLED)
    repositories.set_scan_on_push(tx, repository, on=on)


def batch_get_repository_scanning_configuration(
    tx: ReadTransaction, caller: Caller, scope: Scope, names: Sequence[RepositoryName]
) -> tuple[list[EffectiveScanning], list[RepositoryName]]:
    """What holds for each repository, in the order of the request; and the names that there are not."""
    asked = list(dict.fromkeys(names))
    found = repositories.find_named(tx, scope, [str(name) for name in asked])
    for name in asked:
        arn = scope.repository_arn(name)
        authorize(tx, caller, Question("ecr:BatchGetRepositoryScanningConfiguration", scope, arn, repository=found.get(name)))
    configuration = configuration_of(tx, scope)
    effective = [effective_scanning(configuration, found[name]) for name in asked if name in found]
    return effective, [name for name in asked if name not in found]


def effective_scanning(configuration: ScanningConfiguration, repository: Repository) -> EffectiveScanning:
    """When a repository is scanned. Of two frequencies that match the continuous one wins; its own switch is one of BASIC."""
    applied: dict[str, tuple[str, ...]] = {}
    for rule in configuration.rules:
        hits = tuple(each for each in rule.filters if filter_matches(each, repository.name))
        if hits:
            applied[rule.frequency] = hits
    for frequency in (CONTINUOUS, ON_PUSH):
        if frequency in applied:
            return EffectiveScanning(repository, frequency, applied[frequency])
    is_on = configuration.scan_type == BASIC and repository.scan_on_push
    return EffectiveScanning(repository, ON_PUSH if is_on else MANUAL, applied.get(MANUAL, ()))


def filter_matches(pattern: str, name: str) -> bool:
    """A filter with ``*`` matches the whole of a name, one without is contained in it."""
    return matches(pattern, name) if "*" in pattern else pattern in name
