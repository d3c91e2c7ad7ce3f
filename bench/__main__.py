"""``python -m bench``: run the benchmark and write its report."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Container, Sequence
from pathlib import Path

from bench import report
from bench.measure import Bench
from bench.memory import fill_page_cache
from bench.peers import KINDS, MOORAGE, MOTO, REGISTRIES, Absent, Peer
from bench.processes import StartFailed
from bench.rows.access import access
from bench.rows.aws_calls import aws_calls
from bench.rows.manifests import manifests
from bench.rows.many_images import many_images
from bench.rows.memory import memory
from bench.rows.pulls import pulls
from bench.rows.pushes import pushes
from bench.rows.small_images import small_images

ROWS: dict[str, Callable[[Bench], None]] = {
    "pull": pulls,
    "push": pushes,
    "manifest": manifests,
    "access": access,
    "small": small_images,
    "aws": aws_calls,
    "many": many_images,
    "memory": memory,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure Moorage beside its peers.")
    parser.add_argument("--rows", default=",".join(ROWS), help=f"which parts, separated by commas (default: {','.join(ROWS)})")
    parser.add_argument("--rounds", type=int, default=None, help="rounds of each comparison (default: 5, with --quick 2)")
    parser.add_argument("--quick", action="store_true", help="small amounts: for a look while developing")
    parser.add_argument("--peers", default=",".join(KINDS), help=f"servers, separated by commas (default: {','.join(KINDS)})")
    parser.add_argument(
        "--output", type=Path, default=None, help="the report (default: bench/RESULTS.md; partial and quick runs print it)"
    )
    options = parser.parse_args(arguments)
    rows = _chosen(parser, options.rows, ROWS)
    names = _chosen(parser, options.peers, KINDS)
    folder = Path(tempfile.mkdtemp(prefix="moorage-bench-"))
    bench = Bench({}, folder, options.rounds or (2 if options.quick else 5), options.quick)
    absent: dict[str, str] = {}
    for number in (signal.SIGTERM, signal.SIGHUP):  # leave by the front door, so that no server outlives the run
        signal.signal(number, lambda received, _: sys.exit(128 + received))
    try:
        if not options.quick:
            fill_page_cache(folder)
        for name in names:
            _start(name, bench, absent, folder)
        for row in rows:
            ROWS[row](bench)
        is_whole = not options.quick and len(rows) == len(ROWS) and set(names) >= {MOORAGE, *REGISTRIES[:2], MOTO}
        output = options.output or (report.RESULTS if is_whole else None)
        if output is None:
            print(report.markdown(report.results_of(bench, absent)))
        else:
            report.write(report.results_of(bench, absent), output)
    finally:
        for peer in bench.peers.values():
            peer.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def _chosen(parser: argparse.ArgumentParser, text: str, known: Container[str]) -> list[str]:
    names = [part.strip() for part in text.split(",") if part.strip()]
    for name in names:
        if name not in known:
            parser.error(f"unknown: {name}")
    return names


def _start(name: str, bench: Bench, absent: dict[str, str], folder: Path) -> None:
    peer: Peer = KINDS[name](folder / name.replace(" ", "-"))
    try:
        peer.start()
    except (Absent, StartFailed) as error:
        absent[name] = str(error)
        print(f"{name} is absent: {error}", file=sys.stderr)
        if name == MOORAGE:
            raise
    else:
        bench.peers[name] = peer


if __name__ == "__main__":
    sys.exit(main())
