"""Fills a data folder of Moorage with many images by the product's own use cases, while no server runs.

``python -m bench.seeding DATA COUNT``: the repository ``bench/seeded`` gets COUNT images. Run with the environment of the server.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator

from bench.content import MANIFEST_TYPE, SmallImage, manifests_of, small_image
from moorage.auth.credentials import root_credential
from moorage.keys.data_keys import DataKeys
from moorage.metadata.transaction import Transaction
from moorage.model.digest import parse_digest
from moorage.model.names import RepositoryName, parse_repository_name
from moorage.model.principal import Caller
from moorage.model.scope import Scope
from moorage.operations.accounts import accounts
from moorage.operations.images import push, uploads
from moorage.server.installation import Installation, open_installation
from moorage.server.settings import load
from moorage.testing.sealed_pushes import SealedPushes
from moorage.transfer.key_reserve import KeyReserve
from moorage.transfer.receive import Body, Receiver
from moorage.transfer.unstarted import UnstartedUploads
from moorage.transfer.work import Pools

SEEDED = "bench/seeded"
_BATCH = 500


def seed(data: str, count: int) -> None:
    """Make an installation in the folder `data` and fill it."""
    settings = load(None, os.environ, {"data": data}).settings
    installation = open_installation(settings, os.environ)
    try:
        pair = settings.root_key_pair
        assert pair is not None, "the environment names no root access key"
        installation.db.run_write(accounts.ensure_bootstrap, installation.root_key, settings.account_id, "default", pair)
        credential = root_credential(*pair, settings.account_id)
        caller = Caller(credential.access_key_id, credential.account_id, credential.principal_id, credential.principal_arn)
        _fill(installation, caller, settings.default_scope, parse_repository_name(SEEDED), count)
    finally:
        installation.close()


def _fill(installation: Installation, caller: Caller, scope: Scope, name: RepositoryName, count: int) -> None:
    pushes, db = SealedPushes(installation.root_key), installation.db
    repository = pushes.create(db, caller, scope, name)
    image = small_image()
    asyncio.run(_put_blobs(installation, pushes.keys(), caller, scope, name, image))
    pending: list[tuple[str, push.Pushed, push.SealedPayload]] = []

    def put(tx: Transaction) -> None:
        for tag, pushed, sealed in pending:
            push.put_image(tx, caller, scope, name, pushed, sealed, None, [tag])

    with asyncio.Runner() as runner:
        for tag, manifest in manifests_of(image, count):
            pushed = push.read_push(manifest, MANIFEST_TYPE, None)
            pending.append((tag, pushed, runner.run(pushes.seal(repository, pushed))))
            if len(pending) == _BATCH:
                db.run_write(put)
                pending.clear()
    db.run_write(put)


async def _put_blobs(
    installation: Installation, keys: DataKeys, caller: Caller, scope: Scope, name: RepositoryName, image: SmallImage
) -> None:
    pools, db = Pools(remote=False), installation.db
    receiver = Receiver(db, installation.store, keys, pools, KeyReserve(db), UnstartedUploads(db, alone=True))
    for digest, data in image.blobs:
        upload_id = await db.write(uploads.initiate_layer_upload, caller, scope, name, "sha256")
        messages = _messages(data)

        async def receive(messages: AsyncIterator[dict[str, object]] = messages) -> dict[str, object]:
            return await anext(messages)

        body = Body({"type": "http"}, receive, len(data))
        await receiver.complete(caller, scope, name, upload_id, parse_digest(digest), body, None)
    pools.close()


async def _messages(data: bytes) -> AsyncIterator[dict[str, object]]:
    yield {"type": "http.request", "body": data, "more_body": False}


if __name__ == "__main__":
    seed(sys.argv[1], int(sys.argv[2]))
