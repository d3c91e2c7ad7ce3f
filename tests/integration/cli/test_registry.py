"""Settings of the registry: scanning, replication, policy, account settings, rules, templates, signing, exclusions."""

from __future__ import annotations

import json

import pytest

from tests.integration.cli.conftest import Cli

pytestmark = pytest.mark.awscli


def test_scanning_and_replication(ecr: Cli) -> None:
    rules = '[{"scanFrequency":"SCAN_ON_PUSH","repositoryFilters":[{"filter":"prod*","filterType":"WILDCARD"}]}]'
    ecr("put-registry-scanning-configuration", "--scan-type", "BASIC", "--rules", rules)
    assert ecr("get-registry-scanning-configuration")["scanningConfiguration"]["rules"] == json.loads(rules)
    ecr("create-repository", "--repository-name", "prod/app")
    told = ecr("batch-get-repository-scanning-configuration", "--repository-names", "prod/app", "absent")
    assert [each["scanFrequency"] for each in told["scanningConfigurations"]] == ["SCAN_ON_PUSH"]
    assert [each["failureCode"] for each in told["failures"]] == ["REPOSITORY_NOT_FOUND"]
    configuration = {"rules": [{"destinations": [{"region": "eu-west-1", "registryId": ecr.key.account_id}]}]}
    ecr("put-replication-configuration", "--replication-configuration", json.dumps(configuration))
    assert ecr("describe-registry")["replicationConfiguration"] == configuration
    same = json.dumps({"rules": [{"destinations": [{"region": "us-east-1", "registryId": ecr.key.account_id}]}]})
    ecr.refused("InvalidParameterException", "put-replication-configuration", "--replication-configuration", same)


def test_policy_and_account_settings(ecr: Cli) -> None:
    ecr.refused("RegistryPolicyNotFoundException", "get-registry-policy")
    account_id = ecr.key.account_id
    statement = {
        "Sid": "all",
        "Effect": "Allow",
        "Principal": {"AWS": account_id},
        "Action": ["ecr:ReplicateImage"],
        "Resource": [f"arn:aws:ecr:us-east-1:{account_id}:repository/*"],
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    ecr("put-registry-policy", "--policy-text", ecr.file("policy.json", policy))
    assert json.loads(ecr("get-registry-policy")["policyText"]) == json.loads(policy)
    ecr("delete-registry-policy")
    ecr("put-account-setting", "--name", "BLOB_MOUNTING", "--value", "DISABLED")
    assert ecr("get-account-setting", "--name", "BLOB_MOUNTING") == {"name": "BLOB_MOUNTING", "value": "DISABLED"}
    ecr.refused("ValidationException", "put-account-setting", "--name", "BLOB_MOUNTING", "--value", "MAYBE")


def test_pull_through_rules(ecr: Cli) -> None:
    named = ("--ecr-repository-prefix", "public")
    ecr("create-pull-through-cache-rule", *named, "--upstream-registry-url", "public.ecr.aws")
    listed = ecr("describe-pull-through-cache-rules", "--query", "pullThroughCacheRules[].[ecrRepositoryPrefix,upstreamRegistry]")
    assert listed == [["public", "ecr-public"]]
    assert ecr("validate-pull-through-cache-rule", *named)["isValid"] is False  # nothing is fetched yet
    ecr.refused("PullThroughCacheRuleAlreadyExistsException", "create-pull-through-cache-rule", *named,
                "--upstream-registry-url", "quay.io")  # fmt: skip
    secret = f"arn:aws:secretsmanager:us-east-1:{ecr.key.account_id}:secret:ecr-pullthroughcache/x-AbCdEf"
    ecr("update-pull-through-cache-rule", *named, "--credential-arn", secret)
    ecr("delete-pull-through-cache-rule", *named)
    ecr.refused("PullThroughCacheRuleNotFoundException", "delete-pull-through-cache-rule", *named)


def test_creation_templates(ecr: Cli) -> None:
    named = ("--prefix", "team")
    ecr("create-repository-creation-template", *named, "--applied-for", "CREATE_ON_PUSH", "REPLICATION", "--description", "one")
    changed = ecr("update-repository-creation-template", *named, "--image-tag-mutability", "IMMUTABLE")
    assert changed["repositoryCreationTemplate"]["description"] == "one"
    (found,) = ecr("describe-repository-creation-templates")["repositoryCreationTemplates"]
    assert (found["imageTagMutability"], found["appliedFor"]) == ("IMMUTABLE", ["CREATE_ON_PUSH", "REPLICATION"])
    ecr("delete-repository-creation-template", *named)
    ecr.refused("TemplateNotFoundException", "delete-repository-creation-template", *named)


def test_signing_and_exclusions(ecr: Cli) -> None:
    profile = f"arn:aws:signer:us-east-1:{ecr.key.account_id}:/signing-profiles/release"
    configuration = {"rules": [{"signingProfileArn": profile}]}
    ecr("put-signing-configuration", "--signing-configuration", json.dumps(configuration))
    assert ecr("get-signing-configuration")["signingConfiguration"] == configuration
    ecr("delete-signing-configuration")
    ecr.refused("SigningConfigurationNotFoundException", "get-signing-configuration")
    role = ("--principal-arn", f"arn:aws:iam::{ecr.key.account_id}:role/scanner")
    ecr("register-pull-time-update-exclusion", *role)
    assert ecr("list-pull-time-update-exclusions")["pullTimeUpdateExclusions"] == [role[1]]
    ecr("deregister-pull-time-update-exclusion", *role)
    ecr.refused("ExclusionNotFoundException", "deregister-pull-time-update-exclusion", *role)
