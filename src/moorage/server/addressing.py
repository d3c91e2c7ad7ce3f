"""Host names to registries, and back: the one place that knows what a plain host means.

Looked up in this order: names of the settings, ECR's grammars under the operator's domain (and under ``localhost``), addresses
that this server has given to registries, and last the default registry for any other host, so that ``localhost:5050`` works.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from moorage.model.scope import Scope, is_account_id, is_region

_GRAMMAR = re.compile(
    r"([0-9]{12})\.(?:dkr\.ecr(?:-fips)?|dkr-ecr(?:-fips)?)\.([a-z0-9-]{5,32})\.(.+)"  # 111122223333.dkr.ecr.eu-west-1.<domain>
)


class Addressing:
    """Maps hosts to registries.

    Args:
        default: the registry that a plain host reaches.
        domain: below which ECR's host grammars hold; None where the operator has none.
        hosts: further names, each with its registry.
    """

    def __init__(self, default: Scope, domain: str | None, hosts: Mapping[str, Scope]) -> None:
        self.default = default
        self._domain = domain.lower().strip(".") if domain else None
        self._hosts = {name.lower(): scope for name, scope in hosts.items()}
        self._names = {scope: name for name, scope in self._hosts.items()}
        self._seen: dict[str, Scope | None] = {}

    def resolve(self, host: str) -> Scope | None:
        """The registry that a Host header addresses; None for a name below the domain that fits no grammar."""
        if host in self._seen:
            return self._seen[host]
        found = self._resolve(_without_port(host).lower())
        if len(self._seen) < 4096:
            self._seen[host] = found
        return found

    def _resolve(self, name: str) -> Scope | None:
        if name in self._hosts:
            return self._hosts[name]
        match = _GRAMMAR.fullmatch(name)
        if match and match[3] in {self._domain, "localhost"} and is_account_id(match[1]) and is_region(match[2]):
            return Scope.of(match[2], match[1])
        if self._domain and name.endswith("." + self._domain):
            return None
        return self.default

    def registry_host(self, scope: Scope, host: str) -> str:
        """The name under which docker reaches a registry, with the port that the client used.

        Args:
            host: the Host header of the call that asks.
        """
        if scope in self._names:
            return self._names[scope] + _port(host)
        if self._domain is not None:
            return f"{scope.registry_id}.dkr.ecr.{scope.region}.{self._domain}{_port(host)}"
        if scope == self.default:
            name = _without_port(host)
            return host if name and self._resolve(name.lower()) == scope else "127.0.0.1" + _port(host)
        return f"{scope.registry_id}.dkr.ecr.{scope.region}.localhost{_port(host)}"


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]


def _port(host: str) -> str:
    rest = host.partition("]")[2] if host.startswith("[") else host
    _, colon, port = rest.partition(":")
    return f":{port}" if colon and port.isdigit() else ""
