"""Previews of lifecycle policies, with the clock in hand: they are shown for a day, and their pages end with them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from moorage.keys.root_key import RootKey
from moorage.lifecycle.select import LifecycleImage
from moorage.metadata.opening import open_database
from moorage.model.errors import TokenInvalid
from moorage.model.names import parse_repository_name
from moorage.model.principal import Caller, root_arn
from moorage.model.scope import Scope
from moorage.operations.accounts import accounts
from moorage.operations.repository.lifecycle_preview import (
    PreviewPage,
    Snapshot,
    evaluated,
    get_preview_of,
    get_preview_page,
    keep,
)
from moorage.operations.wanted_images import WantedImage
from moorage.testing.sealed_pushes import SealedPushes

SCOPE, NAME, ROOT_KEY = Scope.of("us-east-1", "000000000000"), parse_repository_name("app"), RootKey(bytes(32), "test")
DAY = 24 * 3600
POLICY = {
    "rules": [
        {
            "rulePriority": 1,
            "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 1},
            "action": {"type": "expire"},
        }
    ]
}


def test_a_preview_lasts_a_day(tmp_path: Path) -> None:
    now = [1_700_000_000.0]
    db = open_database(f"sqlite:///{tmp_path / 'm.db'}", lambda: now[0])
    made = db.run_write(accounts.ensure_bootstrap, ROOT_KEY, SCOPE.registry_id, "default", None)
    assert made is not None
    caller = Caller(made.access_key_id, SCOPE.registry_id, SCOPE.registry_id, root_arn(SCOPE.registry_id))
    SealedPushes(ROOT_KEY).create(db, caller, SCOPE, NAME)

    def start() -> None:
        taken = Snapshot(json.dumps(POLICY), [LifecycleImage(f"d{age}", (), -age) for age in range(4)], int(now[0] * 1_000_000))
        db.run_write(keep, caller, SCOPE, NAME, *evaluated(taken))

    def page(after: tuple[str, int] | None = None) -> PreviewPage:
        return db.run_read(get_preview_page, caller, SCOPE, NAME, "ANY", after, 2)

    def named() -> PreviewPage:
        return db.run_read(get_preview_of, caller, SCOPE, NAME, [WantedImage("d3", None)])

    start()
    now[0] += DAY
    first = page()
    assert (first.status, [result.digest for result in first.results]) == ("COMPLETE", ["d3", "d2"])
    assert first.last is not None
    following = (first.preview.id, first.last)
    assert [result.digest for result in page(following).results] == ["d1"]
    assert [result.digest for result in named().results] == ["d3"]
    now[0] += 1
    for shown in (page(), page(following), named()):
        assert (shown.status, shown.results, shown.last, shown.preview.expiring) == ("EXPIRED", [], None, 3)
    start()
    assert page().status == "COMPLETE"
    with pytest.raises(TokenInvalid):
        page(following)
    db.close()
