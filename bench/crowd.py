"""Fills a data folder of Moorage with people, by the product's own use cases, while no server runs.

``python -m bench.crowd DATA USERS``: users with 10 policies each (five of their own, five attached), five repositories for each
user with a policy and an image each. ``DATA/crowd.json`` then has each user's registry token and the repositories it pulls from.
Run with the environment of the server.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from moorage.auth.registry_token import RegistryTokens, TokenClaims
from moorage.keys.root_key import RootKey
from moorage.metadata.transaction import Transaction
from moorage.model.names import RepositoryName, parse_repository_name
from moorage.model.principal import Caller, root_arn
from moorage.model.scope import Scope
from moorage.operations.accounts import accounts
from moorage.operations.identity import access_keys, attachments, inline_policies, managed_policies, users
from moorage.operations.images import push
from moorage.operations.repository import policy as repository_policy
from moorage.operations.repository import repositories
from moorage.server.installation import open_installation
from moorage.server.settings import load
from moorage.testing.sealed_pushes import SealedPushes

FILE = "crowd.json"
_SHARED_POLICIES = 50
_EACH = 5
"""Own policies, attached policies and repositories of each user."""
_PULL = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability"]
_INDEX = "application/vnd.oci.image.index.v1+json"


class Crowd:
    """Makes one user after the other, as root of the default account."""

    def __init__(self, root_key: RootKey, caller: Caller, scope: Scope) -> None:
        self._root_key, self._caller, self._scope = root_key, caller, scope
        self._pushes = SealedPushes(root_key)
        self._seal_key = self._pushes.seal_key()
        self._tokens = RegistryTokens(root_key.derive("registry tokens"))

    def share_policies(self, tx: Transaction) -> None:
        """Managed policies, each of a few statements about other things than pulls of these repositories."""
        for number in range(_SHARED_POLICIES):
            document = _document(
                _allow(["ecr:GetAuthorizationToken"], "*"),
                _allow(["ecr:Describe*", "ecr:List*"], self._scope.repository_arn(f"shared-{number}/*")),
                _allow(["ecr:PutImage"], "*", StringEquals={"aws:PrincipalTag/team": f"t{number}"}),
            )
            managed_policies.create_policy(tx, self._caller, f"shared-{number}", "/", document, None, [])

    def add_user(self, tx: Transaction, number: int) -> tuple[str, list[str]]:
        """A user, its policies and its repositories; its registry token and the repositories' names."""
        name, team = f"user-{number}", f"team-{number}"
        user = users.create_user(tx, self._caller, name, "/", None, []).identity
        key = access_keys.create_access_key(tx, self._root_key, self._caller, name)
        arn = self._scope.repository_arn(f"{team}/*")
        for index in range(_EACH):
            statement = _allow(_PULL, arn) if index == 0 else _allow(["ecr:PutImage"], f"{arn[:-1]}{index}", Bool={_MFA: "true"})
            inline_policies.put_policy(tx, self._caller, "user", name, f"own-{index}", _document(statement))
            shared = f"arn:aws:iam::{self._caller.account_id}:policy/shared-{(number + index) % _SHARED_POLICIES}"
            attachments.attach_policy(tx, self._caller, "user", name, shared)
        names = [self._add_repository(tx, parse_repository_name(f"{team}/app-{index}"), user.arn) for index in range(_EACH)]
        place = (self._scope.partition, self._scope.region)
        claims = TokenClaims(key.id, user.account_id, user.id, user.arn, *place, int(time.time()) + 43_200)
        return self._tokens.issue(claims), names

    def _add_repository(self, tx: Transaction, name: RepositoryName, owner: str) -> str:
        request = repositories.RepositoryRequest(name)
        repository = repositories.create_repository(tx, self._caller, self._scope, request, self._seal_key)
        policy = {"Effect": "Allow", "Principal": {"AWS": owner}, "Action": ["ecr:PutImage", "ecr:DescribeImages"]}
        text = _document(policy, {"Effect": "Deny", "Principal": "*", "Action": "ecr:DeleteRepository"})
        repository_policy.set_repository_policy(tx, self._caller, self._scope, name, text, force=True)
        manifest = {
            "schemaVersion": 2,
            "mediaType": _INDEX,
            "manifests": [],
            "annotations": {"name": str(name), "pad": "x" * 700},
        }
        pushed = push.read_push(json.dumps(manifest).encode(), _INDEX, None)
        push.put_image(tx, self._caller, self._scope, name, pushed, self._pushes.sealed(repository, pushed), None, ["v1"])
        return str(name)


_MFA = "aws:MultiFactorAuthPresent"


def _allow(actions: list[str], resource: str, **condition: dict[str, str]) -> dict[str, Any]:
    statement: dict[str, Any] = {"Effect": "Allow", "Action": actions, "Resource": resource}
    return {**statement, "Condition": condition} if condition else statement


def _document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def seed(data: str, count: int) -> None:
    """Make an installation in the folder `data` and fill it."""
    settings = load(None, os.environ, {"data": data}).settings
    installation = open_installation(settings, os.environ)
    try:
        pair = settings.root_key_pair
        assert pair is not None, "the environment names no root access key"
        installation.db.run_write(accounts.ensure_bootstrap, installation.root_key, settings.account_id, "default", pair)
        caller = Caller(pair[0], settings.account_id, settings.account_id, root_arn(settings.account_id))
        crowd = Crowd(installation.root_key, caller, settings.default_scope)
        installation.db.run_write(crowd.share_policies)
        made: list[tuple[str, list[str]]] = []
        for begin in range(0, count, 20):
            made += installation.db.run_write(_some(crowd, range(begin, min(count, begin + 20))))
        (Path(data) / FILE).write_text(json.dumps(made))
    finally:
        installation.close()


def _some(crowd: Crowd, numbers: range) -> Callable[[Transaction], list[tuple[str, list[str]]]]:
    return lambda tx: [crowd.add_user(tx, number) for number in numbers]


if __name__ == "__main__":
    seed(sys.argv[1], int(sys.argv[2]))
