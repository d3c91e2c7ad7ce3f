"""The server for tests: in memory, seeded, reset, believing if told so, and found where LocalStack's scripts look."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from moorage.testing import builders
from moorage.testing.pytest_plugin import EphemeralServer
from moorage.testing.registry_client import RegistryClient
from moorage.testing.server import KeyPair, ServerFailed, make_client
from tests.integration.aws.errors import refused

OTHER = KeyPair("111122223333", "AKIAOTHEROTHEROTHER1", "other-secret-other-secret")
CI = KeyPair("000000000000", "AKIACICICICICICICICI", "ci-secret-ci-secret-ci")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., EphemeralServer]]:
    """Starts servers."""
    with contextlib.ExitStack() as running:

        def run(*options: str, **settings: Any) -> EphemeralServer:
            server = running.enter_context(EphemeralServer(tmp_path / "unused", options=["--ephemeral", *options], **settings))
            running.callback(server.require_clean_log)
            return server

        yield run


@pytest.fixture
def seed(tmp_path: Path) -> Path:
    """Two accounts, a user, a repository in each, and an image."""
    builders.write_layout(builders.image(1), tmp_path / "layout")
    pull = {"Effect": "Allow", "Action": ["ecr:GetAuthorizationToken", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]}
    document = {"Version": "2012-10-17", "Statement": [pull | {"Resource": "*"}]}
    shared = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "ecr:BatchGetImage"}]}
    file = tmp_path / "seed.json"
    file.write_text(
        json.dumps(
            {
                "accounts": [{"id": OTHER.account_id, "access_key_id": OTHER.access_key_id, "secret_access_key": OTHER.secret}],
                "users": [
                    {
                        "name": "ci",
                        "access_key_id": CI.access_key_id,
                        "secret_access_key": CI.secret,
                        "policies": {"pull": document},
                    }
                ],
                "repositories": [
                    {"name": "app", "tags": {"team": "a"}, "tag_mutability": "IMMUTABLE", "policy": shared},
                    {"name": "theirs", "account_id": OTHER.account_id, "region": "eu-west-1"},
                ],
                "images": [{"repository": "app", "tag": "v1", "layout": "layout"}],
            }
        )
    )
    return file


def folder_of(server: EphemeralServer) -> Path:
    """Where it keeps its database now."""
    (found,) = {link.parent for link in open_files(server) if link.name == "moorage.db"}
    return found


def open_files(server: EphemeralServer) -> list[Path]:
    """What its descriptors lead to; some are closed while they are looked at."""
    found = []
    for entry in Path(f"/proc/{server.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.append(entry.readlink())
    return found


def names(ecr: Any) -> list[str]:
    return [str(found["repositoryName"]) for found in ecr.describe_repositories()["repositories"]]


def test_nothing_outlives_a_reset_but_the_seed(start: Callable[..., EphemeralServer], seed: Path) -> None:
    server = start("--seed", str(seed))
    for _ in range(2):
        assert names(server.client()) == ["app"]
        assert names(server.client(key=OTHER, region="eu-west-1")) == ["theirs"]
        with server.registry(key=CI) as client:
            client.host = server.host
            client.require_image("app", builders.image(1), "v1")
            assert client.request("PUT", "/v2/app/manifests/v2", b"{}").status == 403
        with refused("AccessDeniedException"):
            server.client(key=CI).create_repository(repositoryName="mine")
        server.client().create_repository(repositoryName="more")
        with server.registry() as client:
            client.push_image("more", builders.image(2, layer_bytes=300_000), "v1")
        server.reset()


def test_it_leaves_nothing_behind(start: Callable[..., EphemeralServer], tmp_path: Path) -> None:
    server = start()
    first = folder_of(server)
    server.client().create_repository(repositoryName="app")
    server.reset()
    second = folder_of(server)
    assert first != second
    assert not first.exists()
    server.close_clients()
    server.terminate()
    assert not second.exists()
    assert not (tmp_path / "unused").exists()


def test_the_key_is_generated_and_stays(start: Callable[..., EphemeralServer]) -> None:
    server = start(root=None)
    shown = dict(word.split("=", 1) for word in server.output.split() if word.startswith("AWS_"))
    key = KeyPair("000000000000", shown["AWS_ACCESS_KEY_ID"], shown["AWS_SECRET_ACCESS_KEY"])
    server.client(key=key).create_repository(repositoryName="app")
    server.reset()
    assert names(server.client(key=key)) == []
    with refused("InvalidSignatureException"):
        server.client(key=KeyPair("", key.access_key_id, "wrong")).describe_repositories()


def test_without_authentication(start: Callable[..., EphemeralServer], seed: Path) -> None:
    server = start("--authentication", "off", "--seed", str(seed))
    anybody = make_client(server.endpoint, "ecr", KeyPair("", "anything", "at all"))
    anybody.create_repository(repositoryName="open")
    sts = make_client(server.endpoint, "sts", KeyPair("", "444455556666", "x"))
    assert sts.get_caller_identity()["Account"] == "444455556666"
    mine = make_client(server.endpoint, "ecr", KeyPair("", "444455556666", "x"), "eu-west-1")
    assert mine.create_repository(repositoryName="open")["repository"]["registryId"] == "444455556666"
    who = make_client(server.endpoint, "sts", KeyPair("", CI.access_key_id, "forgotten")).get_caller_identity()
    assert who["Arn"] == "arn:aws:iam::000000000000:user/ci"  # a key that exists keeps its owner, and its rights
    with RegistryClient("127.0.0.1", server.port, None) as client:
        client.push_image("open", builders.image(3), "v1")
        client.require_image("open", builders.image(3), "v1")
        client.require_image("app", builders.image(1), "v1")
    body = b"Action=GetCallerIdentity&Version=2011-06-15"
    with urlopen(Request(server.endpoint + "/", data=body), timeout=10) as answer:
        assert b"000000000000" in answer.read()


def test_as_scripts_for_localstack_expect_it(start: Callable[..., EphemeralServer]) -> None:
    server = start("--localstack", root=None)
    with urlopen(f"{server.endpoint}/_localstack/health", timeout=10) as answer:
        assert json.load(answer)["services"]["ecr"] == "running"
    test = KeyPair("000000000000", "test", "test")
    ecr = make_client(server.endpoint, "ecr", test)
    ecr.create_repository(repositoryName="app")
    with urlopen(Request(f"{server.endpoint}/_localstack/state/reset", method="POST"), timeout=30) as answer:
        assert answer.status == 200
    assert names(ecr) == []
    # Its names of repositories reach the registry that they spell, and no other one's login.
    make_client(server.endpoint, "ecr", test, "eu-west-1").create_repository(repositoryName="there")
    host = "000000000000.dkr.ecr.eu-west-1.localhost.localstack.cloud:4566"
    for region, status in (("eu-west-1", 200), ("us-east-1", 401)):
        token = make_client(server.endpoint, "ecr", test, region).get_authorization_token()["authorizationData"][0]
        given = "Basic " + token["authorizationToken"]
        with RegistryClient("127.0.0.1", server.port, None, host=host) as client:
            assert client.request("GET", "/v2/", authorization=given).status == status
            assert client.request("GET", "/v2/there/tags/list", authorization=given).status == status


def test_a_region_that_is_none_is_refused_without_authentication_too(start: Callable[..., EphemeralServer]) -> None:
    server = start("--authentication", "off")
    nobody = KeyPair("", "anything", "at all")
    with refused("InvalidSignatureException"):
        make_client(server.endpoint, "ecr", nobody, "xx-invented-1").get_authorization_token()
    with refused("SignatureDoesNotMatch", status=403):
        make_client(server.endpoint, "sts", nobody, "xx-invented-1").get_caller_identity()


def test_resets_take_no_descriptors(start: Callable[..., EphemeralServer]) -> None:
    server = start()

    def sockets() -> int:
        return sum(1 for link in open_files(server) if str(link).startswith("socket:"))

    server.reset()
    before = sockets()
    for _ in range(5):
        server.reset()
    assert sockets() <= before + 1  # the connection that asks


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "seed.json"),
        ('{"repos": []}', "repos"),
        ('{"repositories": [{"name": "BAD"}]}', "cannot be used"),
        ('{"images": [{"repository": "app", "layout": "nowhere"}]}', "cannot be used"),
        ('{"users": [{"name": "a", "attached": ["arn:aws:iam::aws:policy/None"]}]}', "cannot be used"),
    ],
)
def test_bad_seeds_are_told_in_one_line(start: Callable[..., EphemeralServer], tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "seed.json").write_text(content)
    with pytest.raises(ServerFailed) as caught:
        start("--seed", str(tmp_path / "seed.json"))
    assert said in str(caught.value)
    assert "Traceback" not in str(caught.value)


@pytest.mark.parametrize(
    "options",
    [
        ["--seed", "x.json"],
        ["--authentication", "off"],
        ["--localstack"],
        ["--ephemeral", "--workers", "2"],
        ["--ephemeral", "--database-url", "postgresql://x/y"],
        ["--ephemeral", "--authentication", "maybe"],
    ],
)
def test_what_goes_together(options: list[str], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "moorage", "serve", "--data", str(tmp_path / "d"), "--listen", "127.0.0.1:0", *options],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 252
    assert done.stderr.startswith("moorage: ")
    assert not (tmp_path / "d").exists()


def test_the_fixture_for_other_peoples_tests(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["moorage.testing.pytest_plugin"]\n')
    (tmp_path / "test_mine.py").write_text(
        "import pytest\n\n"
        "@pytest.mark.parametrize('turn', [1, 2])\n"
        "def test_push(moorage, turn):\n"
        "    moorage.client('ecr').create_repository(repositoryName='app')\n"
        "    assert moorage.registry().get('/v2/_catalog').json() == {'repositories': ['app']}\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=tmp_path,
    )
    assert "2 passed" in done.stdout, done.stdout + done.stderr
