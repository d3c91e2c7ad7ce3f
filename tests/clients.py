"""The clients that real users have, and where they are on this machine."""

from __future__ import annotations

import functools
import os
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".tools"


@functools.cache
def find(name: str) -> str | None:
    """The program of a client: our own tools first, then the system's."""
    places = {"aws-v1": ROOT / ".venv" / "awscli" / "bin" / "aws", "aws-v2": Path("/usr/bin/aws")}
    if name in places:
        return str(places[name]) if places[name].exists() else None
    # The daemons stand in sbin, which is not on every user's path.
    path = os.pathsep.join([str(TOOLS), os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    return shutil.which(name, path=path)


def program(name: str) -> str:
    """The program of a client that is there: its tests are left out elsewhere."""
    found = find(name)
    if found is None:
        raise FileNotFoundError(f"{name} is not installed: python tests/install_clients.py")
    return found


NEEDED = {
    "docker": ("docker", "dockerd", "containerd"),
    "podman": ("podman",),
    "buildah": ("buildah",),
    "skopeo": ("skopeo",),
    "crane": ("crane",),
    "oras": ("oras",),
    "helm": ("helm",),
    "containerd": ("containerd", "ctr"),
    "awscli": ("aws-v1", "aws-v2"),
    "pgbouncer": ("pgbouncer",),
    "balancer": ("nginx", "haproxy", "skopeo", "aws-v1"),
    "faketime": ("faketime",),
    "root": ("mount",),
}
"""By marker: the programs that its tests run."""

_NEEDS_ROOT = {"docker", "podman", "buildah", "containerd", "root"}


@functools.cache
def missing() -> frozenset[str]:
    """The markers whose tests cannot run here: a program is absent, or is a daemon that only root can start."""
    is_root = sys.platform == "linux" and os.geteuid() == 0
    return frozenset(
        marker
        for marker, programs in NEEDED.items()
        if any(find(name) is None for name in programs) or (marker in _NEEDS_ROOT and not is_root)
    )
