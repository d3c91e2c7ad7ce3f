"""Templates of repositories that are created without CreateRepository: by replication, by a cache, by a push.

Source: ECR CreateRepositoryCreationTemplate and its kin; ECR User Guide, "Templates to control repositories created during a pull
through cache, create on push, or replication action".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from moorage.auth.authorize import Question, authorize
from moorage.lifecycle.parse import parse_lifecycle_policy
from moorage.metadata.registry import creation_templates, registries
from moorage.metadata.registry.records import StoredTemplate, Template
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.model.errors import LimitExceeded, ParameterInvalid, TagKeyInvalid, TooManyTags
from moorage.model.principal import Caller
from moorage.model.registry_errors import ConfigurationInvalid, TemplateExists, TemplateNotFound
from moorage.model.scope import Scope
from moorage.operations import quotas
from moorage.operations.identity import policy_documents
from moorage.operations.identity.authorized import facts_of, permit
from moorage.operations.identity.service_linked_roles import ensure_linked_role
from moorage.operations.images.tag_mutability import WITH_EXCLUSION, check_filters
from moorage.operations.registry.custom_roles import check_custom_role
from moorage.operations.repository.resource_tags import check_tags
from moorage.policy.document import Kind

ROOT = "ROOT"
SERVICE = "ecr.amazonaws.com"
CREATE_ON_PUSH = "CREATE_ON_PUSH"


def create_repository_creation_template(tx: Transaction, caller: Caller, scope: Scope, template: Template) -> StoredTemplate:
    """Add a template. Repositories that exist stay as they are.

    Raises:
        ConfigurationInvalid, ParameterInvalid, MalformedPolicy: the template contradicts itself.
        TemplateExists, LimitExceeded
    """
    authorize(tx, caller, Question("ecr:CreateRepositoryCreationTemplate", scope, "*"))
    _authorize_contents(tx, caller, scope, template)
    checked = _checked(tx, scope, template)
    ensure_linked_role(tx, caller, SERVICE)
    registry = registries.hold(tx, scope)
    prefix = stored_prefix(template.prefix)
    if not creation_templates.insert(tx, registry, prefix, checked):
        raise TemplateExists(scope.registry_id, prefix)
    most = quotas.limit(tx, "creation_templates")
    if len(creation_templates.list_page(tx, registry, "", most + 1)) > most:
        raise LimitExceeded(
            f"The maximum number of repository creation templates ({most}) in the registry with id "
            f"'{scope.registry_id}' has been reached"
        )
    return _find(tx, scope, prefix)


def update_repository_creation_template(
    tx: Transaction, caller: Caller, scope: Scope, prefix: str, changes: dict[str, Any]
) -> StoredTemplate:
    """Change the members of a template that are in `changes`; an empty text takes a policy away.

    Raises:
        TemplateNotFound, and what `create_repository_creation_template` raises.
    """
    authorize(tx, caller, Question("ecr:UpdateRepositoryCreationTemplate", scope, "*"))
    registry = registries.hold(tx, scope)
    found = _find(tx, scope, prefix)
    changed = replace(found.template, **changes)
    if (
        "tag_mutability" in changes
        and "mutability_filters" not in changes
        and not changed.tag_mutability.endswith(WITH_EXCLUSION)
    ):
        changed = replace(changed, mutability_filters=())
    _authorize_contents(tx, caller, scope, replace(Template(prefix, ()), **changes))
    if not creation_templates.replace(tx, registry, stored_prefix(prefix), _checked(tx, scope, changed)):
        raise TemplateNotFound(scope.registry_id, stored_prefix(prefix))
    return _find(tx, scope, prefix)


def delete_repository_creation_template(tx: Transaction, caller: Caller, scope: Scope, prefix: str) -> StoredTemplate:
    """Take a template away; repositories that it made stay as they are. Raises TemplateNotFound."""
    authorize(tx, caller, Question("ecr:DeleteRepositoryCreationTemplate", scope, "*"))
    registry = registries.hold(tx, scope)
    found = _find(tx, scope, prefix)
    if not creation_templates.remove(tx, registry, stored_prefix(prefix)):
        raise TemplateNotFound(scope.registry_id, stored_prefix(prefix))
    return found


def describe_named_templates(tx: ReadTransaction, caller: Caller, scope: Scope, prefixes: Sequence[str]) -> list[StoredTemplate]:
    """Those of the templates that exist, in byte order of their prefixes."""
    authorize(tx, caller, Question("ecr:DescribeRepositoryCreationTemplates", scope, "*"))
    registry = registries.find_registry(tx, scope)
    return [] if registry is None else creation_templates.find_among(tx, registry, [stored_prefix(each) for each in prefixes])


def describe_templates_page(
    tx: ReadTransaction, caller: Caller, scope: Scope, after: str, count: int
) -> tuple[list[StoredTemplate], str | None]:
    """At most `count` templates whose prefixes come after `after`, and the last prefix if there are more."""
    authorize(tx, caller, Question("ecr:DescribeRepositoryCreationTemplates", scope, "*"))
    registry = registries.find_registry(tx, scope)
    found = [] if registry is None else creation_templates.list_page(tx, registry, after, count + 1)
    return [template for _, template in found[:count]], found[count - 1][0] if len(found) > count else None


def find_for(tx: ReadTransaction, scope: Scope, name: str, cause: str) -> Template | None:
    """The template by which a repository is created: of those for `cause` the one with the longest prefix, ROOT last."""
    parts = name.split("/")
    prefixes = ["/".join(parts[:length]) for length in range(1, len(parts))]
    found = [stored.template for stored in creation_templates.matching(tx, scope, [*prefixes, ROOT])]
    fitting = [template for template in found if cause in template.applied_for]
    return max(fitting, key=lambda each: -1 if each.prefix == ROOT else len(stored_prefix(each.prefix)), default=None)


def stored_prefix(given: str) -> str:
    """A prefix without the slash that is implied behind it."""
    return given.removesuffix("/")


def _find(tx: ReadTransaction, scope: Scope, prefix: str) -> StoredTemplate:
    registry = registries.find_registry(tx, scope)
    found = None if registry is None else creation_templates.find(tx, registry, stored_prefix(prefix))
    if found is None:
        raise TemplateNotFound(scope.registry_id, stored_prefix(prefix))
    return found


def _authorize_contents(tx: Transaction, caller: Caller, scope: Scope, template: Template) -> None:
    """Whoever lets repositories be made with a policy has to be one who may set it, and may pass the role that makes them."""
    prefix = stored_prefix(template.prefix)
    arn = scope.repository_arn("*" if prefix == ROOT else f"{prefix}/*")
    authorize(tx, caller, Question("ecr:CreateRepository", scope, arn))
    if template.repository_policy:
        authorize(tx, caller, Question("ecr:SetRepositoryPolicy", scope, arn))
    if template.lifecycle_policy:
        authorize(tx, caller, Question("ecr:PutLifecyclePolicy", scope, arn))
    if template.role_arn:
        permit(tx, caller, "PassRole", template.role_arn, facts_of(extra={"iam:passedtoservice": SERVICE}))


def _checked(tx: Transaction, scope: Scope, template: Template) -> Template:
    """The template as it is stored: what is empty is not there."""
    if not template.applied_for:
        raise ParameterInvalid("appliedFor", "Member must have length greater than or equal to 1")
    if template.encryption_type == "AES256" and template.kms_key:
        raise ParameterInvalid(
            "encryptionConfiguration.kmsKey", "KMS key can only be specified when encryptionType is KMS or KMS_DSSE"
        )
    try:
        tags = check_tags(template.tags)
    except (TooManyTags, TagKeyInvalid) as error:
        raise ConfigurationInvalid(str(error)) from None
    check_custom_role(scope, template.role_arn)
    if template.repository_policy:
        policy_documents.read(tx, template.repository_policy, Kind.REPOSITORY)
    if template.lifecycle_policy:
        parse_lifecycle_policy(template.lifecycle_policy)
    return replace(
        template,
        applied_for=tuple(dict.fromkeys(template.applied_for)),
        kms_key=template.kms_key or None,
        tags=tuple(tags.items()),
        mutability_filters=check_filters(template.tag_mutability, template.mutability_filters),
        repository_policy=template.repository_policy or None,
        lifecycle_policy=template.lifecycle_policy or None,
        role_arn=template.role_arn or None,
    )
