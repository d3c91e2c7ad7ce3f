"""Replication to other registries: its rules, and what a push asks of it.

Source: ECR PutReplicationConfiguration, DescribeRegistry, DescribeImageReplicationStatus; ECR User Guide, "Private image
replication". Nothing is copied yet: `ask` is where a push says what is to be, and its lines wait, IN_PROGRESS, for whoever
copies. Until then they are shown as failed, so that nobody waits for them.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from moorage.auth.authorize import Question, authorize
from moorage.metadata.records import Image, Repository
from moorage.metadata.registry import registries, replications
from moorage.metadata.registry.records import Destination, ImageReplication, ReplicationRule
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.model import engines
from moorage.model.errors import ParameterInvalid
from moorage.model.names import RepositoryName
from moorage.model.principal import Caller
from moorage.model.scope import Scope, is_region, partition_of
from moorage.operations import quotas
from moorage.operations.authorized import repository_for
from moorage.operations.identity.service_linked_roles import ensure_linked_role
from moorage.operations.registry import documents
from moorage.operations.wanted_images import WantedImage, one_image

Rules = tuple[ReplicationRule, ...]
_MEMBER = "replicationConfiguration"


def put_replication_configuration(tx: Transaction, caller: Caller, scope: Scope, rules: Rules) -> None:
    """Replace all rules; none: replication is off. What was pushed before is not copied.

    Raises:
        ParameterInvalid: a destination is the registry itself, named twice in a rule, or no region of its partition can be it;
            more destinations than the quota allows.
    """
    authorize(tx, caller, Question("ecr:PutReplicationConfiguration", scope, "*"))
    for rule in rules:
        _check(scope, rule)
    most = quotas.limit(tx, "replication_destinations")
    if len({each for rule in rules for each in rule.destinations}) > most:
        raise ParameterInvalid(_MEMBER, f"Replication configuration can have at most {most} unique destinations")
    if rules:
        ensure_linked_role(tx, caller, "replication.ecr.amazonaws.com")
    documents.put(tx, registries.hold(tx, scope), documents.REPLICATION, rules)


def _check(scope: Scope, rule: ReplicationRule) -> None:
    for destination in rule.destinations:
        if (destination.region, destination.registry_id) == (scope.region, scope.registry_id):
            raise ParameterInvalid(_MEMBER, "Replication destination cannot be the same as the source registry")
        if not is_region(destination.region) or partition_of(destination.region) != scope.partition:
            raise ParameterInvalid(_MEMBER, f"Invalid replication destination region '{destination.region}'")
    if len(set(rule.destinations)) < len(rule.destinations):
        raise ParameterInvalid(_MEMBER, "Replication destinations must be unique within a rule")


def describe_registry(tx: ReadTransaction, caller: Caller, scope: Scope) -> Rules:
    """The rules; none where they were never set."""
    authorize(tx, caller, Question("ecr:DescribeRegistry", scope, "*"))
    return rules_of(tx, scope)


def rules_of(tx: ReadTransaction, scope: Scope) -> Rules:
    """The rules of a registry for whoever acts by them."""
    return documents.find(tx, scope, documents.REPLICATION, Rules) or ()


def destinations_of(rules: Sequence[ReplicationRule], name: str) -> list[Destination]:
    """Where images of a repository go: the union of what the rules that match it name, each once."""
    return sorted({each for rule in rules if matches(rule, name) for each in rule.destinations})


def matches(rule: ReplicationRule, name: str) -> bool:
    """Tell whether a rule is about a repository. A prefix is one of the name's characters, not of its parts."""
    return rule.prefixes is None or name.startswith(rule.prefixes)


def ask(tx: Transaction, repository: Repository, manifest_id: int) -> None:
    """An image was pushed, tagged anew or restored: ask for copies of it at every destination."""
    rules = rules_of(tx, repository.scope)
    if rules:
        replications.ask(tx, manifest_id, destinations_of(rules, repository.name))


def describe_image_replication_status(
    tx: ReadTransaction, caller: Caller, scope: Scope, name: RepositoryName, wanted: WantedImage
) -> tuple[Image, list[ImageReplication]]:
    """One status for each destination that was configured when the image was pushed. Raises ImageNotFound."""
    repository = repository_for(tx, caller, "ecr:DescribeImageReplicationStatus", scope, name)
    image = one_image(tx, repository, wanted)
    found = replications.of_image(tx, image.id)
    if engines.is_absent(engines.REPLICATION):
        found = [replace(each, status="FAILED", failure_code=engines.NOT_AVAILABLE) for each in found]
    return image, found
