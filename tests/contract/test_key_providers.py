"""Every provider of keys against the contract: the local one, and one that is far away."""

from __future__ import annotations

import os
from functools import partial

import pytest

from moorage.keys.local_keyring import LocalKeyring
from moorage.keys.provider import KeyProvider
from moorage.keys.root_key import RootKey
from moorage.testing.contracts.key_provider import CONTEXT, MakeProvider, OwnKeysContract, new_seal, run
from moorage.testing.remote_keyring import RemoteKeyring


def remote(root: RootKey) -> KeyProvider:
    return RemoteKeyring(LocalKeyring(root), delay_seconds=0.001)


class TestLocal(OwnKeysContract):
    @pytest.fixture
    def make_provider(self) -> MakeProvider:
        return partial(LocalKeyring, RootKey(os.urandom(32), "test"))

    def test_another_root_key_opens_nothing(self, make_provider: MakeProvider) -> None:
        async def work() -> None:
            seal = await new_seal(make_provider())
            key = await make_provider().new_data_key(seal, CONTEXT)
            with pytest.raises(Exception, match="wrapped under key"):
                await LocalKeyring(RootKey(os.urandom(32), "other")).open_data_key(seal, key.wrapped, CONTEXT)

        run(work())


class TestRemote(OwnKeysContract):
    @pytest.fixture
    def make_provider(self) -> MakeProvider:
        return partial(remote, RootKey(os.urandom(32), "test"))
