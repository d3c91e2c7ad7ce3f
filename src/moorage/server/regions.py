"""Which regions there are: those that botocore knows, unless the operator says otherwise.

What is kept by region, in memory or in a table, is bounded by this list: whoever may ask for a token must not be able to invent
one. Regions in which a registry already has repositories stay, whatever the list says.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import msgspec

from moorage.model.scope import is_region


class _Outputs(msgspec.Struct, rename="camel"):
    dns_suffix: str
    dual_stack_dns_suffix: str


class _Partition(msgspec.Struct):
    regions: dict[str, msgspec.Raw]
    outputs: _Outputs


class _Partitions(msgspec.Struct):
    partitions: list[_Partition]


@cache
def _partitions() -> list[_Partition]:
    """botocore's own list, read as data: importing botocore would cost a server that never sends a request."""
    spec = find_spec("botocore")
    if spec is None or not spec.submodule_search_locations:
        return []
    file = Path(spec.submodule_search_locations[0]) / "data" / "partitions.json"
    return msgspec.json.decode(file.read_bytes(), type=_Partitions).partitions


@cache
def known_regions() -> frozenset[str]:
    """The regions of all partitions, without the pseudo-regions of global services."""
    return frozenset(region for partition in _partitions() for region in partition.regions if is_region(region))


@cache
def amazon_suffixes() -> frozenset[str]:
    """What the host names of Amazon's registries end in, in all partitions: IPv4 alone and, below ``on.``, both."""
    suffixes = {"amazonaws.com", "on.aws"}
    for partition in _partitions():
        both = partition.outputs.dual_stack_dns_suffix
        suffixes |= {partition.outputs.dns_suffix, both, both.replace("api.", "on.", 1)}
    return frozenset(suffixes)


def regions_of(setting: str) -> frozenset[str]:
    """The regions of the setting `regions`: names in the place of the known ones, or beside them where they begin with ``+``."""
    names = [name.strip() for name in setting.split(",") if name.strip()]
    alone = frozenset(name for name in names if not name.startswith("+"))
    more = frozenset(name[1:].strip() for name in names if name.startswith("+"))
    return (alone or known_regions()) | more


class Regions:
    """The regions that may be named: in a signature, in a host, in a registry's URI.

    Args:
        setting: the setting `regions`.
        named: regions that other settings name.
    """

    def __init__(self, setting: str, named: Iterable[str] = ()) -> None:
        self._names = set(regions_of(setting)) | set(named)

    def __contains__(self, region: object) -> bool:
        return region in self._names

    def keep(self, used: Iterable[str]) -> list[str]:
        """Let regions stay in which there are repositories; those that were not on the list, in order."""
        added = sorted(set(used) - self._names)
        self._names.update(added)
        return added
