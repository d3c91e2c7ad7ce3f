"""Pull-through cache rules: which names stand for those of an upstream registry.

Source: ECR CreatePullThroughCacheRule and its kin; ECR User Guide, "Sync an upstream registry". No image is fetched yet, and
there is no store of secrets: a credential is checked by the form of its ARN alone, and a rule never tells that it is valid.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from moorage.auth.authorize import Question, authorize
from moorage.metadata.registry import pull_through_rules, registries
from moorage.metadata.registry.records import PullThroughRule
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.model.errors import LimitExceeded
from moorage.model.principal import Caller
from moorage.model.registry_errors import ConfigurationInvalid, NothingToChange, RuleExists, RuleNotFound, UpstreamUnsupported
from moorage.model.scope import Scope
from moorage.operations import quotas
from moorage.operations.identity.service_linked_roles import ensure_linked_role
from moorage.operations.registry.custom_roles import check_custom_role

ROOT = "ROOT"
NOT_FETCHED = "This server does not fetch from upstream registries yet: the upstream registry was not contacted"
"""The failure that ValidatePullThroughCacheRule tells of."""

_ECR_HOST = re.compile(r"(?P<account>[0-9]{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]{1,32})\.amazonaws\.com(?:\.cn)?")
_AZURE_HOST = re.compile(r"[a-z0-9]{5,50}\.azurecr\.io")
_HOSTS = {
    "public.ecr.aws": "ecr-public",
    "registry-1.docker.io": "docker-hub",
    "quay.io": "quay",
    "registry.k8s.io": "k8s",
    "ghcr.io": "github-container-registry",
    "registry.gitlab.com": "gitlab-container-registry",
    "cgr.dev": "chainguard",
}
_NEEDS_SECRET = frozenset(
    ("docker-hub", "github-container-registry", "gitlab-container-registry", "azure-container-registry", "chainguard")
)
_NEEDS_LOGIN = "The specified upstream registry requires authentication. Specify a valid Secrets Manager ARN and try again"


class RuleRequest(Struct, frozen=True):
    """What CreatePullThroughCacheRule can say."""

    prefix: str
    upstream_url: str
    upstream_registry: str | None = None
    upstream_prefix: str | None = None
    credential_arn: str | None = None
    role_arn: str | None = None


def create_pull_through_cache_rule(tx: Transaction, caller: Caller, scope: Scope, request: RuleRequest) -> PullThroughRule:
    """Add a rule. Nothing is made before the first pull.

    Raises:
        UpstreamUnsupported: no such upstream registry, or none without credentials.
        ConfigurationInvalid, ParameterInvalid: members that contradict each other.
        RuleExists, LimitExceeded
    """
    authorize(tx, caller, Question("ecr:CreatePullThroughCacheRule", scope, "*"))
    kind = _kind_of(request.upstream_url)
    if request.upstream_registry is not None and request.upstream_registry != kind:
        raise ConfigurationInvalid(
            f"The upstream registry {request.upstream_registry} does not match the upstream registry URL {request.upstream_url}"
        )
    prefix = stored_prefix(request.prefix)
    _check_login(scope, kind, request)
    if request.upstream_prefix is not None and (prefix == ROOT or kind != "ecr") and request.upstream_prefix != ROOT:
        raise ConfigurationInvalid(
            "An upstream repository prefix can only be given for an ECR upstream and a prefix that is not ROOT"
        )
    ensure_linked_role(tx, caller, "pullthroughcache.ecr.amazonaws.com")
    registry = registries.hold(tx, scope)
    rule = PullThroughRule(
        prefix,
        request.upstream_url,
        kind,
        stored_prefix(request.upstream_prefix or ROOT),
        request.credential_arn,
        request.role_arn,
        tx.now,
        tx.now,
    )
    if not pull_through_rules.insert(tx, registry, rule):
        raise RuleExists(scope.registry_id, prefix)
    if pull_through_rules.count_in(tx, registry) > (most := quotas.limit(tx, "pull_through_rules")):
        raise LimitExceeded(
            f"The maximum number of pull through cache rules ({most}) in the registry with id "
            f"'{scope.registry_id}' has been reached"
        )
    return rule


def stored_prefix(given: str) -> str:
    """A prefix without the slash that is implied behind it."""
    return given.removesuffix("/")


def _kind_of(url: str) -> str:
    if _ECR_HOST.fullmatch(url):
        return "ecr"
    if _AZURE_HOST.fullmatch(url):
        return "azure-container-registry"
    kind = _HOSTS.get(url)
    if kind is None:
        raise UpstreamUnsupported(
            f"The upstream registry URL {url[:256]} is invalid. Specify a valid upstream registry URL and try again"
        )
    return kind


def _check_login(scope: Scope, kind: str, request: RuleRequest) -> None:
    check_custom_role(scope, request.role_arn)
    if kind == "ecr":
        if request.credential_arn is not None:
            raise ConfigurationInvalid("A credential ARN cannot be given for an ECR upstream registry: use a custom role ARN")
        upstream = _ECR_HOST.fullmatch(request.upstream_url)
        assert upstream is not None
        if upstream["account"] != scope.registry_id and request.role_arn is None:
            raise ConfigurationInvalid("A custom role ARN is required for an ECR upstream registry of another account")
        if (upstream["account"], upstream["region"]) == (scope.registry_id, scope.region):
            raise ConfigurationInvalid("The upstream registry cannot be the same as the registry of the rule")
        return
    if kind in _NEEDS_SECRET and request.credential_arn is None:
        raise UpstreamUnsupported(_NEEDS_LOGIN)
    _check_secret(scope, request.credential_arn)


def _check_secret(scope: Scope, credential_arn: str | None) -> None:
    """The model has checked the form of the ARN; what it names has to be in the registry's own account and region."""
    if credential_arn is None:
        return
    parts = credential_arn.split(":", 5)
    if parts[1] != scope.partition or parts[3] != scope.region or parts[4] != scope.registry_id:
        raise ConfigurationInvalid("The secret must be in the same account and region as the pull through cache rule")


