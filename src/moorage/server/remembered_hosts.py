"""What Host headers have been found to mean: a bounded memory, since anybody may invent names."""

from __future__ import annotations

from moorage.model.scope import Scope

_GENERATION = 512
"""Names of one generation; there are two. Longer names than DNS has are not kept."""
_LONGEST = 255 + len(":65535")


class RememberedHosts:
    """Hosts with the registries that they reach; those that nobody asked for the longest go first.

    Names that were asked for since the present generation began are in it, so that the usual look-up is that of one dictionary.
    """

    def __init__(self) -> None:
        self._young: dict[str, Scope] = {}
        self._old: dict[str, Scope] = {}

    def __len__(self) -> int:
        return len(self._young.keys() | self._old.keys())

    def get(self, host: str) -> Scope | None:
        """The registry of a host that is remembered."""
        found = self._young.get(host)
        if found is None and (found := self._old.get(host)) is not None:
            self.put(host, found)
        return found

    def put(self, host: str, scope: Scope) -> None:
        """Remember a host."""
        if len(host) > _LONGEST:
            return
        if len(self._young) >= _GENERATION:
            self._old, self._young = self._young, {}
        self._young[host] = scope
