"""Makes what is in this folder: the database of a real server, as it is at each released schema. Run once for each release:

    python -m tests.schemas.make

The files of older releases are not made again: a database that is out there does not change either. A server of this checkout is
filled through its APIs; its rows are put into a database at the revision, as far as it has their tables and columns.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import sys
import tempfile
from pathlib import Path
from typing import Any

from moorage.metadata import migrate
from moorage.testing import builders
from moorage.testing.server import MoorageServer

FOLDER = Path(__file__).parent
LARGE, SMALL = builders.image(1, layers=1, layer_bytes=17_000), builders.image(2, layers=1, layer_bytes=100)
"""One whose layer is an object of the store, and one whose blobs are rows."""


def fill(server: MoorageServer) -> None:
    """Something in most tables."""
    ecr, iam = server.client(), server.client("iam")
    ecr.create_repository(repositoryName="app", tags=[{"Key": "team", "Value": "a"}])
    ecr.create_repository(repositoryName="other", imageTagMutability="IMMUTABLE")
    with server.registry() as registry:
        registry.push_image("app", LARGE, "large")
        registry.push_image("app", SMALL, "small")
    iam.create_user(UserName="alice", Tags=[{"Key": "k", "Value": "v"}])
    iam.create_access_key(UserName="alice")
    iam.create_group(GroupName="people")
    iam.add_user_to_group(GroupName="people", UserName="alice")
    document = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecr:*","Resource":"*"}]}'
    arn = iam.create_policy(PolicyName="all", PolicyDocument=document)["Policy"]["Arn"]
    iam.attach_user_policy(UserName="alice", PolicyArn=arn)
    iam.put_group_policy(GroupName="people", PolicyName="inline", PolicyDocument=document)
    iam.create_login_profile(UserName="alice", Password="Correct-horse-7")
    selection = {"tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": 3}
    rules = {"rules": [{"rulePriority": 1, "selection": selection, "action": {"type": "expire"}}]}
    ecr.put_lifecycle_policy(repositoryName="app", lifecyclePolicyText=json.dumps(rules))
    ecr.create_repository_creation_template(prefix="made", appliedFor=["CREATE_ON_PUSH"])


def fill_public(server: MoorageServer) -> None:
    """A public registry, which there is since schema 0004."""
    public = server.client("ecr-public")
    public.create_repository(repositoryName="shown", catalogData={"description": "d"})
    public.put_registry_catalog_data(displayName="Somebody")


def rows_of(head: sqlite3.Connection, table: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """The columns of a table, and its rows."""
    cursor = head.execute(f'SELECT * FROM "{table}"')
    return [column[0] for column in cursor.description], cursor.fetchall()


def dump(head: sqlite3.Connection, revision: str, folder: Path) -> str:
    """The text of a database at a revision with the rows of `head`."""
    path = folder / f"{revision}.db"
    migrate._run(f"sqlite:///{path}", "upgrade", revision)
    made = sqlite3.connect(path)
    made.execute("PRAGMA foreign_keys=OFF")
    for (table,) in made.execute("SELECT name FROM sqlite_master WHERE type='table' AND name NOT LIKE 'sqlite_%'").fetchall():
        if table == "alembic_version":
            continue
        columns, rows = rows_of(head, table)
        if table == "access_keys" and revision < "0002":  # before there were users
            rows = [row for row in rows if row[columns.index("account_id")] == row[columns.index("principal_id")]]
        known = [name for _, name, *_ in made.execute(f'PRAGMA table_info("{table}")')]
        marks = ", ".join("?" for _ in known)
        made.executemany(
            f'INSERT INTO "{table}" ({", ".join(known)}) VALUES ({marks})',
            [[dict(zip(columns, row, strict=True))[name] for name in known] for row in rows],
        )
    made.commit()
    text = "\n".join(made.iterdump()) + "\n"
    made.close()
    return text


def main() -> None:
    """Write the files of the revisions that are named; without any, of the newest."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if (FOLDER / "root.key").exists():  # the key of the older texts
            (folder / "data").mkdir(mode=0o700)
            shutil.copyfile(FOLDER / "root.key", folder / "data" / "root.key")
            (folder / "data" / "root.key").chmod(0o600)
        with MoorageServer(folder / "data") as server:
            fill(server)
            is_public = False
            for revision in sorted(sys.argv[1:] or [migrate.HEAD]):
                if revision >= "0004" and not is_public:
                    fill_public(server)
                    is_public = True
                head = sqlite3.connect(folder / "data" / "moorage.db")
                (FOLDER / f"{revision}.sql").write_text(dump(head, revision, folder), "utf-8")
                head.close()
        for made in ("root.key", *(str(path.relative_to(folder / "data")) for path in (folder / "data" / "blobs").glob("*/*"))):
            (FOLDER / made).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / "data" / made, FOLDER / made)


if __name__ == "__main__":
    main()
