"""The how-tos about access, walked command by command: what they promise is what happens."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from moorage.testing import builders
from moorage.testing.registry_client import RegistryClient
from moorage.testing.server import KeyPair
from tests import clients
from tests.docs.pages import json_files, shell_blocks
from tests.docs.test_walks import Reader, reader

__all__ = ["reader"]  # a fixture

DOCS = Path("docs/how-to")
_KEY = re.compile(r"AWS_ACCESS_KEY_ID=(\S+) AWS_SECRET_ACCESS_KEY=(\S+)")
pytestmark = pytest.mark.awscli


class Walk:
    """A page's files and commands, and the default account's root who runs them."""

    def __init__(self, reader: Reader, page: str, replaced: Mapping[str, str] | None = None) -> None:
        self.reader, self.server = reader, reader.server
        reader.install("aws", clients.program("aws-v1"))
        self.server.start()
        printed = _KEY.search(self.server.output)
        assert printed is not None
        self.root = KeyPair("000000000000", printed[1], printed[2])
        self.replaced = replaced or {}
        self.become(self.root)
        reader.environment |= {"AWS_DEFAULT_REGION": "us-east-1", "AWS_ENDPOINT_URL": self.server.endpoint}
        for name, text in json_files(DOCS / page).items():
            (reader.home / name).write_text(self.filled(text))
        self.blocks = [reader.fill_in(self.filled(block)) for block in shell_blocks(DOCS / page)]

    def filled(self, text: str) -> str:
        """A text with what the reader puts in."""
        for old, new in self.replaced.items():
            text = text.replace(old, new)
        return text

    def become(self, key: KeyPair) -> None:
        """Go on with another key."""
        self.reader.environment |= {"AWS_ACCESS_KEY_ID": key.access_key_id, "AWS_SECRET_ACCESS_KEY": key.secret}

    def run(self, number: int) -> str:
        """What a block of the page prints."""
        return self.reader.run(self.blocks[number])

    def at_home(self, key: KeyPair) -> RegistryClient:
        """Whoever holds a key, at the default account's registry."""
        return RegistryClient("127.0.0.1", self.server.port, self.server.password(key=key))


def _made_key(printed: str) -> KeyPair:
    made = json.loads(printed[printed.index('{\n    "AccessKey"') :])["AccessKey"]
    return KeyPair("000000000000", made["AccessKeyId"], made["SecretAccessKey"])


def test_a_new_team(reader: Reader) -> None:
    walk = Walk(reader, "new-team.md")
    alice = _made_key(walk.run(0))
    walk.become(alice)
    told = walk.run(1)
    assert "arn:aws:iam::000000000000:user/alice  by statement 2 'OwnRepositories' of identity-based policy repositories" in told
    assert "user/alice may ecr:PutImage on arn:aws:ecr:us-east-1:000000000000:repository/team-a/app" in told
    walk.server.client(key=walk.root).create_repository(repositoryName="other")
    with walk.at_home(alice) as client:
        client.push_image("team-a/app", builders.image(1), "v1")
        assert client.request("GET", "/v2/other/tags/list").status == 403
    theirs = walk.server.client(key=alice)
    with pytest.raises(theirs.exceptions.ClientError):
        theirs.delete_repository_policy(repositoryName="team-a/app")


def test_a_robot(reader: Reader) -> None:
    walk = Walk(reader, "read-only-robot.md")
    root = walk.server.client(key=walk.root)
    root.create_repository(repositoryName="hello")
    robot = _made_key(walk.run(0))
    with walk.at_home(walk.root) as client:
        client.push_image("hello", builders.image(1), "v1")
    with walk.at_home(robot) as client:
        client.require_image("hello", builders.image(1), "v1")
        assert client.request("POST", "/v2/hello/blobs/uploads/", b"").status == 403
    walk.server.restart()  # what was done is written down
    told = walk.run(1)
    assert "robots/robot may ecr:BatchGetImage" in told
    suggested = json.loads(told[told.index("{") :])
    assert suggested["Statement"][1] == {
        "Effect": "Allow",
        "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
        "Resource": "arn:aws:ecr:us-east-1:000000000000:repository/hello",
    }


@pytest.mark.skopeo
def test_across_accounts(reader: Reader) -> None:
    walk = Walk(reader, "cross-account-pull.md")
    reader.install("skopeo", clients.program("skopeo"))
    exported = re.search(r"AWS_ACCESS_KEY_ID=(\S+)\s+export AWS_SECRET_ACCESS_KEY=(\S+)", walk.run(0))
    assert exported is not None
    team = KeyPair("111122223333", exported[1], exported[2])
    walk.server.client(key=walk.root).create_repository(repositoryName="shared/base")
    with walk.at_home(walk.root) as client:
        client.push_image("shared/base", builders.image(1), "v1")
    told = walk.run(1)
    assert "are let in, if their own account allows it as well:\n  arn:aws:iam::111122223333:root  by statement 1" in told
    walk.become(team)
    walk.become(_made_key(walk.run(2)))
    walk.run(3)
    assert (reader.home / "pulled/blobs/sha256" / builders.image(1).digest.partition(":")[2]).is_file()
    assert "user/deployer may ecr:BatchGetImage on" in walk.run(4)


def test_emergencies(reader: Reader) -> None:
    walk = Walk(reader, "break-glass.md")
    walk.run(0)
    told = walk.run(1)
    assert "user/olivia may sts:AssumeRole on arn:aws:iam::000000000000:role/break-glass" in told
    key = walk.server.client("iam", key=walk.root).create_access_key(UserName="olivia")["AccessKey"]
    olivia = walk.server.client("sts", key=KeyPair("000000000000", key["AccessKeyId"], key["SecretAccessKey"]))
    with pytest.raises(olivia.exceptions.ClientError):
        olivia.assume_role(RoleArn="arn:aws:iam::000000000000:role/break-glass", RoleSessionName="now")
    made = re.search(r"AWS_ACCESS_KEY_ID=(\S+)\s+export AWS_SECRET_ACCESS_KEY=(\S+)", walk.run(2))
    assert made is not None
    fresh = KeyPair("000000000000", made[1], made[2])
    assert walk.server.client("sts", key=fresh).get_caller_identity()["Arn"].endswith(":root")


def test_why_denied(reader: Reader) -> None:
    walk = Walk(reader, "why-denied.md")
    walk.server.client(key=walk.root).create_repository(repositoryName="hello")
    walk.server.client("iam", key=walk.root).create_user(UserName="bob")
    told = walk.run(0)
    assert "user/bob may not ecr:PutImage on" in told
    assert "no identity-based policy allows the ecr:PutImage action" in told
    assert "user/bob" not in walk.run(1)
    (reader.home / "policy.json").write_text('{"Version": "2012-10-17", "Statement": []}')
    done = walk.server.run("policy", "check", str(reader.home / "policy.json"), check=False)
    assert (done.returncode, done.stdout.rpartition("json:")[2]) == (
        1,
        "1: finding: policy without statements: it allows and denies nothing\n",
    )
