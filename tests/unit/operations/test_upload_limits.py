"""How much an upload may hold: public registries take less than private ones. Source: the quotas of both."""

from __future__ import annotations

import pytest

from moorage.metadata.records import Repository, Upload
from moorage.model.errors import LimitExceeded, RangeMismatch
from moorage.model.names import RepositoryName
from moorage.model.scope import Scope
from moorage.model.seal import Seal
from moorage.operations.images.uploads import check_position

MIB = 1024 * 1024
PRIVATE, PUBLIC = Scope.of("us-east-1", "111122223333"), Scope.public("111122223333")


def repository(scope: Scope) -> Repository:
    return Repository(1, 1, scope, RepositoryName("app"), 0, "MUTABLE", (), False, "AES256", None, Seal(1, "AES256", b""))


def upload(size: int, segments: int) -> Upload:
    return Upload("u", 1, "AIDA", "sha256", size, segments, None, None, None, 0, 0, 2**62)


@pytest.mark.parametrize(("scope", "most"), [(PRIVATE, 52_000 * MIB), (PUBLIC, 10_000 * MIB)], ids=["private", "public"])
def test_the_largest_layer(scope: Scope, most: int) -> None:
    check_position(repository(scope), upload(most - 5, 3), most - 5, 5)
    with pytest.raises(LimitExceeded, match=f"at most {most} bytes"):
        check_position(repository(scope), upload(most - 5, 3), most - 5, 6)


@pytest.mark.parametrize(("scope", "most"), [(PRIVATE, 4_200), (PUBLIC, 1_000)], ids=["private", "public"])
def test_the_most_parts(scope: Scope, most: int) -> None:
    check_position(repository(scope), upload(100, most - 1), 100, 1)
    with pytest.raises(LimitExceeded, match=f"at most {most} parts"):
        check_position(repository(scope), upload(100, most), 100, 1)


def test_a_wrong_place_is_said_first() -> None:
    with pytest.raises(RangeMismatch):
        check_position(repository(PUBLIC), upload(100, 1_000), 99, 1)
