"""Registries of accounts of their own: for settings of a registry, which tests of one account would share."""

from __future__ import annotations

from moorage.testing.registry_client import RegistryClient
from moorage.testing.server import KeyPair, MoorageServer


def registry_of(server: MoorageServer, owner: KeyPair, *, key: KeyPair | None = None) -> RegistryClient:
    """A client of an account's registry in the usual region, logged in with its root's key, or with another."""
    client = server.registry(key=key or owner)
    client.host = server.registry_host(owner.account_id)
    return client
