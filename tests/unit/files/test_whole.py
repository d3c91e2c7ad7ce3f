"""Files that are whole or not there, whatever fails while they are written."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

import pytest

from moorage.files import whole


def test_content_and_rights(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    whole.create(path, b"one")
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"one", 0o600)
    with pytest.raises(FileExistsError):
        whole.create(path, b"two")
    whole.replace(path, b"three", 0o644)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"three", 0o644)
    assert [found.name for found in tmp_path.iterdir()] == ["secret"]


@pytest.mark.parametrize("failing", ["fsync", "link", "replace"])
def test_what_fails_leaves_the_old_content_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    path, fresh = tmp_path / "kept", tmp_path / "fresh"
    whole.create(path, b"old")
    if failing == "replace":
        monkeypatch.setattr(Path, "replace", fail)
    else:
        monkeypatch.setattr(os, failing, fail)
    if failing != "link":
        with pytest.raises(OSError, match="Input/output"):
            whole.replace(path, b"new")
    if failing != "replace":
        with pytest.raises(OSError, match="Input/output"):
            whole.create(fresh, b"new")
    assert path.read_bytes() == b"old"
    assert [found.name for found in tmp_path.iterdir()] == ["kept"]


def test_a_file_system_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)
    whole.create(tmp_path / "a", b"one")
    with pytest.raises(FileExistsError):
        whole.create(tmp_path / "a", b"two")
    assert (tmp_path / "a").read_bytes() == b"one"
    assert [found.name for found in tmp_path.iterdir()] == ["a"]


def test_no_file_is_written_in_place() -> None:
    """Whoever writes a file that must be whole does it here; what else is opened for writing is not read after a crash."""
    source = Path(whole.__file__).parents[1]
    allowed = {"files/whole.py", "storage/local.py", "server/installation.py", "metadata/sqlite.py", "metadata/migrate.py"}
    allowed |= {"metadata/sqlite_file.py", "cli/program.py"}
    for path in source.rglob("*.py"):
        name = str(path.relative_to(source))
        if name in allowed or name.startswith("testing/"):
            continue
        text = path.read_text("utf-8")
        found = re.search(r"write_text\(|write_bytes\(|os\.O_CREAT|os\.O_WRONLY|open\([^()]*\"[wax]b?\"", text)
        assert found is None, f"{name} has {found and found[0]}: use moorage.files.whole"
