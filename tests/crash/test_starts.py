"""A start that is ended at any of its steps can be started again: a first one, and one that migrates a full database.

The steps are counted and the kills made by `tests.crash.starting`; that a whole server then serves what was there before is
looked at for each schema that was ever released.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from moorage.metadata import migrate
from moorage.testing import builders
from moorage.testing.server import MoorageServer
from moorage.testing.servers import PostgresServer
from tests.crash import databases
from tests.schemas import make

FIRST = "first start"
NEW = builders.image(3)


def killed_everywhere(*arguments: str) -> dict[str, int]:
    """Run the program; nothing that it found may be wrong."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.crash.starting", *arguments], capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    assert found["faults"] == [], done.stderr[-3000:]
    return dict(found)


EVERY = 8
"""Within the one transaction of a migration all points leave the same behind: between two that do, others are passed over."""


@pytest.mark.parametrize("revision", [FIRST, *databases.REVISIONS[:-1]])
def test_sqlite(tmp_path: Path, revision: str) -> None:
    folder = tmp_path / "data"
    if revision != FIRST:
        databases.installation(folder, revision)
    found = killed_everywhere(str(folder), "", str(EVERY))
    assert found["points"] > 60
    assert found["states"] >= (11 if revision == FIRST else 4)


@pytest.mark.parametrize("revision", [FIRST, "0001"])
def test_postgresql(tmp_path: Path, postgres_url: str, revision: str) -> None:
    folder = tmp_path / "data"
    if revision == FIRST:
        databases.key_and_blobs(folder)  # what is new in a folder is the other test's
    else:
        databases.installation(folder, revision)
        databases.into_postgresql(postgres_url, revision, folder)
    found = killed_everywhere(str(folder), postgres_url, str(4 * EVERY))
    assert found["points"] > 30
    assert found["states"] >= 2


def test_every_released_schema_has_its_text() -> None:
    assert databases.REVISIONS[-1] == migrate.HEAD, "python -m tests.schemas.make"


@pytest.mark.parametrize(
    ("revision", "stack"),
    [*((revision, "sqlite") for revision in databases.REVISIONS), ("0001", "postgresql"), ("0004", "postgresql")],
)
def test_upgrades_serve_what_was_there(tmp_path: Path, postgres_server: PostgresServer, revision: str, stack: str) -> None:
    folder = tmp_path / "data"
    databases.installation(folder, revision)
    with postgres_server.database() as url:
        if stack == "postgresql":
            databases.into_postgresql(url, revision, folder)
        with MoorageServer(folder, database_url=url if stack == "postgresql" else "") as server:
            ecr = server.client()
            assert {each["repositoryName"] for each in ecr.describe_repositories()["repositories"]} == {"app", "other"}
            with server.registry() as registry:
                answer = registry.get("/v2/app/manifests/large")
                assert (answer.status, answer.body) == (200, make.LARGE.manifest)
                (layer,) = make.LARGE.layers
                assert registry.get(f"/v2/app/blobs/{layer}").body == make.LARGE.blobs[layer]
                if revision >= "0002":
                    registry.require_image("app", make.LARGE)
                    registry.require_image("app", make.SMALL)
                    assert server.client("iam").get_user(UserName="alice")["User"]["UserName"] == "alice"
                registry.push_image("other", NEW, "new")
                registry.require_image("other", NEW)
            server.require_clean_log()
            if stack == "sqlite" and revision != migrate.HEAD:
                assert f"moorage.db.before-{migrate.HEAD}-was-{revision}" in server.log
        if revision >= "0002":
            assert server.run("fsck", "--deep").stdout == "no faults\n"
