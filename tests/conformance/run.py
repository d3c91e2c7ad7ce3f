"""The conformance program of the distribution specification against each stack; all of it has to pass.

Every feature is on, those of the coming version of the specification too; only sparse manifests are off: an image whose parts
are missing is refused, as Amazon ECR does. The last line is ``N passed, N failed, N skipped``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import yaml

from moorage.testing.server import MoorageServer

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from tests import clients
from tests.conftest import STACKS, Pool

FEATURES = (
    "API_PULL", "API_PUSH", "API_BLOBS_ATOMIC", "API_BLOBS_DELETE", "API_BLOBS_DIGEST_HEADER", "API_BLOBS_MOUNT_ANONYMOUS",
    "API_BLOBS_UPLOAD_CANCEL", "API_MANIFESTS_ATOMIC", "API_MANIFESTS_DELETE", "API_MANIFESTS_DIGEST_HEADER",
    "API_MANIFESTS_TAG_PARAM", "API_TAGS_ATOMIC", "API_TAGS_DELETE", "API_TAGS_LIST", "API_REFERRER", "DATA_IMAGE", "DATA_INDEX",
    "DATA_INDEX_LIST", "DATA_ARTIFACT", "DATA_SUBJECT", "DATA_SUBJECT_MISSING", "DATA_ARTIFACT_LIST", "DATA_SUBJECT_LIST",
    "DATA_DATA_FIELD", "DATA_NONDISTRIBUTABLE", "DATA_CUSTOM_FIELDS", "DATA_NO_LAYERS", "DATA_EMPTY_BLOB", "DATA_SHA512",
)  # fmt: skip
_SECONDS = 600


def main() -> int:
    """Run the program against every stack; return the exit status."""
    program = clients.find("conformance")
    if program is None:
        print("the conformance program is not installed: python tests/install_clients.py", file=sys.stderr)
        return 1
    total: Counter[str] = Counter()
    bad: list[str] = []
    with tempfile.TemporaryDirectory(prefix="moorage-conformance-") as folder:
        pool = Pool(Path(folder))
        try:
            for stack in STACKS:
                with pool.new_server(stack) as server:
                    results = Path(folder) / stack.replace("+", "-")
                    _run(program, server, results)
                    server.require_clean_log()
                counts, named = read(results)
                total += counts
                bad += [f"{stack}: {line}" for line in named]
                print(f"{stack}: " + ", ".join(f"{count} {status}" for status, count in sorted(counts.items())))
        finally:
            pool.close()
    for line in bad:
        print(line)
    passed, skipped = total["passed"], total["skipped"]
    failed = total.total() - passed - skipped - total["disabled"]
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 0 if passed and not bad else 1


def _run(program: str, server: MoorageServer, folder: Path) -> None:
    """Run the program. Its exit status says too little: skips and a bad configuration count as success."""
    folder.mkdir()
    ecr = server.client()
    for name in ("conformance/one", "conformance/two"):
        ecr.create_repository(repositoryName=name)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "OCI_REGISTRY": server.host,
        "OCI_TLS": "disabled",
        "OCI_REPO1": "conformance/one",
        "OCI_REPO2": "conformance/two",
        "OCI_USERNAME": "AWS",
        "OCI_PASSWORD": server.password(),
        "OCI_VERSION": "dev",
        "OCI_RESULTS_DIR": str(folder),
        "OCI_LOG": "warn",
        "OCI_DATA_SPARSE": "false",
        **{f"OCI_{feature}": "true" for feature in FEATURES},
    }
    done = subprocess.run([program], env=environment, cwd=folder, capture_output=True, text=True, timeout=_SECONDS, check=False)
    if not (folder / "results.yaml").exists():
        raise SystemExit(f"the program wrote no results: {done.stdout[-2000:]}{done.stderr[-2000:]}")


def read(folder: Path) -> tuple[Counter[str], list[str]]:
    """How many steps ended how, and what is not as it should be.

    ``results.yaml`` tells of features, ``junit.xml`` of every request: a feature may pass with steps that were skipped.
    """
    results: dict[str, dict[str, str]] = yaml.safe_load((folder / "results.yaml").read_text("utf-8"))
    bad = [
        f"{name}: {status}"
        for part in ("apis", "data")
        for name, status in results[part].items()
        if status != "Pass" and (name, status) != ("Sparse Manifests", "Disabled")
    ]
    counts: Counter[str] = Counter()
    for case in ElementTree.parse(folder / "junit.xml").iter("testcase"):
        status = case.get("status", "none")
        counts[status] += 1
        if status not in {"passed", "disabled"}:
            bad.append(f"{case.get('name')}: {status}: {(case.findtext('system-out') or '').strip()[:300]}")
    return counts, bad


if __name__ == "__main__":
    sys.exit(main())
