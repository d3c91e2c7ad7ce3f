"""A real server as its operators run it: a process of its own, on a free port, with a data folder of its own."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.error import URLError
from urllib.request import urlopen

from moorage.operations.accounts import accounts
from moorage.server.installation import open_installation
from moorage.server.parent import end_with_parent
from moorage.server.settings import load
from moorage.testing.registry_client import RegistryClient
from moorage.testing.servers import free_ports

PATIENCE_SECONDS = 60.0
"""How long a server may take to start or to end; a machine under load is slow, a broken server ends sooner."""
_BANNER = re.compile(r"^Moorage serves (https?)://(\S+):([0-9]+) from ", re.MULTILINE)
_EXPORTED = re.compile(r"export AWS_ACCESS_KEY_ID=(\S+)\s+(?:export )?AWS_SECRET_ACCESS_KEY=(\S+)")
_TRACEBACK = "Traceback (most recent call last)"


@dataclass(frozen=True, slots=True)
class KeyPair:
    """An access key of an account's root."""

    account_id: str
    access_key_id: str
    secret: str


ROOT = KeyPair("000000000000", "AKIAMOORAGETESTROOT0", "a-secret-that-only-tests-know-0000000000")
"""The key that the tests' servers are started with."""


class ServerFailed(Exception):
    """The process ended, or did not become ready; the message has the end of its log."""


