"""Host names to registries, and back: the one place that knows what a plain host means.

Looked up in this order: names of the settings, ECR's grammars under the operator's domain (and under ``localhost``), the
loopback address that a registry was given, and last the default registry for any other host, so that ``localhost:5050`` works.

Without a domain, every registry but the default one is given an address of 127.0.0.0/8 (a column of its row): a stock docker
reaches it without DNS and takes plain HTTP from it. Such an address only means something while this server listens on it.

The public registries have one name together, ``public.<domain>``, and without a domain ``public.localhost`` and one address of
loopback. On a plain host they are reached by a path that begins with that name, which no private registry has: a private
repository of that name is reached by its registry's own host name.
"""

from __future__ import annotations

import ipaddress
import re
import sys
from collections.abc import Awaitable, Callable, Mapping

from moorage.metadata.database import Database
from moorage.model.scope import Scope, is_account_id, is_region
from moorage.operations import registry

# 111122223333.dkr.ecr.eu-west-1.<domain>, also dkr-ecr and -fips.
_GRAMMAR = re.compile(r"([0-9]{12})\.(?:dkr\.ecr(?:-fips)?|dkr-ecr(?:-fips)?)\.([a-z0-9-]{5,32})\.(.+)")
_GIVEN = ipaddress.ip_network("127.64.0.0/10")
PUBLIC_ADDRESS = "127.63.0.1"
"""Of the public registries where there is no domain; outside of what private ones are given."""
_PUBLIC_LOCAL = "public.localhost"
_REMEMBERED = 4096

Listen = Callable[[str], Awaitable[bool]]
"""Listen on a further address of loopback; False if the system does not let us."""


class Addressing:
    """Maps hosts to registries.

    Args:
        default: the registry that a plain host reaches.
        domain: below which ECR's host grammars hold; None where the operator has none.
        hosts: further names, each with its registry.
        public_host: the name of the public registries, where it is not ``public.<domain>``.
    """

    def __init__(
        self, db: Database, default: Scope, domain: str | None, hosts: Mapping[str, Scope], public_host: str | None = None
    ) -> None:
        self.default = default
        self._db = db
        self._domain = domain.lower().strip(".") if domain else None
        self._hosts = {name.lower(): scope for name, scope in hosts.items()}
        self._names = {scope: name for name, scope in self._hosts.items()}
        self._seen: dict[str, Scope | None] = {}
        self._given: dict[Scope, str] = {}
        self._listen: Listen | None = None
        own = f"public.{self._domain}" if self._domain else _PUBLIC_LOCAL
        self.public_name = public_host.lower() if public_host else own
        self._public_names = {self.public_name, own, _PUBLIC_LOCAL, PUBLIC_ADDRESS} - set(self._hosts)
        self._below = f"/v2/{self.public_name}/".encode()
        self._listens_publicly = False

    async def start(self, listen: Listen) -> None:
        """Listen on the addresses that registries were given, and from now on on those that are given to others."""
        if self._domain is None and sys.platform == "linux":
            self._listen = listen
            self._listens_publicly = self.public_name == _PUBLIC_LOCAL and await listen(PUBLIC_ADDRESS)
            for scope, address in await self._db.read(registry.all_addresses):
                if scope != self.default and await listen(address):
                    self._given[scope] = address

    def is_public(self, host: str) -> bool:
        """Tell whether a Host header is that of the public registries."""
        return host not in self._seen and _without_port(host).lower() in self._public_names

    def is_public_path(self, host: str, raw_path: bytes) -> bool:
        """Tell whether a path leads from a plain host to the public registries: from one that is nobody's own."""
        if not raw_path.startswith(self._below):
            return False
        name = _without_port(host).lower()
        return name not in self._hosts and not _is_given(name) and _GRAMMAR.fullmatch(name) is None

    async def public_host(self, host: str) -> str:
        """Host, and path if there has to be one, under which docker reaches the public registries.

        Args:
            host: the Host header of the call that asks.
        """
        if self.public_name != _PUBLIC_LOCAL:
            return self.public_name + _port(host)
        name = _without_port(host).lower()
        if name in self._public_names and name != PUBLIC_ADDRESS:
            return host
        if not _is_loopback(name) and await self.resolve(host) == self.default:
            return f"{host}/{self.public_name}"  # an address of loopback would be another machine there
        return (PUBLIC_ADDRESS if self._listens_publicly else _PUBLIC_LOCAL) + _port(host)

    def remembered(self, host: str) -> Scope | None:
        """What `resolve` has found for this host before; None: ask it."""
        return self._seen.get(host)

    async def resolve(self, host: str) -> Scope | None:
        """The registry that a Host header addresses; None for a name that looks like a registry's and is none's."""
        if host in self._seen:
            return self._seen[host]
        name = _without_port(host).lower()
        if _is_given(name):
            found = await self._db.lookup(registry.scope_at, name)
            if found is None:
                return None  # not remembered: it may be given to a registry any time
        else:
            found = self._resolve(name)
        if len(self._seen) < _REMEMBERED:
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

    async def registry_host(self, scope: Scope, host: str) -> str:
        """The name under which docker reaches a registry, with the port that the client used.

        Args:
            host: the Host header of the call that asks.
        """
        if scope in self._names:
            return self._names[scope] + _port(host)
        if self._domain is not None:
            return f"{scope.registry_id}.dkr.ecr.{scope.region}.{self._domain}{_port(host)}"
        if scope == self.default:
            name = _without_port(host).lower()
            is_ours = bool(name) and not _is_given(name) and self._resolve(name) == scope
            return host if is_ours else "127.0.0.1" + _port(host)
        address = self._given.get(scope) or await self._give(scope)
        if address is not None:
            return address + _port(host)
        return f"{scope.registry_id}.dkr.ecr.{scope.region}.localhost{_port(host)}"

    async def _give(self, scope: Scope) -> str | None:
        if self._listen is None:
            return None
        address = await self._db.lookup(registry.find_address, scope) or await self._db.write(registry.ensure_address, scope)
        if address is None or not await self._listen(address):
            return None
        self._given[scope] = address
        return address


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


def _is_given(name: str) -> bool:
    try:
        return ipaddress.ip_address(name) in _GIVEN
    except ValueError:
        return False


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]


def _port(host: str) -> str:
    rest = host.partition("]")[2] if host.startswith("[") else host
    _, colon, port = rest.partition(":")
    return f":{port}" if colon and port.isdigit() else ""
