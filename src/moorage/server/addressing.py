"""Host names to registries, and back: the one place that knows what a plain host means.

Looked up in this order: names of the settings, names in ECR's grammar, the loopback address that a registry was given, and last
the default registry for any other host, so that ``localhost:5050`` works.

A name in ECR's grammar reaches the registry that it spells, or nothing: never the default one. It is spelled below the operator's
domain, below ``localhost`` and LocalStack's name for that, and below Amazon's own suffixes, for clients that are led here by DNS
or by a mirror's configuration; its region has to be one.

Without a domain, a registry other than the default one is given an address of 127.0.0.0/8 (a column of its row) once it has
repositories: a stock docker reaches it without DNS and takes plain HTTP from it. Such an address only means something while this
server listens on it; where it cannot, the name below ``localhost`` stands in.

The public registries have one name together, ``public.<domain>``, and without a domain ``public.localhost`` and one address of
loopback. On a plain host they are reached by a path that begins with that name, which no private registry has: a private
repository of that name is reached by its registry's own host name.
"""

from __future__ import annotations

import ipaddress
import logging
import sys
import time
from collections.abc import Awaitable, Callable, Mapping

from moorage.metadata.database import Database
from moorage.model.scope import Scope, is_account_id, is_region
from moorage.operations.registry import registries
from moorage.server.host_names import Spelled, is_loopback, name_of, port_of, spelled
from moorage.server.regions import Regions, amazon_suffixes
from moorage.server.remembered_hosts import RememberedHosts

logger = logging.getLogger("moorage.server")

_GIVEN = ipaddress.ip_network("127.64.0.0/10")
PUBLIC_ADDRESS = "127.63.0.1"
"""Of the public registries where there is no domain; outside of what private ones are given."""
_PUBLIC_LOCAL = "public.localhost"
LOCAL_SUFFIXES = frozenset(("localhost", "localhost.localstack.cloud"))
"""Below these, names mean the machine that they are used on; the second is LocalStack's, and stands in public DNS."""
_TRY_AGAIN_SECONDS = 60.0

Listen = Callable[[str], Awaitable[bool]]
"""Listen on a further address of loopback; False if the system does not let us."""


