"""The grammar of host names: ports, addresses of loopback, and the names that ECR gives to private registries."""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

# 111122223333.dkr.ecr.eu-west-1.<suffix>, also dkr-ecr and -fips: whatever has ECR's word in it is meant as a registry's name.
_ECR = re.compile(r"(?:(.*)\.)?(?:dkr\.ecr|dkr-ecr)(?:-fips)?(?:\.([^.]*))?(?:\.(.*))?")


class Spelled(NamedTuple):
    """A name in ECR's form, taken apart. None of it is checked."""

    account: str
    region: str
    suffix: str


def spelled(name: str) -> Spelled | None:
    """A name in ECR's form, in small letters and without its port; None for all others."""
    match = _ECR.fullmatch(name)
    return None if match is None else Spelled(match[1] or "", match[2] or "", match[3] or "")


def name_of(host: str) -> str:
    """The name of a Host header: without port and last dot, in small letters."""
    bare = host.partition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0]
    return bare.lower().removesuffix(".")


def port_of(host: str) -> str:
    """The port of a Host header with its colon; empty if it has none."""
    rest = host.partition("]")[2] if host.startswith("[") else host
    _, colon, port = rest.partition(":")
    return f":{port}" if colon and port.isdigit() else ""


def is_loopback(name: str) -> bool:
    """Tell whether a name or an address means the machine that it is used on."""
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")
