"""The paths that pages describe, walked command by command against a real server: only port, key and docker are put in."""

from __future__ import annotations

import os
import re
import shlex
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from moorage.testing import builders
from moorage.testing.server import MoorageServer
from tests import clients
from tests.acceptance.test_docker import running_daemon
from tests.crash import databases
from tests.docs.pages import shell_blocks

_SECONDS = 120
TUTORIAL, README, ROOT_KEY, ACCOUNTS, TLS, RATES, UPGRADE = (
    Path(name)
    for name in (
        "docs/tutorials/first-push.md",
        "README.md",
        "docs/how-to/root-key.md",
        "docs/how-to/accounts-and-regions.md",
        "docs/how-to/tls.md",
        "docs/how-to/rates.md",
        "docs/how-to/upgrade.md",
    )
)

# What docker does, done by skopeo, which needs no daemon. `local` is its image: one that was built here, or imported.
_DOCKER = """#!/bin/sh -eu
verb=$1; shift
case $verb in
login) exec skopeo login --tls-verify=false "$@" ;;
pull) exec skopeo --insecure-policy copy --src-tls-verify=false "docker://$1" "oci:pulled:latest" ;;
tag) test "$1" = IMAGE ;;
import) test "$1" = - && cat > imported.tar || cp "$1" imported.tar
    rm -rf local; exec skopeo --insecure-policy copy tarball:imported.tar oci:local:latest ;;
rmi) rm -rf local ;;
push) exec skopeo --insecure-policy copy --dest-tls-verify=false oci:local:latest "docker://$1" ;;
*) exit 64 ;;
esac
"""


