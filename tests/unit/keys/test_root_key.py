"""Where the root key comes from, and what is refused."""

from __future__ import annotations

import base64
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from moorage.keys.envelope import WrappingKey
from moorage.keys.root_key import RootKeyError, RootKeyOrigin, load_root_key

KEY = bytes(range(32))
ENCODED = base64.b64encode(KEY).decode()


def key_file(path: Path, content: bytes = ENCODED.encode() + b"\n", mode: int = 0o600) -> Path:
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_a_new_server_makes_a_key_that_only_it_can_read(tmp_path: Path) -> None:
    data = tmp_path / "data"
    made = load_root_key(data, {}, database_exists=False)
    assert made.origin is RootKeyOrigin.CREATED
    assert made.lies_beside_data
    assert stat.S_IMODE((data / "root.key").stat().st_mode) == 0o600
    assert [entry.name for entry in data.iterdir()] == ["root.key"]
    again = load_root_key(data, {}, database_exists=True)
    assert again.origin is RootKeyOrigin.DATA_FOLDER
    assert again.key.key_id == made.key.key_id


def test_servers_that_start_together_agree_on_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: load_root_key(tmp_path, {}, database_exists=False), range(8)))
    assert len({root.key.key_id for root in found}) == 1
    assert [root.origin for root in found].count(RootKeyOrigin.CREATED) == 1


def test_no_new_key_is_made_for_old_data(tmp_path: Path) -> None:
    with pytest.raises(RootKeyError, match=r"root\.key is missing.*from the backup"):
        load_root_key(tmp_path, {}, database_exists=True)
    assert list(tmp_path.iterdir()) == []


def test_the_order_of_the_sources(tmp_path: Path) -> None:
    keys = {name: os.urandom(32) for name in ("variable", "file", "credential", "data")}
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    key_file(credentials / "moorage-root-key", keys["credential"], 0o400)
    key_file(tmp_path / "root.key", base64.b64encode(keys["data"]))
    environment = {
        "MOORAGE_ROOT_KEY": base64.b64encode(keys["variable"]).decode(),
        "MOORAGE_ROOT_KEY_FILE": str(key_file(tmp_path / "elsewhere", base64.b64encode(keys["file"]), 0o640)),
        "CREDENTIALS_DIRECTORY": str(credentials),
    }
    expected = [
        ("variable", RootKeyOrigin.ENVIRONMENT),
        ("file", RootKeyOrigin.FILE),
        ("credential", RootKeyOrigin.CREDENTIAL),
        ("data", RootKeyOrigin.DATA_FOLDER),
    ]
    for (name, origin), variable in zip(expected, [*environment, None], strict=True):
        root = load_root_key(tmp_path, environment, database_exists=True)
        assert root.origin is origin
        assert root.key.key_id == WrappingKey(keys[name]).key_id
        assert root.lies_beside_data == (name == "data")
        if variable is not None:
            del environment[variable]


@pytest.mark.parametrize("mode", [0o604, 0o620, 0o666, 0o602])
def test_a_key_file_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    path = key_file(tmp_path / "key", mode=mode)
    with pytest.raises(RootKeyError, match="chmod"):
        load_root_key(tmp_path, {"MOORAGE_ROOT_KEY_FILE": str(path)}, database_exists=False)


def test_the_key_in_the_data_folder_is_refused_to_the_group_too(tmp_path: Path) -> None:
    key_file(tmp_path / "root.key", mode=0o640)
    with pytest.raises(RootKeyError, match="0640"):
        load_root_key(tmp_path, {}, database_exists=False)


@pytest.mark.parametrize(
    "content", [b"", b"short", b"x" * 45, base64.b64encode(bytes(16)), base64.b64encode(bytes(33)), b"\xff" * 44]
)
def test_what_is_no_key_is_refused_without_showing_it(tmp_path: Path, content: bytes) -> None:
    path = key_file(tmp_path / "key", content)
    with pytest.raises(RootKeyError, match="does not hold a root key") as caught:
        load_root_key(tmp_path, {"MOORAGE_ROOT_KEY_FILE": str(path)}, database_exists=False)
    assert not content or content.decode("latin-1") not in str(caught.value)


def test_a_named_file_that_is_missing_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(RootKeyError, match="cannot be read"):
        load_root_key(tmp_path, {"MOORAGE_ROOT_KEY_FILE": str(tmp_path / "missing")}, database_exists=False)
