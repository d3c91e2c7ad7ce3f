"""A push to a repository that is not there creates it, where a template says so. Without one there is no such thing.

Source: ECR User Guide, "Creating a repository on push"; the pusher needs ``ecr:CreateRepository`` on the name.
"""

from __future__ import annotations

import logging

from moorage.auth.authorize import Question, authorize
from moorage.metadata.registry import lifecycle_policies, repositories
from moorage.metadata.transaction import Transaction
from moorage.model.errors import DomainError, RepositoryExists
from moorage.model.names import RepositoryName
from moorage.model.principal import NO_FACTS, Caller
from moorage.model.scope import Scope
from moorage.model.seal import SealKey
from moorage.model.shown import shown
from moorage.operations.identity import policy_documents
from moorage.operations.repository.creation_templates import CREATE_ON_PUSH, find_for
from moorage.operations.repository.repositories import RepositoryRequest, make_repository
from moorage.operations.repository.resource_tags import about_tags
from moorage.policy.document import Kind

logger = logging.getLogger("moorage.templates")


def create_on_push(tx: Transaction, caller: Caller, scope: Scope, name: RepositoryName, seal_key: SealKey | None = None) -> None:
    """Create the repository by the template that is for it.

    Raises:
        SealKeyMissing: as `create_repository`.
        RepositoryExists: another push was first.
        TemplateUnusable: the template cannot be applied; told to a pusher who may create the repository, and to the log.
        DomainError: no template, or no right.
    """
    template = find_for(tx, scope, name, CREATE_ON_PUSH)
    if template is None:
        raise NoTemplate(name)
    arn = scope.repository_arn(name)
    facts = about_tags(template.tags) if template.tags else NO_FACTS
    authorize(tx, caller, Question("ecr:CreateRepository", scope, arn, facts))
    if template.tags:
        authorize(tx, caller, Question("ecr:TagResource", scope, arn, facts))
    try:
        if (template.tags or template.encryption_type != "AES256") and template.role_arn is None:
            raise TemplateUnusable("it has resource tags or KMS encryption and therefore needs a customRoleArn")
        request = RepositoryRequest(
            name,
            tags=template.tags,
            tag_mutability=template.tag_mutability,
            mutability_filters=template.mutability_filters or None,
            encryption_type=template.encryption_type,
            kms_key=template.kms_key,
        )
        repository = make_repository(tx, scope, request, seal_key)
        if template.repository_policy is not None:
            _, bindings = policy_documents.read(tx, template.repository_policy, Kind.REPOSITORY)
            repositories.set_policy(tx, repository, template.repository_policy, bindings)
        if template.lifecycle_policy is not None:
            lifecycle_policies.put(tx, repository.id, template.lifecycle_policy)
    except RepositoryExists:  # another layer of the same push was first
        raise
    except DomainError as error:
        logger.warning("the template %s could not be applied to %s: %s", shown(template.prefix), shown(arn), error)
        raise TemplateUnusable(f"the creation template {template.prefix} cannot be applied: {error}") from error


class NoTemplate(DomainError):
    """No template creates this repository when it is pushed to."""


class TemplateUnusable(DomainError):
    """A template that cannot be applied."""