class Reader:
    """Somebody who pastes a page's commands into one shell after the other, in a folder of their own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.server = MoorageServer(home / "data", root=None)
        programs = home / "bin"
        programs.mkdir(parents=True)
        moorage = f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m moorage "$@"\n'
        for path, text in (
            (programs / "docker", _DOCKER),
            (programs / "moorage", moorage),
            (home / ".venv/bin/moorage", moorage),
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            path.chmod(0o755)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MOORAGE_", "AWS_"))}
        self.environment = inherited | {
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(home),
            "XDG_RUNTIME_DIR": str(home),
            "REGISTRY_AUTH_FILE": str(home / "auth.json"),
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_PAGER": "",
        }

    def install(self, name: str, program: str) -> None:
        """Put a program on the reader's path."""
        (self.home / "bin" / name).symlink_to(program)

    def fill_in(self, text: str) -> str:
        """A page's commands with this server's port, and with the key that it printed."""
        text = text.replace("127.0.0.1:5050", self.server.host)
        printed = re.search(r"AWS_ACCESS_KEY_ID=\S+ AWS_SECRET_ACCESS_KEY=\S+", self.server.output)
        if printed is not None:
            text = text.replace("AWS_ACCESS_KEY_ID=... AWS_SECRET_ACCESS_KEY=...", printed[0])
        return text

    def run(self, *blocks: str) -> str:
        """What the blocks print, in one shell; every command has to succeed."""
        script = "set -euo pipefail\n" + "\n".join(blocks)
        done = subprocess.run(
            ["bash", "-c", script],
            env=self.environment,
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
        return done.stdout


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """A reader; what they started ends with the test."""
    made = Reader(tmp_path)
    yield made
    made.server.terminate()
    if made.server.log:
        made.server.require_clean_log()


def _with_clients(reader: Reader) -> None:
    reader.install("aws", clients.program("aws-v1"))
    reader.install("skopeo", clients.program("skopeo"))
    # skopeo asks for one, and the Debian package that brings it is only recommended.
    (reader.home / ".config/containers").mkdir(parents=True)
    (reader.home / ".config/containers/policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    (reader.home / "README.md").write_text("what the tar file has in it")


@pytest.mark.awscli
@pytest.mark.skopeo
def test_tutorial(reader: Reader) -> None:
    _with_clients(reader)
    serve, *path, last = shell_blocks(TUTORIAL)
    assert serve == "make serve\n"
    reader.server.start()
    exports, *rest = map(reader.fill_in, path)
    said = reader.run(exports, *rest)
    assert f'"repositoryUri": "{reader.server.host}/hello"' in said
    assert '"Account": "000000000000"' in said
    digest = re.search(r'"imageDigest": "sha256:(\w+)"', said)
    assert digest is not None
    reader.server.kill()
    reader.server.start()
    assert (reader.home / "pulled" / "blobs" / "sha256" / digest[1]).is_file()
    reader.run(exports, f"docker pull {reader.server.host}/hello:v1")
    assert reader.run(last) == "no faults\n"


@pytest.mark.awscli
@pytest.mark.skopeo
@pytest.mark.docker
@pytest.mark.xdist_group("docker")
def test_tutorial_with_a_real_docker(reader: Reader) -> None:
    _with_clients(reader)
    _, *path, _ = shell_blocks(TUTORIAL)
    reader.server.start()
    (reader.home / "bin/docker").unlink()
    with tempfile.TemporaryDirectory(prefix="m-", ignore_cleanup_errors=True) as folder, running_daemon(Path(folder)) as address:
        reader.environment["DOCKER_HOST"] = address
        said = reader.run(*map(reader.fill_in, path))
    assert "Downloaded newer image" in said


@pytest.mark.awscli
@pytest.mark.skopeo
def test_readme(reader: Reader) -> None:
    _with_clients(reader)
    serve, start, on_path = shell_blocks(README)
    assert serve == "make serve\n"
    reader.server.start()
    reader.run(reader.fill_in(start))
    (reader.home / ".venv/bin/activate").write_text('PATH="$PWD/.venv/bin:$PATH"\n')
    assert "Usage: moorage" in reader.run(on_path)


@pytest.mark.awscli
@pytest.mark.skopeo
def test_what_the_first_start_prints(reader: Reader) -> None:
    _with_clients(reader)
    reader.server.start()
    commands = [line for line in reader.server.output.splitlines() if line.startswith("  ")]
    builders.write_layout(builders.image(1), reader.home / "local")
    tag_and_push = reader.server.output.partition("Then: ")[2].partition("\n")[0]
    reader.run(*commands, tag_and_push)


def test_moving_the_root_key(reader: Reader) -> None:
    reader.server.start().terminate()
    (block,) = shell_blocks(ROOT_KEY)
    elsewhere = reader.home / "etc"
    move, serve = block.replace("/etc/moorage", str(elsewhere)).splitlines()
    assert "warning: the root key lies beside the data" in reader.server.run("doctor", check=False).stdout
    reader.run(move)
    assert "no root key" in reader.server.run("doctor", check=False).stderr
    variable, _, path = serve.removesuffix(" moorage serve").partition("=")
    reader.server.environment[variable] = path
    reader.server.start()
    assert reader.server.run("doctor").stdout == "nothing to mend\n"


def test_upgrading_and_going_back(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    databases.installation(reader.server.data, "0004")
    before = databases.content(f"sqlite:///{reader.server.data / 'moorage.db'}")
    reader.server.start().terminate()
    look, go_back = shell_blocks(UPGRADE)
    go_back = re.sub("before-[0-9]+-was-[0-9]+", f"before-{databases.NEWEST}-was-0004", go_back)
    assert "no faults\n" in reader.run(look)
    reader.run(go_back)
    assert databases.content(f"sqlite:///{reader.server.data / 'moorage.db'}") == before
    reader.server.start().terminate()
    reader.server.require_clean_log()


@pytest.mark.awscli
@pytest.mark.skopeo
def test_accounts(reader: Reader) -> None:
    _with_clients(reader)
    reader.server.start()
    create, use = shell_blocks(ACCOUNTS)
    printed = reader.run(create)
    key = re.search(r"AWS_ACCESS_KEY_ID=(\S+)", printed)
    assert key is not None
    builders.write_layout(builders.image(1), reader.home / "local")
    said = reader.run(printed, f"export AWS_ENDPOINT_URL={reader.server.endpoint}", use, 'docker pull "$uri:v1"; echo "$uri"')
    assert re.search(r"^127\.\d+\.\d+\.\d+:\d+/app$", said, re.MULTILINE)
    reader.run(f"moorage key disable {key[1]}")
    assert f"{key[1]}  Inactive" in reader.run("moorage account list")


def test_an_own_ca(reader: Reader) -> None:
    _, init, *_ = shell_blocks(TLS)
    printed = reader.run(init)
    serve = printed.partition("serve with ")[2].split()
    assert serve[:2] == ["moorage", "serve"]
    options = [reader.home / word if word.startswith("data/") else word for word in serve[2:]]
    server = MoorageServer(reader.home / "data", options=[str(word) for word in options])
    with server:
        assert server.scheme == "https"
        trust = ssl.create_default_context(cafile=str(reader.home / "data" / "tls" / "ca.pem"))
        with urlopen(f"{server.endpoint}/readyz", timeout=_SECONDS, context=trust) as answer:
            assert answer.status == 200


@pytest.mark.awscli
def test_rates(reader: Reader) -> None:
    reader.install("aws", clients.program("aws-v1"))
    serve, quotas, counts = shell_blocks(RATES)
    words = serve.split()
    assert words[:2] == ["moorage", "serve"]
    reader.server = MoorageServer(reader.home / "data", root=None, options=words[2:])
    reader.server.start()
    exports = next(line for line in reader.server.output.splitlines() if "AWS_ACCESS_KEY_ID" in line)
    exports += f" AWS_DEFAULT_REGION=us-east-1 AWS_ENDPOINT_URL={reader.server.endpoint}"
    said = reader.run(exports, quotas)
    assert "Rate of PutImage requests\t20.0" in said
    assert "Rate of GetAuthorizationToken requests\t50.0" in said
    assert "Rate of BatchGetImage requests\t2000.0" in said
    told = reader.run(reader.fill_in(counts))
    line = 'moorage_requests_total{account="000000000000",operation="service-quotas:ListServiceQuotas",region="us-east-1"} 1.0'
    assert line in told.splitlines()
