"""The how-tos for operators and testers, walked command by command: what they promise is what happens."""

from __future__ import annotations

import json
import re
import shlex
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from moorage.jobs import builtin
from moorage.metadata.jobs import claims
from moorage.metadata.jobs.enqueueing import enqueue
from moorage.metadata.opening import open_database
from moorage.model.jobs import Lane
from moorage.server.settings import load
from moorage.testing import builders
from moorage.testing.oidc_issuer import OidcIssuer
from moorage.testing.registry_client import RegistryClient
from moorage.testing.server import MoorageServer
from moorage.testing.servers import free_ports
from tests import clients
from tests.docs.pages import files, shell_blocks, text_of
from tests.docs.test_access_walks import Walk
from tests.docs.test_walks import Reader, reader

__all__ = ["reader"]  # a fixture

DOCS = Path("docs/how-to")
_SECONDS = 60


def _options(command: str) -> list[str]:
    """The options of a page's ``moorage serve``."""
    words = shlex.split(command.partition("2>>")[0])
    assert words[:2] == ["moorage", "serve"]
    return words[2:]


def test_watching(reader: Reader) -> None:
    page = DOCS / "observe.md"
    serve, find, metrics, probes = shell_blocks(page)
    (port,) = free_ports(1)
    (reader.home / "metrics-password").write_text("sesame\n")
    options = _options(serve.replace("127.0.0.1:9090", f"127.0.0.1:{port}").replace("file:", f"file:{reader.home}/"))
    reader.server = MoorageServer(reader.home / "data", options=options).start()
    reader.server.client().create_repository(repositoryName="hello")
    with reader.server.registry() as client:
        client.push_image("hello", builders.image(1), "v1")
        answer = client.request("GET", "/v2/hello/manifests/none?secret=in-a-query")
    assert 'moorage_http_requests_total{method="PUT"' in reader.run(metrics.replace("127.0.0.1:9090", f"127.0.0.1:{port}"))
    assert reader.run(reader.fill_in(probes)) == '{"status":"ok"}\n{"status":"ready"}\n'
    reader.server.terminate()
    log = reader.server.log
    (reader.home / "moorage.log").write_text(log)
    line = json.loads(reader.run(f"REQUEST_ID={answer.headers['x-request-id']}", find))
    table = text_of(page).partition("| field |")[2].partition("\n\n")[0]
    fields = {name for row in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert line.keys() == fields
    assert (line["status"], line["path"], line["complete"]) == (404, "/v2/hello/manifests/none", True)
    assert "in-a-query" not in log
    assert reader.server.root.secret not in log
    assert json.loads(log.splitlines()[-1])["message"] == "stopped"


def test_the_text_form_is_as_shown(reader: Reader) -> None:
    shown = next(line for line in text_of(DOCS / "observe.md").splitlines() if " INFO moorage.access: " in line)
    form = re.compile(r"[\dT:.-]+Z INFO moorage\.access: [0-9a-f-]{36} [\d.]+ms [\d.]+ \S+ '[A-Z]+ /\S*' \d{3} \d+ \d+ \S+ '.*'")
    assert form.fullmatch(shown)
    reader.server.start().terminate()
    lines = [line for line in reader.server.log.splitlines() if " moorage.access: " in line]
    assert lines
    assert all(form.fullmatch(line) for line in lines)


def test_a_certificate_that_one_has(reader: Reader) -> None:
    serve, _, _ = shell_blocks(DOCS / "tls.md")
    reader.run("moorage tls init 127.0.0.1 --data ca")
    options = _options(serve.replace("/etc/moorage", f"{reader.home}/ca/tls"))
    listen = options.index("--listen")
    del options[listen : listen + 2]  # the port that the test has chosen
    with MoorageServer(reader.home / "data", options=options) as server:
        trust = ssl.create_default_context(cafile=str(reader.home / "ca/tls/ca.pem"))
        with urlopen(f"{server.endpoint}/readyz", timeout=_SECONDS, context=trust) as answer:
            assert answer.status == 200


def test_behind_a_proxy(reader: Reader) -> None:
    *_, serve = shell_blocks(DOCS / "tls.md")
    options = _options(serve)
    assert options[:2] == ["--listen", "127.0.0.1:5050"]
    with MoorageServer(reader.home / "data", options=options[2:]) as server:
        passed_on = {"X-Forwarded-For": "10.9.8.7", "X-Forwarded-Proto": "https", "Host": "registry.example.internal"}
        with urlopen(Request(f"{server.endpoint}/healthz", headers=passed_on), timeout=_SECONDS):
            pass
        server.terminate()
        assert "ms 10.9.8.7 - 'GET /healthz' 200" in server.log


@pytest.mark.awscli
@pytest.mark.skopeo
def test_sharing_with_everybody(reader: Reader) -> None:
    walk = Walk(reader, "public-registry.md", {"111122223333": "000000000000"})
    reader.install("skopeo", clients.program("skopeo"))
    host = f"127.63.0.1:{walk.server.port}"
    create, name = (block.replace("127.63.0.1:5050", host) for block in walk.blocks)
    uri = json.loads(reader.run(create.partition("aws ecr-public get-login")[0]))["repository"]["repositoryUri"]
    reader.run(create.partition("--region us-east-1\n")[2])
    builders.write_layout(builders.image(1), reader.home / "local")
    reader.run(f"docker push {uri}:v1")
    assert uri.startswith(f"{host}/")
    reader.run(f"rm auth.json && docker pull {uri}:v1")
    assert "team-a" in reader.run(name)
    reader.run(f"rm -r pulled && docker pull {host}/team-a/hello:v1")


@pytest.mark.awscli
@pytest.mark.skopeo
def test_a_job_without_secrets(reader: Reader) -> None:
    with OidcIssuer(tls=True) as issuer:
        reader.server = MoorageServer(reader.home / "data", root=None, options=["--oidc-allow-private-issuers"])
        words = {
            "https://token.actions.githubusercontent.com": issuer.url,
            "token.actions.githubusercontent.com": issuer.provider,
            # No authority vouches for this one: what the page says about providers within the own network.
            "--client-id-list": f"--thumbprint-list {issuer.thumbprint} --client-id-list",
        }
        walk = Walk(reader, "ci-without-secrets.md", words)
        reader.install("skopeo", clients.program("skopeo"))
        walk.run(0)
        (reader.home / "token").write_text(issuer.github_token())
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            del reader.environment[name]
        said = reader.run(walk.blocks[1], "aws sts get-caller-identity")
        assert "Login Succeeded" in said
        assert ":assumed-role/ci-push/" in said


def test_testing_against_a_registry(reader: Reader) -> None:
    page = DOCS / "tests-against-a-registry.md"
    serve, reset = shell_blocks(page)
    for name, text in files(page).items():
        (reader.home / name).write_text(text)
    builders.write_layout(builders.image(1), reader.home / "fixtures/app")
    reader.server = MoorageServer(
        reader.home / "data", options=[*_options(serve), "--seed", str(reader.home / "seed.json")]
    ).start()
    reader.server.client().create_repository(repositoryName="mine")
    before = reader.server.password()
    assert "reset" in reader.run(reader.fill_in(reset))
    assert [each["repositoryName"] for each in reader.server.client().describe_repositories()["repositories"]] == ["team/app"]
    with RegistryClient("127.0.0.1", reader.server.port, before) as client:
        assert client.get("/v2/team/app/manifests/v1").status == 401
    with reader.server.registry() as client:  # logged in anew
        client.require_image("team/app", builders.image(1), "v1")


def test_the_fixture_for_pytest(reader: Reader) -> None:
    for name, text in files(DOCS / "tests-against-a-registry.md").items():
        (reader.home / name).write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_app.py"],
        cwd=reader.home, env=reader.environment, capture_output=True, text=True, timeout=_SECONDS, check=False,
    )  # fmt: skip
    assert "1 passed" in done.stdout, done.stdout[-3000:] + done.stderr[-1000:]


def test_a_failed_job(reader: Reader) -> None:
    page = DOCS / "jobs.md"
    reader.server.start()
    settings = load(None, reader.server.environment, {}).settings
    db = open_database(settings.effective_database_url)
    job = db.run_write(enqueue, "of-a-newer-version")  # which the server leaves to the page
    (held,) = db.run_write(claims.claim, "of-a-newer-version", Lane.SMALL, 1, 60.0, "a node")
    db.run_write(claims.fail, held, "the upstream says no")
    db.close()
    look, act = (block.replace(" 17", f" {job}") for block in shell_blocks(page))
    told = reader.run(reader.fill_in(look))
    assert f"{job}  of-a-newer-version  failed  attempts 1  error: the upstream says no" in told
    assert "state: failed" in told
    assert reader.run(reader.fill_in(act)).splitlines() == [
        f"job {job} runs as soon as a server has room",
        "no job has failed",
        f"job {job} is removed",
    ]
    kinds = re.findall(r"^\| `([a-z-]+)` \| \w", text_of(page), re.MULTILINE)
    nothing: Any = None
    assert sorted(kinds) == sorted(builtin.registry(nothing, nothing, nothing).kinds)
