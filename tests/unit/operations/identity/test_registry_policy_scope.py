"""The scope V1 of registry policies was withdrawn; where it was chosen before, it goes on to hold until V2 is."""

from __future__ import annotations

import json

import pytest

from moorage.auth.authorize import Question, authorize
from moorage.auth.snapshots import REGISTRY_POLICY_SCOPE
from moorage.metadata.registry import documents as registry_documents
from moorage.metadata.registry import registries
from moorage.metadata.transaction import Transaction
from moorage.model.errors import AccessDenied, MalformedPolicy
from moorage.model.scope import Scope
from moorage.operations.registry import account_settings
from moorage.operations.registry import policy as registry_policy
from tests.unit.operations.identity.conftest import ACCOUNT, World

SCOPE = Scope.of("us-east-1", ACCOUNT)
ARN = f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/*"


def _policy(effect: str, action: str) -> str:
    statement = {"Sid": "s", "Effect": effect, "Principal": "*", "Action": action, "Resource": ARN}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_what_was_chosen_before_holds(world: World) -> None:
    def choose_v1(tx: Transaction) -> None:
        registry_documents.put_setting(tx, registries.ensure_registry(tx, SCOPE), REGISTRY_POLICY_SCOPE, "V1")

    def ask(tx: Transaction) -> None:
        authorize(tx, world.caller, Question("ecr:BatchGetImage", SCOPE, ARN.replace("*", "team/app")))

    world.write(choose_v1)
    assert world.read(account_settings.get_account_setting, world.caller, SCOPE, REGISTRY_POLICY_SCOPE) == "V1"
    with pytest.raises(MalformedPolicy):
        world.write(registry_policy.put_registry_policy, world.caller, SCOPE, _policy("Deny", "ecr:BatchGetImage"))
    world.write(account_settings.put_account_setting, world.caller, SCOPE, REGISTRY_POLICY_SCOPE, "V2")
    world.write(registry_policy.put_registry_policy, world.caller, SCOPE, _policy("Deny", "ecr:BatchGetImage"))
    with pytest.raises(AccessDenied):
        world.write(ask)
    world.write(choose_v1)
    world.write(registry_policy.put_registry_policy, world.caller, SCOPE, _policy("Deny", "ecr:CreateRepository"))
    world.write(ask)
