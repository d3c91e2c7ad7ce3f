"""Install the clients that the acceptance tests run: packages as root or in CI, Go programs wherever there is Go.

It says which are still missing, and whose tests will therefore be left out. A client that is named (`install_clients.py crane`)
and cannot be had is an error; in CI any is.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests import clients

_PACKAGES = {
    "docker": "docker.io",
    "dockerd": "docker.io",
    "containerd": "containerd",
    "ctr": "containerd",
    "podman": "podman",
    "buildah": "buildah",
    "skopeo": "skopeo",
    "aws-v2": "awscli",
    "pgbouncer": "pgbouncer",
    "nginx": "nginx",
    "haproxy": "haproxy",
    "faketime": "faketime",
    "wrk": "wrk",
}
"""Debian's names."""
_MODULES = {
    "oras": "oras.land/oras/cmd/oras@v1.3.6",
    "helm": "helm.sh/helm/v3/cmd/helm@v3.22.0",
    "crane": "github.com/google/go-containerregistry/cmd/crane@v0.22.1",
    "conformance": "github.com/opencontainers/distribution-spec/conformance@v0.0.0-20260831232431-97274622c111",
}
"""Go programs, pinned."""
_MADE_BY_MAKE = {"aws-v1": "make .venv/awscli/stamp"}
_OPTIONAL = {"wrk"}
"""Not for the tests: the benchmark measures with it."""


def main() -> int:
    """Install what is missing; return the exit status."""
    is_ci = bool(os.environ.get("CI"))
    named = sys.argv[1:]
    wanted = named or [*_PACKAGES, *_MODULES, *_MADE_BY_MAKE]
    if absent := _absent(wanted):
        if os.geteuid() == 0 or is_ci:
            _install_packages(sorted({_PACKAGES[name] for name in absent if name in _PACKAGES}))
        _install_modules([name for name in absent if name in _MODULES])
        clients.find.cache_clear()
        absent = _absent(wanted)
    for name in absent:
        print(f"{name} is not installed ({_source(name)}): what needs it is left out", file=sys.stderr)
    return 1 if (is_ci or named) and set(absent) - _OPTIONAL else 0


def _source(name: str) -> str:
    if name in _MODULES:
        return f"with a current Go: go install {_MODULES[name]}"
    return f"Debian's package {_PACKAGES[name]}" if name in _PACKAGES else _MADE_BY_MAKE[name]


def _absent(wanted: list[str]) -> list[str]:
    return [name for name in wanted if clients.find(name) is None]


def _install_packages(packages: list[str]) -> None:
    if not packages or shutil.which("apt-get") is None:
        return
    sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
    apt = [*sudo, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300"]
    _run([*apt, "update"])
    _run([*apt, "install", "--yes", "--no-install-recommends", *packages])


def _install_modules(names: list[str]) -> None:
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if go is None:
        return
    clients.TOOLS.mkdir(exist_ok=True)
    for name in names:
        _run([go, "install", _MODULES[name]], GOBIN=str(clients.TOOLS), CGO_ENABLED="0")


def _run(command: list[str], **environment: str) -> None:
    """Run a command, quietly unless it fails; whether it helped is looked at afterwards."""
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(f"{' '.join(command)}: {done.stderr.strip()[-1000:]}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