class MoorageServer:
    """A ``moorage serve`` process. Use it as a context manager, or call `start` and `terminate`.

    Args:
        data: the data folder; the logs stand beside it.
        options: further flags of the command line, such as ``--ecr-quirks``.
        environment: further variables; `ROOT` is the default account's key unless they name another.
        open_files: the hard limit of its descriptors.
    """

    def __init__(
        self,
        data: Path,
        *,
        database_url: str = "",
        blob_store_url: str = "",
        options: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        root: KeyPair | None = ROOT,
        open_files: int | None = None,
    ) -> None:
        self.data = data
        self._open_files = open_files
        self.root = root or KeyPair("", "", "")
        (self.port,) = free_ports(1)
        self.scheme = "http"
        self._options = list(options)
        self.program: Sequence[str] = ("-m", "moorage")
        """What Python runs."""
        self._process: subprocess.Popen[bytes] | None = None
        self._clients: dict[tuple[str, KeyPair, str], Any] = {}
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MOORAGE_", "AWS_"))}
        urls = {"MOORAGE_DATABASE_URL": database_url, "MOORAGE_BLOB_STORE_URL": blob_store_url}
        key = {"MOORAGE_ROOT_ACCESS_KEY_ID": root.access_key_id, "MOORAGE_ROOT_SECRET_ACCESS_KEY": root.secret} if root else {}
        self.environment = {
            **inherited,
            "PYTHONUNBUFFERED": "1",
            "MOORAGE_DATA": str(data),
            **{name: url for name, url in urls.items() if url},
            **key,
            **(environment or {}),
        }
        self._log = data.parent / f"{data.name}.log"
        self._output = data.parent / f"{data.name}.out"

    # The process.

    def start(self) -> Self:
        """Start it, on the same port each time, and wait until it is ready. Raises ServerFailed."""
        self.begin()
        try:
            self._await_ready()
        except BaseException:
            self.kill()
            raise
        return self

    def begin(self) -> Self:
        """Start it and wait until it serves, ready or not: its store may be away. Raises ServerFailed."""
        data_command = [sys.executable, *self.program, "serve", "--listen", f"127.0.0.1:{self.port}", *self._options]
        self.data.parent.mkdir(parents=True, exist_ok=True)
        self._output.write_bytes(b"")
        with self._log.open("ab") as log, self._output.open("ab") as output:
            # A session of its own: a Ctrl-C at the terminal reaches the tests, which then end the server in order.
            self._process = subprocess.Popen(
                data_command,
                stdout=output,
                stderr=log,
                env=self.environment,
                start_new_session=True,
                preexec_fn=self._prepare,  # noqa: PLW1509  # nothing but system calls
            )
        try:
            self._await_banner()
        except BaseException:
            self.kill()
            raise
        return self

    def _prepare(self) -> None:
        """In the child: a run of tests that is killed leaves no server behind."""
        end_with_parent(signal.SIGKILL)
        if self._open_files is not None:
            resource.setrlimit(resource.RLIMIT_NOFILE, (self._open_files // 2, self._open_files))

    def _await_banner(self) -> None:
        def shown() -> bool:
            match = _BANNER.search(self._output.read_text("utf-8", "replace"))
            if match is not None:
                self.scheme, self.port = match[1], int(match[3])
            return match is not None

        self._await(shown, "its address")

    def _await_ready(self) -> None:
        if self.scheme == "https":  # the certificate is the test's own affair
            return

        def ready() -> bool:
            try:
                with urlopen(f"{self.endpoint}/readyz", timeout=5) as answer:  # noqa: S310  # our own loopback address
                    return bool(answer.status == 200)
            except (URLError, OSError):
                return False

        self._await(ready, "readiness")

    def _await(self, condition: Any, what: str) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            if self._process is None or self._process.poll() is not None:
                raise ServerFailed(f"the server ended before {what}: {self.output[-1000:]}{self.log[-3000:]}")
            if time.monotonic() > deadline:
                raise ServerFailed(f"no {what} within {PATIENCE_SECONDS:.0f} s: {self.log[-3000:]}")
            time.sleep(0.02)

    @property
    def pid(self) -> int:
        """The id of the (supervising) process."""
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """SIGKILL to the server and its workers: nothing is flushed, nobody says goodbye."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None

    def terminate(self) -> int:
        """SIGTERM, and wait; return the exit status. Raises ServerFailed if it does not end."""
        if self._process is None:
            return 0
        self._process.terminate()
        try:
            status = self._process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise ServerFailed(f"the server did not end: {self.log[-3000:]}") from None
        self._process = None
        return status

    def restart(self) -> None:
        """End it in order and start it again on the same port."""
        self.terminate()
        self.start()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close_clients()
        self.terminate()

    # What it said.

    @property
    def log(self) -> str:
        """Standard error of all its lives."""
        return self._log.read_text("utf-8", "replace") if self._log.exists() else ""

    @property
    def output(self) -> str:
        """Standard output of its present life: the banner, and at a first start without a given key the new one."""
        return self._output.read_text("utf-8", "replace") if self._output.exists() else ""

    def log_size(self) -> int:
        """Bytes of the log so far: a place to check from."""
        return self._log.stat().st_size if self._log.exists() else 0

    def require_clean_log(self, since: int = 0) -> None:
        """Fail if the log holds a traceback after `since`."""
        with self._log.open("rb") as log:
            log.seek(since)
            text = log.read().decode("utf-8", "replace")
        assert _TRACEBACK not in text, f"the server logged a traceback:\n{text[-6000:]}"

    # How it is reached.

    @property
    def host(self) -> str:
        """Address and port as docker writes them: the default account's registry."""
        return f"127.0.0.1:{self.port}"

    @property
    def endpoint(self) -> str:
        """The URL of the AWS APIs."""
        return f"{self.scheme}://{self.host}"

    def registry_host(self, account_id: str, region: str = "us-east-1") -> str:
        """The host name of any account's registry, as its users write it; it need not resolve here."""
        return f"{account_id}.dkr.ecr.{region}.localhost:{self.port}"

    def client(self, service: str = "ecr", *, key: KeyPair | None = None, region: str = "us-east-1") -> Any:
        """A boto3 client that shows every error at once (no retries). Kept, because making one is slow."""
        chosen = key or self.root
        if (service, chosen, region) not in self._clients:
            self._clients[service, chosen, region] = make_client(self.endpoint, service, chosen, region)
        return self._clients[service, chosen, region]

    def close_clients(self) -> None:
        """Close the connections of all clients made here."""
        for client in self._clients.values():
            client.close()
        self._clients.clear()

    def password(self, *, key: KeyPair | None = None, region: str = "us-east-1") -> str:
        """What ``aws ecr get-login-password`` prints."""
        import base64

        data = self.client(key=key, region=region).get_authorization_token()["authorizationData"][0]
        return base64.b64decode(data["authorizationToken"]).decode().partition(":")[2]

    def registry(self, *, key: KeyPair | None = None, region: str = "us-east-1") -> RegistryClient:
        """A logged-in client of /v2/: of the default account's registry, or of `key`'s own."""
        password = self.password(key=key, region=region)
        host = None if key is None and region == "us-east-1" else self.registry_host((key or self.root).account_id, region)
        return RegistryClient("127.0.0.1", self.port, password, host=host)

    @property
    def public_host(self) -> str:
        """Name and port of the public registries; the name need not resolve here."""
        return f"public.localhost:{self.port}"

    def public_password(self, key: KeyPair | None = None) -> str:
        """What ``aws ecr-public get-login-password`` prints."""
        import base64

        data = self.client("ecr-public", key=key).get_authorization_token()["authorizationData"]
        return base64.b64decode(data["authorizationToken"]).decode().partition(":")[2]

    def public_registry(self, *, key: KeyPair | None = None, anonymous: bool = False) -> RegistryClient:
        """A client of the public registries: logged in, or with the token that everybody is given."""
        if not anonymous:
            return RegistryClient("127.0.0.1", self.port, self.public_password(key), host=self.public_host, bearer=True)
        with RegistryClient("127.0.0.1", self.port, None, host=self.public_host) as asking:
            token = asking.get("/token/").json()["token"]
        return RegistryClient("127.0.0.1", self.port, token, host=self.public_host, bearer=True)

    # Its command line.

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run ``moorage ARGUMENTS`` on the same installation."""
        done = subprocess.run(
            [sys.executable, "-m", "moorage", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        if check and done.returncode != 0:
            raise ServerFailed(f"moorage {' '.join(arguments)}: status {done.returncode}: {done.stderr[-2000:]}")
        return done

    def create_account(self, name: str) -> KeyPair:
        """What ``moorage account create`` does: a fresh account with its root's key, and nothing else in it.

        In this process, because a command takes a second to start.
        """
        installation = open_installation(load(None, self.environment, {}).settings, self.environment, may_create=False)
        try:
            made = installation.db.run_write(accounts.create_account, installation.root_key, None, name)
        finally:
            installation.close()
        return KeyPair(made.account_id, made.access_key_id, made.secret)

    def create_key(self, account_id: str) -> KeyPair:
        """``moorage key create``: another key of an account's root."""
        return _key_of(self.run("key", "create", account_id).stdout)


def _key_of(text: str) -> KeyPair:
    account, exported = re.search(r"account ([0-9]{12})", text), _EXPORTED.search(text)
    if account is None or exported is None:
        raise ServerFailed(f"no key in {text!r}")
    return KeyPair(account[1], exported[1], exported[2])


def make_client(endpoint: str, service: str, key: KeyPair, region: str = "us-east-1", **config: Any) -> Any:
    """A boto3 client without retries, with nothing taken from the environment."""
    import boto3
    from botocore.config import Config

    settings = Config(retries={"total_max_attempts": 1}, connect_timeout=10, read_timeout=60, max_pool_connections=50, **config)
    return boto3.client(
        service,
        endpoint_url=endpoint,
        aws_access_key_id=key.access_key_id,
        aws_secret_access_key=key.secret,
        region_name=region,
        config=settings,
    )
