"""With which profiles images are to be signed when they are pushed.

Source: ECR PutSigningConfiguration, GetSigningConfiguration, DeleteSigningConfiguration, DescribeImageSigningStatus. Nothing is
signed yet, so no image has a status: whoever signs begins in `images.changes`.
"""

from __future__ import annotations

from moorage.auth.authorize import Question, authorize
from moorage.metadata.records import Image
from moorage.metadata.registry import registries
from moorage.metadata.registry.records import SigningRule
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.model.names import RepositoryName
from moorage.model.principal import Caller
from moorage.model.registry_errors import ConfigurationInvalid, SigningNotConfigured
from moorage.model.scope import Scope
from moorage.operations.authorized import repository_for
from moorage.operations.registry import documents
from moorage.operations.wanted_images import WantedImage, one_image

Rules = tuple[SigningRule, ...]


def put_signing_configuration(tx: Transaction, caller: Caller, scope: Scope, rules: Rules) -> None:
    """Replace the configuration. Raises ConfigurationInvalid: a profile has two rules."""
    authorize(tx, caller, Question("ecr:PutSigningConfiguration", scope, "*"))
    if len({rule.profile_arn for rule in rules}) < len(rules):
        raise ConfigurationInvalid("A signing profile can be used in only one rule of the signing configuration")
    documents.put(tx, registries.hold(tx, scope), documents.SIGNING, rules)


def get_signing_configuration(tx: ReadTransaction, caller: Caller, scope: Scope) -> Rules:
    """The rules, which may be none. Raises SigningNotConfigured: it was never set, or deleted."""
    authorize(tx, caller, Question("ecr:GetSigningConfiguration", scope, "*"))
    return _rules(tx, scope)


def delete_signing_configuration(tx: Transaction, caller: Caller, scope: Scope) -> Rules:
    """Take the configuration away; return its rules. Raises SigningNotConfigured."""
    authorize(tx, caller, Question("ecr:DeleteSigningConfiguration", scope, "*"))
    registry = registries.hold(tx, scope)
    rules = _rules(tx, scope)
    documents.remove(tx, registry, documents.SIGNING)
    return rules


def _rules(tx: ReadTransaction, scope: Scope) -> Rules:
    found = documents.find(tx, scope, documents.SIGNING, Rules)
    if found is None:
        raise SigningNotConfigured(scope.registry_id)
    return found


def describe_image_signing_status(
    tx: ReadTransaction, caller: Caller, scope: Scope, name: RepositoryName, wanted: WantedImage
) -> Image:
    """The image whose signatures are asked for: of none has any been begun. Raises ImageNotFound."""
    repository = repository_for(tx, caller, "ecr:DescribeImageSigningStatus", scope, name)
    return one_image(tx, repository, wanted)