def update_pull_through_cache_rule(
    tx: Transaction, caller: Caller, scope: Scope, prefix: str, credential_arn: str | None, role_arn: str | None
) -> PullThroughRule:
    """Change what a rule logs in with; what is not given stays. Raises RuleNotFound, NothingToChange."""
    authorize(tx, caller, Question("ecr:UpdatePullThroughCacheRule", scope, "*"))
    registry = registries.hold(tx, scope)
    found = _find(tx, scope, prefix)
    if credential_arn is None and role_arn is None:
        raise NothingToChange("Invalid input: Please set either credential arn or role arn to update the credential")
    if credential_arn is not None and found.upstream_registry == "ecr":
        raise ConfigurationInvalid("A credential ARN cannot be given for an ECR upstream registry: use a custom role ARN")
    _check_secret(scope, credential_arn)
    check_custom_role(scope, role_arn)
    changed = replace(
        found, credential_arn=credential_arn or found.credential_arn, role_arn=role_arn or found.role_arn, updated_at=tx.now
    )
    if not pull_through_rules.set_credentials(tx, registry, found.prefix, changed.credential_arn, changed.role_arn):
        raise RuleNotFound(scope.registry_id, found.prefix)
    return changed


def delete_pull_through_cache_rule(tx: Transaction, caller: Caller, scope: Scope, prefix: str) -> PullThroughRule:
    """Take a rule away; repositories and images that came by it stay. Raises RuleNotFound."""
    authorize(tx, caller, Question("ecr:DeletePullThroughCacheRule", scope, "*"))
    registry = registries.hold(tx, scope)
    found = _find(tx, scope, prefix)
    if not pull_through_rules.remove(tx, registry, found.prefix):
        raise RuleNotFound(scope.registry_id, found.prefix)
    return found


def validate_pull_through_cache_rule(tx: ReadTransaction, caller: Caller, scope: Scope, prefix: str) -> PullThroughRule:
    """The rule. Whether it is valid nobody can tell who does not reach its upstream. Raises RuleNotFound."""
    authorize(tx, caller, Question("ecr:ValidatePullThroughCacheRule", scope, "*"))
    return _find(tx, scope, prefix)


def describe_named_rules(tx: ReadTransaction, caller: Caller, scope: Scope, prefixes: Sequence[str]) -> list[PullThroughRule]:
    """The rules of these prefixes, in byte order. Raises RuleNotFound for the first that is missing."""
    authorize(tx, caller, Question("ecr:DescribePullThroughCacheRules", scope, "*"))
    registry = registries.find_registry(tx, scope)
    asked = [stored_prefix(prefix) for prefix in prefixes]
    found = {} if registry is None else pull_through_rules.find_among(tx, registry, asked)
    for prefix in asked:
        if prefix not in found:
            raise RuleNotFound(scope.registry_id, prefix)
    return [found[prefix] for prefix in sorted(found)]


def describe_rules_page(
    tx: ReadTransaction, caller: Caller, scope: Scope, after: str, count: int
) -> tuple[list[PullThroughRule], str | None]:
    """At most `count` rules whose prefixes come after `after`, and the last prefix if there are more."""
    authorize(tx, caller, Question("ecr:DescribePullThroughCacheRules", scope, "*"))
    registry = registries.find_registry(tx, scope)
    found = [] if registry is None else pull_through_rules.list_page(tx, registry, after, count + 1)
    return found[:count], found[count - 1].prefix if len(found) > count else None


def _find(tx: ReadTransaction, scope: Scope, prefix: str) -> PullThroughRule:
    registry = registries.find_registry(tx, scope)
    found = None if registry is None else pull_through_rules.find(tx, registry, stored_prefix(prefix))
    if found is None:
        raise RuleNotFound(scope.registry_id, stored_prefix(prefix))
    return found
