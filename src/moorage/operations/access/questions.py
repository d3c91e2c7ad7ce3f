"""What a question is about: an action that exists, and a resource as `authorize` takes it."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from moorage.metadata.identity import identities
from moorage.metadata.identity import tags as identity_tags
from moorage.metadata.identity.records import Identity
from moorage.metadata.records import Repository
from moorage.metadata.registry import repositories
from moorage.metadata.transaction import ReadTransaction
from moorage.model.arn import parse_repository_arn
from moorage.model.errors import ArnInvalid, InvalidValue
from moorage.model.identity import KINDS, REGION, home, parse_iam_arn
from moorage.model.names import parse_repository_name
from moorage.model.principal import NO_FACTS, RequestFacts
from moorage.model.scope import Scope
from moorage.operations.access.principals import QuestionInvalid
from moorage.policy import actions


@dataclass(frozen=True, slots=True)
class Target:
    """A resource with what decisions about it need."""

    resource: str
    """ARN or ``*``."""
    scope: Scope
    facts: RequestFacts = NO_FACTS
    repository: Repository | None = None
    role: Identity | None = None
    """The resource, if it is a role."""


def action_named(text: str) -> str:
    """An action as it is written in documentation. Raises QuestionInvalid: there is none of that name."""
    borrowed = next((name for name in actions.BORROWED if name.lower() == text.lower()), None)
    if borrowed is not None:
        raise QuestionInvalid(f"{borrowed} has no action of its own: whoever may do {actions.BORROWED[borrowed]} may do it")
    found = actions.NAMES.get(text.lower())
    if found is None:
        near = difflib.get_close_matches(text.lower(), actions.NAMES, 1)
        hint = f": did you mean {actions.NAMES[near[0]]}?" if near else ", such as ecr:BatchGetImage"
        raise QuestionInvalid(f"there is no action {text}{hint}")
    return found


def needs_repository(action: str) -> bool | None:
    """Whether an action is about a repository or about nothing in particular; None: about a registry, or nobody knows."""
    described = actions.DESCRIBED.get(action.lower())
    return None if described is None or described.resource == "registry" else described.resource == "repository"


def target_for(tx: ReadTransaction, action: str, text: str, here: Scope) -> Target:
    """The resource that `text` names: an ARN, the name of a repository of the registry `here`, or ``*``.

    Raises:
        QuestionInvalid: it is none of them, or the action is not about such a resource.
    """
    wanted = needs_repository(action)
    if text == "*":
        if wanted:
            raise QuestionInvalid(f"{action} is about a repository: name one, by its ARN or its name")
        if action.lower() in actions.DESCRIBED and wanted is None:  # of ECR Public: about the registry, of which there is one
            registry = Scope.public(here.registry_id)
            return Target(registry.registry_arn, registry)
        return Target("*", here)
    if wanted is False:
        raise QuestionInvalid(f"{action} is not about a particular resource: leave the resource out")
    home_of_action = Scope.public(here.registry_id) if action.startswith("ecr-public:") else here
    arn = text if text.startswith("arn:") else _arn_of_repository(home_of_action, text)
    parts = arn.split(":", 5)
    if len(parts) != 6:
        raise QuestionInvalid(f"{text} is not an ARN")
    if parts[2] == "ecr-public" and action.startswith("ecr:"):
        raise QuestionInvalid("everybody may pull from a public repository; for everything else name an action of ecr-public")
    if parts[2] in {"ecr", "ecr-public"} and parts[5].startswith("repository/"):
        return _repository(tx, arn)
    if parts[2] == "iam":
        return _identity(tx, arn, parts[4])
    return Target(arn, _scope(arn))


def _scope(arn: str) -> Scope:
    """The registry of an ARN whose resource is not looked at. Raises QuestionInvalid."""
    _, _, service, region, account, _ = arn.split(":", 5)
    try:
        of_region = Scope.of(region or REGION, account)
    except InvalidValue as error:
        raise QuestionInvalid(f"{arn}: {error.reason}") from None
    return Scope.public(account) if service == "ecr-public" else of_region


def _arn_of_repository(here: Scope, name: str) -> str:
    try:
        return here.repository_arn(parse_repository_name(name))
    except InvalidValue:
        raise QuestionInvalid(f"{name} is neither an ARN nor the name of a repository") from None


def _repository(tx: ReadTransaction, arn: str) -> Target:
    """A repository that exists or not; also a pattern of names, which is what lists are authorised with."""
    try:
        scope, name = parse_repository_arn(arn)
    except ArnInvalid:
        parts = arn.split(":", 5)
        if not parts[5].endswith("*"):
            raise QuestionInvalid(f"{arn} is not the ARN of a repository") from None
        return Target(arn, _scope(arn))
    return Target(arn, scope, repository=repositories.find(tx, scope, name))


def _identity(tx: ReadTransaction, arn: str, account: str) -> Target:
    parts = parse_iam_arn(arn)
    kind = next((each for each in KINDS if parts is not None and parts.kind == each), None)
    found = identities.find(tx, account, kind, parts.name) if parts is not None and kind is not None else None
    if found is None or found.arn != arn:
        return Target(arn, home(account))
    extra = {} if found.boundary_arn is None else {"iam:permissionsboundary": found.boundary_arn}
    tags = identity_tags.tags_of(tx, found.id) if found.kind != "group" else {}
    facts = RequestFacts(resource_tags=tags, extra=extra)
    return Target(arn, home(account), facts, role=found if found.kind == "role" else None)
