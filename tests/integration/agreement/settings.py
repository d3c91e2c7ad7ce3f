"""Settings of a registry done twice: by the server, and by a model that is a few dictionaries."""

from __future__ import annotations

from typing import Any

from tests.integration.agreement.choices import Pick
from tests.integration.agreement.client import compare
from tests.integration.agreement.model import Refused

DEFAULTS = {"BASIC_SCAN_TYPE_VERSION": "AWS_NATIVE", "BLOB_MOUNTING": "ENABLED", "REGISTRY_POLICY_SCOPE": "V2"}
VALUES = {
    "BASIC_SCAN_TYPE_VERSION": {"AWS_NATIVE"},
    "BLOB_MOUNTING": {"ENABLED", "DISABLED"},
    "REGISTRY_POLICY_SCOPE": {"V2"},
}
PREFIXES = ("team", "team/a", "ROOT", "other")
FILTERS = [{"filter": "a*", "filterType": "WILDCARD"}]
SCANNING: tuple[dict[str, Any], ...] = (
    {"scanType": "BASIC", "rules": []},
    {"scanType": "ENHANCED", "rules": []},
    *(
        {
            "scanType": kind,
            "rules": [{"scanFrequency": frequency, "repositoryFilters": [{"filter": "a*", "filterType": "WILDCARD"}]}],
        }
        for kind in ("BASIC", "ENHANCED")
        for frequency in ("SCAN_ON_PUSH", "CONTINUOUS_SCAN", "MANUAL")
    ),
)
IMPOSSIBLE = {("BASIC", "CONTINUOUS_SCAN"), ("ENHANCED", "MANUAL")}
TEMPLATE = {"encryptionConfiguration": {"encryptionType": "AES256"}, "imageTagMutability": "MUTABLE"}


