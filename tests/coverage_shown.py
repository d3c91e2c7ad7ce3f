"""Run the tests under coverage and name the modules of which they run less than nine tenths: ``make coverage``.

With arguments these tests alone, such as ``make coverage TESTS=tests/unit``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

LEAST_PERCENT = 90.0


def main() -> int:
    """Return the exit status of the tests."""
    root = Path(__file__).resolve().parent.parent
    with tempfile.TemporaryDirectory() as folder:
        # Servers work in folders of their own, and find the settings by this.
        environment = os.environ | {"COVERAGE_FILE": f"{folder}/data", "COVERAGE_RCFILE": str(root / "pyproject.toml")}

        def coverage(*arguments: str) -> int:
            command = [sys.executable, "-m", "coverage", *arguments]
            return subprocess.run(command, cwd=root, env=environment, check=False).returncode

        status = coverage("run", "-m", "pytest", "-q", "-n", "2", "--dist", "loadgroup", "--timeout", "1200", *sys.argv[1:])
        coverage("combine", "-q")
        coverage("json", "-q", "-o", f"{folder}/report.json")
        report = json.loads(Path(folder, "report.json").read_bytes())
    shown = {name: entry["summary"]["percent_covered"] for name, entry in report["files"].items()}
    below = sorted((percent, name) for name, percent in shown.items() if percent < LEAST_PERCENT)
    for percent, name in below:
        print(f"{percent:5.1f} %  {name}")
    whole = report["totals"]["percent_covered"]
    print(f"{whole:.1f} % in all; {len(below)} of {len(shown)} modules are below {LEAST_PERCENT:.0f} %")
    return status


if __name__ == "__main__":
    sys.exit(main())
