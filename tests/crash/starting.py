"""Kills a start at each thing it does, and looks at what the next start makes of it. A program, run by `test_starts`:

    python -m tests.crash.starting FOLDER [POSTGRESQL_URL_OF_A_TEMPLATE] [EVERY]

FOLDER is an installation as it was before: each point gets a copy of it, a child that starts on it and ends itself by SIGKILL
just before its n-th step, and, where that leaves a state that was not seen before, another child that starts undisturbed. A step
is a statement of SQL, a commit, a file that is opened to be written, synced, renamed, linked, removed, a folder that is made.
Children are forked, so that a point costs some tens of milliseconds. Prints JSON: points, distinct states, faults.
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
import re
import shutil
import signal
import sqlite3
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from moorage.cli.serving import _prepare
from moorage.metadata import migrate
from moorage.operations.accounts import accounts
from moorage.server.installation import exclusive, open_installation
from moorage.server.settings import Settings, load
from tests.crash import databases

_FILE_EVENTS = frozenset({"os.rename", "os.link", "os.remove", "os.mkdir"})
_PASSING = re.compile(r"\.[0-9a-f]{8}\.new$")
_ROWS_THAT_CHANGE = frozenset({"alembic_version", "installation"})


class Killer:
    """Ends this process just before its n-th step; 0: never."""

    def __init__(self, point: int, folder: Path) -> None:
        self._left, self._folder = point, str(folder)

    def step(self, *_: object) -> None:
        """Count one."""
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def arm(self) -> None:
        """Count the steps of everything that this process does from now on."""
        sys.addaudithook(self._audit)
        connect = sqlite3.connect

        def traced(*arguments: Any, **named: Any) -> sqlite3.Connection:
            connection: sqlite3.Connection = connect(*arguments, **named)
            connection.set_trace_callback(self.step)
            return connection

        sqlite3.connect = traced  # type: ignore[assignment]
        self._count(os, "fsync")
        for kind, name in ((psycopg.Cursor, "execute"), (psycopg.Connection, "commit"), (psycopg.Transaction, "__exit__")):
            self._count(kind, name)

    def _count(self, owner: Any, name: str) -> None:
        real: Callable[..., Any] = getattr(owner, name)

        def counted(*arguments: Any, **named: Any) -> Any:
            self.step()
            return real(*arguments, **named)

        setattr(owner, name, counted)

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_CREAT | os.O_RDWR | os.O_WRONLY)
        if (writes or event in _FILE_EVENTS) and str(arguments[0]).startswith(self._folder):
            self.step()


def settings_of(folder: Path, url: str) -> Settings:
    """Settings of a server on a folder, with nothing from the environment."""
    return load(None, {"MOORAGE_DATABASE_URL": url}, {"data": str(folder)}).settings


def start(folder: Path, url: str) -> bool:
    """What a start does before it serves. Returns whether it has a key to show."""
    settings = settings_of(folder, url)
    with exclusive(settings.data_folder):
        made, _ = _prepare(settings)
    return made is not None


def in_child(work: Callable[..., object], *arguments: Any) -> int:
    """Run something in a child; return its wait status."""
    pid = os.fork()
    if pid:
        return os.waitpid(pid, 0)[1]
    try:
        work(*arguments)
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


def fingerprint(folder: Path, url: str) -> str:
    """What the next start will find, without what is random."""
    files = list(folder.iterdir()) if folder.exists() else []
    parts = [str(sorted(_PASSING.sub("", path.name) for path in files))]
    parts += [f"{path.name} {path.stat().st_size}" for path in sorted(folder.glob("root.key*"))]
    found = databases.content(url or f"sqlite:///{folder / 'moorage.db'}")
    secret = {"access_keys", "accounts", "installation"}
    parts += [f"{table} {len(rows) if table in secret else rows}" for table, (_, rows) in sorted(found.items())]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def check(folder: Path, url: str, before: databases.Content, wanted: databases.Content, revision: str | None) -> None:
    """Start undisturbed; then all is as if the start before had never been ended."""
    shows_key = start(folder, url)
    address = url or f"sqlite:///{folder / 'moorage.db'}"
    assert migrate.current(address) == migrate.HEAD
    found = databases.content(address)
    assert {table: columns for table, (columns, _) in found.items()} == {table: columns for table, (columns, _) in wanted.items()}
    for table, (columns, rows) in before.items():
        if table not in _ROWS_THAT_CHANGE:
            assert databases.columns_of(found[table], columns) == rows, table
    if revision is None:
        assert shows_key, "nobody has seen the key of the root"
    installation = open_installation(settings_of(folder, url), {}, may_create=False)
    keys = [key for _, _, keys in installation.db.run_read(accounts.list_accounts) for key in keys]
    assert len(keys) == len(before["access_keys"][1]) if "access_keys" in before else len(keys) == 1
    for key_id, _ in keys:
        active = installation.db.run_read(accounts.find_active_key, key_id)
        assert active is not None
        accounts.open_credential(installation.root_key, *active)
    installation.close()
    if revision is not None and not url:
        (copy,) = folder.glob("moorage.db.before-*")
        assert databases.content(f"sqlite:///{copy}") == before
    assert not [path for path in folder.iterdir() if path.name.startswith(".moorage.db")]


class Points:
    """The kills of one installation, and what they left."""

    def __init__(self, pristine: Path, template: str) -> None:
        self._pristine, self._template = pristine, template
        self._area = pristine.with_name(f"{pristine.name}-points")
        old = template or f"sqlite:///{pristine / 'moorage.db'}"
        self._before, self._revision = databases.content(old), migrate.current(old)
        folder, url = self._fresh()
        assert in_child(start, folder, url) == 0
        self._wanted = databases.content(url or f"sqlite:///{folder / 'moorage.db'}")
        databases.drop(url)
        self.states: dict[int, str] = {}
        self.faults: list[str] = []
        self.is_over = False

    def _fresh(self) -> tuple[Path, str]:
        shutil.rmtree(self._area, ignore_errors=True)
        self._area.mkdir()
        folder = self._area / "data"
        if self._pristine.exists():
            shutil.copytree(self._pristine, folder)
        return folder, databases.cloned(self._template) if self._template else ""

    def kill(self, point: int) -> None:
        """One point: `is_over` says afterwards that the start lived to its end."""
        folder, url = self._fresh()
        status = in_child(die_at, point, folder, url)
        state = fingerprint(folder, url)
        if state not in self.states.values() and in_child(check, folder, url, self._before, self._wanted, self._revision) != 0:
            self.faults.append(f"after a kill at step {point}")
        self.states[point] = state
        databases.drop(url)
        if not os.WIFSIGNALED(status):
            self.is_over = True
            self.faults += [] if status == 0 else [f"step {point}: status {status}"]

    def kill_everywhere(self, every: int) -> None:
        """Every n-th point; and between two that left different states, those just before and just after each change."""
        point = 1
        self.kill(point)
        while not self.is_over:
            before, point = point, point + every
            self.kill(point)
            self._narrow(before, point)
        shutil.rmtree(self._area, ignore_errors=True)

    def _narrow(self, left: int, right: int) -> None:
        if right - left > 1 and self.states[left] != self.states[right]:
            middle = (left + right) // 2
            self.kill(middle)
            self._narrow(left, middle)
            self._narrow(middle, right)


def main() -> None:
    """See the module."""
    points = Points(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "")
    points.kill_everywhere(int(sys.argv[3]) if len(sys.argv) > 3 else 1)
    states = set(points.states.values())
    print(json.dumps({"points": max(points.states), "kills": len(points.states), "states": len(states), "faults": points.faults}))


def die_at(point: int, folder: Path, url: str) -> None:
    """Start, armed."""
    Killer(point, folder).arm()
    start(folder, url)


if __name__ == "__main__":
    sqlite3.connect(":memory:").close()
    import alembic.command  # imported once here instead of in each child
    import alembic.config

    del alembic
    gc.disable()  # children share what is here
    main()
