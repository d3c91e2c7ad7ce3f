"""``MOORAGE_*`` variables: which are settings, which belong to others, which are mistakes.

Kubernetes sets variables for every Service of a namespace, named after it. One that is called ``moorage``, or ``moorage-`` and
anything, makes such as begin with ours: they are nobody's mistake. Source: Kubernetes documentation, "Service", "Environment
variables"; the forms are those of Docker's links.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping

PREFIX = "MOORAGE_"
OTHERS = frozenset({"ROOT_KEY", "ROOT_KEY_FILE", "CONFIG"})
"""Read elsewhere, before or beside the settings."""

_SERVICE = re.compile(r"(.+_)?SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)")
_PORT = re.compile(r"(.+_)?PORT")
_LINK = re.compile(r"(.+_)?PORT_[0-9]{1,5}_(TCP|UDP|SCTP)(_(ADDR|PORT|PROTO))?")
_LINK_VALUE = re.compile(r"(tcp|udp|sctp)://", re.IGNORECASE)


def settings_of(environment: Mapping[str, str], known: Collection[str]) -> tuple[dict[str, str], list[str]]:
    """The settings that variables name, and a warning for each variable that is none."""
    found: dict[str, str] = {}
    warnings = []
    for variable, value in environment.items():
        name = variable.removeprefix(PREFIX)
        if name == variable or name in OTHERS or _is_service_link(name, value):
            continue
        if name.lower() in known:
            found[name.lower()] = value
        else:
            warnings.append(f"{variable} is ignored, for it is no setting{nearest(name.lower(), known, PREFIX)}")
    return found, warnings


def _is_service_link(name: str, value: str) -> bool:
    if _SERVICE.fullmatch(name) or _LINK.fullmatch(name):
        return True
    return _PORT.fullmatch(name) is not None and _LINK_VALUE.match(value) is not None


def nearest(name: str, known: Collection[str], prefix: str = "") -> str:
    """The setting that was probably meant, as the end of a sentence; empty where none is near."""
    close = difflib.get_close_matches(name, known, 1)
    if not close:
        return ""
    return f": did you mean {prefix + close[0].upper() if prefix else repr(close[0])}?"
