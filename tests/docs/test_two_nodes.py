"""The how-to about PostgreSQL and S3, from an empty database to two nodes behind a balancer: its commands and files, literally.

What is put in are addresses, ports and folders of this machine, and the key that the first node printed.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shlex
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from moorage.testing import builders, servers
from moorage.testing.registry_client import RegistryClient
from moorage.testing.server import KeyPair, MoorageServer
from tests import clients
from tests.docs.pages import files, shell_blocks
from tests.docs.test_walks import Reader

PAGE = Path("docs/how-to/postgresql-and-s3.md")
_KEY = re.compile(r"AWS_ACCESS_KEY_ID=(\S+) AWS_SECRET_ACCESS_KEY=(\S+)")
_DELAY_SECONDS = 4
"""In the place of the page's: longer than HAProxy takes to notice."""
pytestmark = pytest.mark.balancer


class Site:
    """The page's site on this machine: what it does on several runs here, in a folder and on ports of its own."""

    def __init__(self, reader: Reader, postgres: servers.PostgresServer, s3: servers.S3Server) -> None:
        self.reader, self.home = reader, reader.home
        reader.install("psql", str(servers.postgres_programs() / "psql"))
        for name, program in (("aws", "aws-v1"), ("skopeo", "skopeo")):
            reader.install(name, clients.program(program))
        reader.environment |= {"PGHOST": str(postgres.socket_folder), "PGUSER": "postgres", **s3.environment}
        self.nodes = [MoorageServer(self.home / name, root=None) for name in ("a", "b")]
        (self.port,) = servers.free_ports(1)
        self.host = f"127.0.0.1:{self.port}"
        self._replaced = {
            "-o moorage": f"-o {os.geteuid()}",
            "/etc/moorage": str(self.home / "etc"),
            "/var/lib/moorage": str(self.home / "var"),
            "@db.example.internal/moorage": f"@/moorage?host={postgres.socket_folder}",
            "http://s3.example.internal:9000": s3.endpoint,
            "registry-blobs": f"registry-blobs-{secrets.token_hex(4)}",
            "AKIAREGISTRYBLOBSKEY": s3.access_key_id,
            "10.0.0.10": "127.0.0.1",
            "10.0.0.11:5050": self.nodes[0].host,
            "10.0.0.12:5050": self.nodes[1].host,
            "registry.example.internal *.registry.example.internal": "registry.example.internal",
            "registry.example.internal": self.host,
            "server_name " + self.host: "server_name registry.example.internal",
            "listen 443": f"listen {self.host}",
            "bind :443": f"bind {self.host}",
            "shutdown_delay_seconds = 10": f"shutdown_delay_seconds = {_DELAY_SECONDS}",
        }
        self.blocks = [self.filled(block) for block in shell_blocks(PAGE)]
        self.files = {name: self.filled(text) for name, text in files(PAGE).items()}

    def filled(self, text: str) -> str:
        """A text of the page with what this machine puts in."""
        for old, new in self._replaced.items():
            text = text.replace(old, new)
        return text

    def prepare(self) -> None:
        """Steps 1 to 4: database, bucket, root key, settings; and the balancer's certificate."""
        database, bucket, folders, key, serve, *_ = self.blocks
        self.reader.run(database, bucket, folders, key)
        settings = self.home / "etc/moorage.toml"
        settings.write_text(self.files["/etc/moorage/moorage.toml"])
        variable, *words = shlex.split(serve)
        assert words == ["moorage", "serve", "--config", str(settings)]
        for node in self.nodes:
            name, _, value = variable.partition("=")
            node.environment[name] = value
            node.environment["MOORAGE_CONFIG"] = str(settings)
        self.reader.run("moorage tls init 127.0.0.1 --data ca")
        for name in ("server.pem", "server.key"):
            (self.home / "etc" / name).write_bytes((self.home / "ca/tls" / name).read_bytes())
        both = (self.home / "etc/server.pem").read_text() + (self.home / "etc/server.key").read_text()
        (self.home / "etc/server-and-key.pem").write_text(both)
        authority = str(self.home / "ca/tls/ca.pem")
        self.reader.environment |= {"AWS_CA_BUNDLE": authority, "SSL_CERT_FILE": authority}

    def become(self, key: KeyPair) -> None:
        """Go on with the registry's key, no longer the bucket's."""
        self.reader.environment |= {"AWS_ACCESS_KEY_ID": key.access_key_id, "AWS_SECRET_ACCESS_KEY": key.secret}

    @contextlib.contextmanager
    def nginx(self) -> Iterator[None]:
        """The page's file, included as Debian's nginx.conf includes it."""
        folder = self.home / "nginx"
        folder.mkdir()
        (folder / "moorage.conf").write_text(self.files["/etc/nginx/conf.d/moorage.conf"])
        temporary = "".join(f"{name}_temp_path {folder}; " for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        user = "user root; " if os.geteuid() == 0 else ""
        main = f"{user}daemon off; pid {folder}/pid; error_log stderr; events {{}}\n"
        (folder / "nginx.conf").write_text(f"{main}http {{ access_log off; {temporary}include {folder}/moorage.conf; }}\n")
        command = [clients.program("nginx"), "-p", str(folder), "-e", "stderr", "-c", str(folder / "nginx.conf")]
        with self._listening(command, folder):
            yield

    @contextlib.contextmanager
    def haproxy(self) -> Iterator[None]:
        """The page's file, as it is."""
        folder = self.home / "haproxy"
        folder.mkdir()
        (folder / "haproxy.cfg").write_text(self.files["/etc/haproxy/haproxy.cfg"])
        with self._listening([clients.program("haproxy"), "-db", "-f", str(folder / "haproxy.cfg")], folder):
            yield

    def _listening(self, command: list[str], folder: Path) -> contextlib.AbstractContextManager[None]:
        def ready() -> bool:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return True
            return False

        return servers.run_child(command, folder, ready=ready, stop_signal=signal.SIGTERM)


@pytest.fixture
def site(tmp_path: Path, postgres_server: servers.PostgresServer, s3_server: servers.S3Server) -> Iterator[Site]:
    """The site, prepared as the page says; role, database and nodes are gone afterwards."""
    reader = Reader(tmp_path)
    made = Site(reader, postgres_server, s3_server)
    forget = "psql postgres -c 'DROP DATABASE IF EXISTS moorage WITH (FORCE)' -c 'DROP ROLE IF EXISTS moorage'"
    reader.run(forget)
    try:
        made.prepare()
        yield made
    finally:
        for node in made.nodes:
            node.kill()
        reader.run(forget)
    for node in made.nodes:
        node.require_clean_log()


def test_from_an_empty_database_to_two_nodes(site: Site) -> None:
    reader, (first, second) = site.reader, site.nodes
    first.start()
    printed = _KEY.search(first.output)
    assert printed is not None
    second.start()
    assert _KEY.search(second.output) is None
    key = KeyPair("000000000000", printed[1], printed[2])
    created = first.run("key", "create")  # what the page says where nobody kept the first
    assert shlex.split(site.blocks[5])[1:4] == ["moorage", "key", "create"]
    assert "AWS_ACCESS_KEY_ID=" in created.stdout
    site.become(key)
    doctor = first.run("doctor")
    assert "error" not in doctor.stdout, doctor.stdout
    image = builders.image(1, layers=2, layer_bytes=6_000_000)
    builders.write_layout(image, reader.home / "local")
    push_and_pull = site.blocks[6]

    with site.nginx():
        said = reader.run(push_and_pull)
        assert f'"repositoryUri": "{site.host}/hello"' in said
        for node in site.nodes:
            _require(node, key, image)
        first.kill()
        exports, *_, pull = push_and_pull.splitlines()
        reader.run(*[pull] * 3)
        builders.write_layout(builders.image(2), reader.home / "second")
        reader.run(f"skopeo --insecure-policy copy oci:second:latest docker://{site.host}/hello:v2")
        assert '"v2"' in reader.run(exports, "aws ecr list-images --repository-name hello")


def _require(node: MoorageServer, key: KeyPair, image: builders.BuiltImage) -> None:
    with RegistryClient("127.0.0.1", node.port, node.password(key=key)) as client:
        client.require_image("hello", image, "v1")


def test_a_rolling_restart_is_not_noticed(site: Site) -> None:
    """Behind HAProxy, which asks `/readyz`: nodes end one after the other while somebody pulls and pushes without a pause."""
    reader, nodes = site.reader, site.nodes
    for node in nodes:
        node.start()
    printed = _KEY.search(nodes[0].output)
    assert printed is not None
    key = KeyPair("000000000000", printed[1], printed[2])
    site.become(key)
    nodes[0].client(key=key).create_repository(repositoryName="hello")
    reader.environment["AWS_DEFAULT_REGION"] = "us-east-1"
    builders.write_layout(builders.image(1), reader.home / "local")
    ready = site.blocks[7]
    assert nodes[0].host in ready
    with site.haproxy():
        reader.run(
            f"aws --endpoint-url https://{site.host} ecr get-login-password | skopeo login -u AWS --password-stdin {site.host}"
        )
        done, seen = threading.Event(), [0]
        failed: list[AssertionError] = []
        copy = f"skopeo --insecure-policy copy --retry-times 0 oci:local:latest docker://{site.host}/hello:v"

        def keep_using() -> None:
            while not done.is_set() and not failed:
                try:
                    reader.run(f"{copy}{seen[0]}", f"curl -fsS --cacert ca/tls/ca.pem https://{site.host}/healthz")
                except AssertionError as error:
                    failed.append(error)
                seen[0] += 1

        user = threading.Thread(target=keep_using)
        user.start()
        try:
            for node in nodes:
                before = seen[0]
                assert node.terminate() == 0
                node.start()
                reader.run(ready.replace(nodes[0].host, node.host))
                _wait_for_haproxy(site, node)
                assert seen[0] > before or failed
        finally:
            done.set()
            user.join()
    assert not failed, failed[0]
    assert f'"v{seen[0] - 1}"' in reader.run(f"aws --endpoint-url {nodes[0].endpoint} ecr list-images --repository-name hello")


def _wait_for_haproxy(site: Site, node: MoorageServer) -> None:
    """Until HAProxy has asked a node whether it is ready, and so sends requests to it again."""
    since = node.log_size()
    deadline = threading.Event()
    for _ in range(200):
        if "GET /readyz" in node.log[since:] or "GET /healthz" in node.log[since:]:
            return
        deadline.wait(0.05)
    raise AssertionError(f"{site.host} does not ask {node.host} whether it is ready")
