"""After any mix of requests, on both planes, activity, counts and pulls say what was sent: each request once, whichever way it
was answered."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

from sqlalchemy import select

from moorage.metadata.statements import Statement
from moorage.metadata.tables.images import manifest_pulls
from moorage.metadata.transaction import ReadTransaction
from moorage.metadata.usage import activity
from moorage.operations.usage.request_counts import requests_counted
from moorage.server.installation import open_installation
from moorage.server.settings import load
from moorage.testing import builders
from moorage.testing.server import MoorageServer
from tests.integration.access.people import Person, allow, deny, repository_arn

_PULLS = Statement(lambda _: select(manifest_pulls.c.manifest_id, manifest_pulls.c.pulls, manifest_pulls.c.last_pulled_at))
_STEPS = 150


class Sent:
    """What was sent, as each table should have it."""

    def __init__(self) -> None:
        self.uses: Counter[tuple[str, str]] = Counter()
        self.requests: Counter[str] = Counter()
        self.pulls = 0

    def add(self, operation: str, *actions: str, on: str, allowed: bool = True, pulls: int = 0) -> None:
        """One request: as which operation it counts, which actions it was allowed on which resource, what it pulled."""
        self.requests[f"ecr:{operation}"] += 1
        if allowed:
            self.uses.update((f"ecr:{action}", on) for action in actions or (operation,))
        self.pulls += pulls


class Tables:
    """What the database says."""

    def __init__(self, server: MoorageServer, account: str, principal: str) -> None:
        def ask(tx: ReadTransaction) -> None:
            found = activity.of_principal(tx, principal, 0, 10_000)
            self.uses = Counter({(action, resource): uses for action, resource, _, _, _, uses in found})
            now = tx.now // 1_000_000
            self.requests: Counter[str] = Counter()
            for operation in _OPERATIONS:
                key = account, "us-east-1", f"ecr:{operation}"
                rows = requests_counted(tx, key, 3600, now - 7200, now + 1)
                self.requests[key[2]] = sum(calls for _, calls, _ in rows)
            rows = tx.all(_PULLS)
            self.pulls = sum(count for _, count, _ in rows)
            assert all(at > 0 for _, _, at in rows)

        installation: Any = open_installation(load(None, server.environment, {}).settings, server.environment, may_create=False)
        try:
            installation.db.run_read(ask)
        finally:
            installation.close()


_OPERATIONS = (
    "BatchCheckLayerAvailability",
    "BatchGetImage",
    "CompleteLayerUpload",
    "DescribeImages",
    "GetDownloadUrlForLayer",
    "InitiateLayerUpload",
    "ListImages",
    "PutImage",
    "UploadLayerPart",
)


def test_all_tables_agree_with_what_was_sent(own_server: MoorageServer) -> None:
    server, account = own_server, own_server.root
    root = server.client()
    for name in ("app", "secret"):
        root.create_repository(repositoryName=name)
    person = Person(server, account, allow("*"), deny("ecr:*", resource=repository_arn(account, "secret")))
    app, secret = repository_arn(account, "app"), repository_arn(account, "secret")
    image = builders.image(1)
    with server.registry() as client:
        client.push_image("app", image, "v1")
    server.restart()  # nothing is remembered, nothing waits to be written
    before = Tables(server, account.account_id, person.id).requests
    sent = Sent()
    draw = random.Random(20)
    blob = image.layers[0]
    with server.registry(key=person.key) as client:
        ecr = person.ecr

        def asked(method: str, path: str, status: int, body: bytes | None = None, **headers: str) -> None:
            answer = client.request(method, path, body, headers={name.replace("_", "-"): text for name, text in headers.items()})
            assert answer.status == status, (method, path, answer.status)

        def pull_manifest() -> None:
            asked("GET", "/v2/app/manifests/v1", 200)
            sent.add("BatchGetImage", on=app, pulls=1)

        def pull_conditionally() -> None:
            asked("GET", "/v2/app/manifests/v1", 304, if_none_match=f'"{image.digest}"')
            sent.add("BatchGetImage", on=app)

        def head_manifest() -> None:
            asked("HEAD", f"/v2/app/manifests/{image.digest}", 200)
            sent.add("BatchGetImage", on=app)

        def pull_what_is_not_there() -> None:
            asked("GET", "/v2/app/manifests/v2", 404)
            sent.add("BatchGetImage", on=app)

        def pull_what_is_denied() -> None:
            asked("GET", "/v2/secret/manifests/v1", 403)
            sent.add("BatchGetImage", on=secret, allowed=False)

        def head_blob() -> None:
            asked("HEAD", f"/v2/app/blobs/{blob}", 200)
            sent.add("BatchCheckLayerAvailability", on=app)

        def pull_blob() -> None:
            asked("GET", f"/v2/app/blobs/{blob}", 200)
            sent.add("GetDownloadUrlForLayer", on=app)

        def push_blob_at_once() -> None:
            data = draw.randbytes(100)
            asked("POST", f"/v2/app/blobs/uploads/?digest={builders.digest(data)}", 201, data)
            sent.add("InitiateLayerUpload", "InitiateLayerUpload", "UploadLayerPart", "CompleteLayerUpload", on=app)

        def push_again() -> None:
            asked("PUT", "/v2/app/manifests/v1", 201, image.manifest, content_type=image.media_type)
            sent.add("PutImage", on=app)

        def get_by_api() -> None:
            ecr.batch_get_image(repositoryName="app", imageIds=[{"imageTag": "v1"}])
            sent.add("BatchGetImage", on=app, pulls=1)

        def list_by_api() -> None:
            ecr.list_images(repositoryName="app")
            sent.add("ListImages", on=app)

        steps: list[Callable[[], None]] = [
            pull_manifest,
            pull_manifest,
            pull_conditionally,
            head_manifest,
            pull_what_is_not_there,
            pull_what_is_denied,
            head_blob,
            pull_blob,
            push_blob_at_once,
            push_again,
            get_by_api,
            list_by_api,
        ]
        for step in steps:  # each is met cold at least once
            step()
        for _ in range(_STEPS):
            draw.choice(steps)()
    server.restart()  # what memory holds is written at the latest now
    tables = Tables(server, account.account_id, person.id)
    of_app = Counter({key: count for key, count in tables.uses.items() if key[1] in {app, secret}})
    assert of_app == sent.uses
    assert tables.requests - before == sent.requests
    assert tables.pulls == sent.pulls