class SettingsAgreement:
    """Random operations on the settings of one account's registry."""

    def __init__(self, client: Any, registry_id: str, pick: Pick) -> None:
        self.client, self.registry_id, self.pick = client, registry_id, pick
        self.account: dict[str, str] = {}
        self.exclusions: set[str] = set()
        self.templates: dict[str, dict[str, Any]] = {}
        self.rules: dict[str, str] = {}
        self.scanning: dict[str, Any] = {"scanType": "BASIC", "rules": []}
        self.signing: dict[str, Any] | None = None

    def step(self) -> None:
        """One operation."""
        steps = (self.account_setting, self.exclusion, self.template, self.rule, self.scan, self.sign)
        self.pick(steps)()

    def account_setting(self) -> None:
        name, value = self.pick((*DEFAULTS, "NOTHING")), self.pick(("ENABLED", "DISABLED", "V1", "V2", "AWS_NATIVE", "CLAIR"))

        def put() -> dict[str, Any]:
            if value not in VALUES.get(name, set()):
                raise Refused("ValidationException", "Invalid value for account setting")
            self.account[name] = value
            return {"name": name, "value": value}

        def get() -> dict[str, Any]:
            if name not in DEFAULTS:
                raise Refused("ValidationException", "Invalid value for account setting")
            return {"name": name, "value": self.account.get(name, DEFAULTS[name])}

        compare(lambda: self.client.put_account_setting(name=name, value=value), put)
        compare(lambda: self.client.get_account_setting(name=name), get)

    def exclusion(self) -> None:
        arn = f"arn:aws:iam::{self.registry_id}:role/{self.pick(('a', 'b', 'path/c'))}"

        def register() -> dict[str, Any]:
            if arn in self.exclusions:
                raise Refused("ExclusionAlreadyExistsException")
            self.exclusions.add(arn)
            return {"principalArn": arn}

        def deregister() -> dict[str, Any]:
            if arn not in self.exclusions:
                raise Refused("ExclusionNotFoundException")
            self.exclusions.remove(arn)
            return {"principalArn": arn}

        if self.pick((True, False)):
            compare(lambda: self.client.register_pull_time_update_exclusion(principalArn=arn), register)
        else:
            compare(lambda: self.client.deregister_pull_time_update_exclusion(principalArn=arn), deregister)
        compare(self.client.list_pull_time_update_exclusions, lambda: {"pullTimeUpdateExclusions": sorted(self.exclusions)})

    def template(self) -> None:
        prefix, described = self.pick(PREFIXES), self.pick((None, "one", "two"))
        more = {} if described is None else {"description": described}
        causes = self.pick((["REPLICATION"], ["CREATE_ON_PUSH", "PULL_THROUGH_CACHE"]))

        def shown(template: dict[str, Any]) -> dict[str, Any]:
            return {"registryId": self.registry_id, "repositoryCreationTemplate": template}

        def create() -> dict[str, Any]:
            if prefix in self.templates:
                raise Refused("TemplateAlreadyExistsException")
            self.templates[prefix] = {"prefix": prefix, **TEMPLATE, "appliedFor": causes, **more}
            return shown(self.templates[prefix])

        def find() -> dict[str, Any]:
            if prefix not in self.templates:
                raise Refused("TemplateNotFoundException")
            return self.templates[prefix]

        def update() -> dict[str, Any]:
            self.templates[prefix] = find() | {"appliedFor": causes, **more}
            return shown(self.templates[prefix])

        def delete() -> dict[str, Any]:
            gone = find()
            del self.templates[prefix]
            return shown(gone)

        about: dict[str, Any] = {"prefix": prefix, "appliedFor": causes, **more}
        match self.pick(range(3)):
            case 0:
                compare(lambda: self.client.create_repository_creation_template(**about), create)
            case 1:
                compare(lambda: self.client.update_repository_creation_template(**about), update)
            case _:
                compare(lambda: self.client.delete_repository_creation_template(prefix=prefix), delete)
        everything = [self.templates[each] for each in sorted(self.templates)]
        compare(
            self.client.describe_repository_creation_templates,
            lambda: {"registryId": self.registry_id, "repositoryCreationTemplates": everything},
        )
        named = [each for each in everything if each["prefix"] in ("team", "other")]
        compare(
            lambda: self.client.describe_repository_creation_templates(prefixes=["other", "team", "absent"]),
            lambda: {"registryId": self.registry_id, "repositoryCreationTemplates": named},
        )

    def rule(self) -> None:
        prefix = self.pick(("quay", "public", "k8s"))
        url = {"quay": "quay.io", "public": "public.ecr.aws", "k8s": "registry.k8s.io"}[prefix]

        def shown() -> dict[str, Any]:
            return {
                "ecrRepositoryPrefix": prefix,
                "upstreamRegistryUrl": self.rules[prefix],
                "upstreamRepositoryPrefix": "ROOT",
                "registryId": self.registry_id,
            }

        def create() -> dict[str, Any]:
            if prefix in self.rules:
                raise Refused("PullThroughCacheRuleAlreadyExistsException")
            self.rules[prefix] = url
            return shown() | {"upstreamRegistry": {"quay": "quay", "public": "ecr-public", "k8s": "k8s"}[prefix]}

        def delete() -> dict[str, Any]:
            missing = f"The pull through cache rule with ecrRepositoryPrefix '{prefix}' does not exist in the registry with id"
            if prefix not in self.rules:
                raise Refused("PullThroughCacheRuleNotFoundException", f"{missing} '{self.registry_id}'")
            gone = shown()
            del self.rules[prefix]
            return gone

        if self.pick((True, False)):
            compare(
                lambda: self.client.create_pull_through_cache_rule(ecrRepositoryPrefix=prefix, upstreamRegistryUrl=url), create
            )
        else:
            compare(lambda: self.client.delete_pull_through_cache_rule(ecrRepositoryPrefix=prefix), delete)
        found = self.client.describe_pull_through_cache_rules()["pullThroughCacheRules"]
        assert [each["ecrRepositoryPrefix"] for each in found] == sorted(self.rules)

    def scan(self) -> None:
        wanted = self.pick(SCANNING)

        def put() -> dict[str, Any]:
            if any((wanted["scanType"], each["scanFrequency"]) in IMPOSSIBLE for each in wanted["rules"]):
                raise Refused("ValidationException")
            self.scanning = wanted
            return {"registryScanningConfiguration": wanted}

        compare(lambda: self.client.put_registry_scanning_configuration(**wanted), put)
        compare(
            self.client.get_registry_scanning_configuration,
            lambda: {"registryId": self.registry_id, "scanningConfiguration": self.scanning},
        )

    def sign(self) -> None:
        profile = f"arn:aws:signer:us-east-1:{self.registry_id}:/signing-profiles/release"
        once: dict[str, Any] = {"signingProfileArn": profile}
        wanted = {"rules": self.pick(([], [once], [once, once]))}

        def put() -> dict[str, Any]:
            if len(wanted["rules"]) > 1:
                raise Refused("ValidationException")
            self.signing = wanted
            return {"signingConfiguration": wanted}

        def get() -> dict[str, Any]:
            if self.signing is None:
                raise Refused("SigningConfigurationNotFoundException")
            return {"registryId": self.registry_id, "signingConfiguration": self.signing}

        def delete() -> dict[str, Any]:
            gone, self.signing = get(), None
            return gone

        if self.pick((True, False)):
            compare(lambda: self.client.put_signing_configuration(signingConfiguration=wanted), put)
        else:
            compare(self.client.delete_signing_configuration, delete)
        compare(self.client.get_signing_configuration, get)