class Addressing:
    """Maps hosts to registries.

    Args:
        default: the registry that a plain host reaches.
        domain: below which ECR's host grammars hold; None where the operator has none.
        hosts: further names, each with its registry.
        public_host: the name of the public registries, where it is not ``public.<domain>``.
        regions: the regions that a name may spell; None: those that botocore knows, and those of `default` and `hosts`.
    """

    def __init__(
        self,
        db: Database,
        default: Scope,
        domain: str | None,
        hosts: Mapping[str, Scope],
        public_host: str | None = None,
        regions: Regions | None = None,
    ) -> None:
        self.default = default
        self._db = db
        self._domain = domain.lower().strip(".") if domain else None
        self._hosts = {name.lower(): scope for name, scope in hosts.items()}
        # Of several names the first: the order is the operator's.
        self._names = {scope: name for name, scope in reversed(self._hosts.items())}
        self.regions = regions or Regions("", [scope.region for scope in (default, *hosts.values())])
        self._suffixes = LOCAL_SUFFIXES | amazon_suffixes() | ({self._domain} if self._domain else set())
        self._seen = RememberedHosts()
        self._given: dict[Scope, str] = {}
        self._not_before: dict[Scope, float] = {}
        self._listen: Listen | None = None
        own = f"public.{self._domain}" if self._domain else _PUBLIC_LOCAL
        self.public_name = public_host.lower() if public_host else own
        self._public_names = {self.public_name, own, _PUBLIC_LOCAL, PUBLIC_ADDRESS} - set(self._hosts)
        self._below = f"/v2/{self.public_name}/".encode()
        self._listens_publicly = False

    async def start(self, listen: Listen) -> None:
        """Listen on the addresses that registries were given, and from now on on those that are given to others."""
        if kept := self.regions.keep(await self._db.read(registries.used_regions)):
            logger.warning("regions that are not on the list stay, because there are repositories: %s", ", ".join(kept))
        if self._domain is None and sys.platform == "linux":
            self._listen = listen
            self._listens_publicly = self.public_name == _PUBLIC_LOCAL and await listen(PUBLIC_ADDRESS)
            for scope, address in await self._db.read(registries.all_addresses):
                if scope != self.default:
                    await self._listen_for(scope, address)

    def is_public(self, host: str) -> bool:
        """Tell whether a Host header is that of the public registries."""
        return self._seen.get(host) is None and name_of(host) in self._public_names

    def is_public_path(self, host: str, raw_path: bytes) -> bool:
        """Tell whether a path leads from a plain host to the public registries: from one that is nobody's own."""
        if not raw_path.startswith(self._below):
            return False
        name = name_of(host)
        return name not in self._hosts and not _is_given(name) and spelled(name) is None

    async def public_host(self, host: str) -> str:
        """Host, and path if there has to be one, under which docker reaches the public registries.

        Args:
            host: the Host header of the call that asks.
        """
        if self.public_name != _PUBLIC_LOCAL:
            return self.public_name + port_of(host)
        name = name_of(host)
        if name in self._public_names and name != PUBLIC_ADDRESS:
            return host
        if not is_loopback(name) and await self.resolve(host) == self.default:
            return f"{host}/{self.public_name}"  # an address of loopback would be another machine there
        return (PUBLIC_ADDRESS if self._listens_publicly else _PUBLIC_LOCAL) + port_of(host)

    def remembered(self, host: str) -> Scope | None:
        """What `resolve` has found for this host before; None: ask it."""
        return self._seen.get(host)

    async def resolve(self, host: str) -> Scope | None:
        """The registry that a Host header addresses; None for a name that looks like a registry's and is none's."""
        found = self._seen.get(host)
        if found is not None:
            return found
        name = name_of(host)
        found = await self._db.lookup(registries.scope_at, name) if _is_given(name) else self._resolve(name)
        if found is not None:  # else it may become one's any time
            self._seen.put(host, found)
        return found

    def _resolve(self, name: str) -> Scope | None:
        if name in self._hosts:
            return self._hosts[name]
        parts = spelled(name)
        if parts is not None:
            return self._spelled(parts)
        if self._domain and name.endswith("." + self._domain):
            return None
        return self.default

    def _spelled(self, parts: Spelled) -> Scope | None:
        is_ours = parts.suffix in self._suffixes and is_account_id(parts.account) and is_region(parts.region)
        return Scope.of(parts.region, parts.account) if is_ours and parts.region in self.regions else None

    def why_nowhere(self, host: str) -> str:
        """For the operator: why a host that `resolve` did not find reaches nothing, and what to do about it."""
        name = name_of(host)
        parts = spelled(name)
        told = f"no registry answers to the host {host[:100]!r}: "
        if parts is None:
            return told + "use <account>.dkr.ecr.<region>.<domain>, or add it to the setting `hosts`"
        if not is_account_id(parts.account):
            return told + "an account has 12 digits"
        if parts.region not in self.regions:
            return told + f"there is no region {parts.region[:40]!r}; the setting `regions` may add it: `+{parts.region[:40]}`"
        return told + f"set `domain` to {parts.suffix[:100]!r}, or add the name to the setting `hosts`"

    async def registry_host(self, scope: Scope, host: str) -> str:
        """The name under which docker reaches a registry, with the port that the client used.

        The first name of `hosts` that it has, else its name below the domain. Where there is neither, the default registry is
        at the host of the call, and any other at the address that it is given with its first repository; before that, and
        where this server cannot listen on it, at its name below ``localhost``.

        Args:
            host: the Host header of the call that asks.
        """
        if scope in self._names:
            return self._names[scope] + port_of(host)
        if self._domain is not None:
            return f"{scope.registry_id}.dkr.ecr.{scope.region}.{self._domain}{port_of(host)}"
        if scope == self.default:
            name = name_of(host)
            is_ours = bool(name) and not _is_given(name) and self._resolve(name) == scope
            return host if is_ours else "127.0.0.1" + port_of(host)
        address = self._given.get(scope) or await self._give(scope)
        if address is not None:
            return address + port_of(host)
        return f"{scope.registry_id}.dkr.ecr.{scope.region}.localhost{port_of(host)}"

    async def _give(self, scope: Scope) -> str | None:
        """The address of a registry that has repositories: who may only ask for tokens costs neither a row nor a socket."""
        if self._listen is None or time.monotonic() < self._not_before.get(scope, 0.0):
            return None
        address = await self._db.lookup(registries.find_address, scope)
        if address is None or not await self._listen_for(scope, address):
            return None
        return address

    async def _listen_for(self, scope: Scope, address: str) -> bool:
        assert self._listen is not None
        if not await self._listen(address):
            self._not_before[scope] = time.monotonic() + _TRY_AGAIN_SECONDS
            return False
        self._not_before.pop(scope, None)
        self._given[scope] = address
        return True


def _is_given(name: str) -> bool:
    try:
        return ipaddress.ip_address(name) in _GIVEN
    except ValueError:
        return False
