"""The report: a table for people, JSON for programs."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from bench.measure import Bench, Comparison, Fact, Target
from bench.peers import MOORAGE, MOTO, REGISTRIES

_NOTES = Path(__file__).with_name("notes.md")
_WORDS = {"throughput": "throughput", "cpu": "CPU", "p50": "p50", "p99": "p99"}


def write(bench: Bench, absent: dict[str, str], output: Path) -> None:
    """Write the Markdown file and, beside it, the same as JSON."""
    output.write_text(markdown(bench, absent), "utf-8")
    data = {
        "machine": machine(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "rounds": bench.rounds,
        "quick": bench.is_quick,
        "absent": absent,
        "comparisons": [asdict(row) for row in bench.comparisons],
        "facts": [asdict(fact) for fact in bench.facts],
    }
    output.with_suffix(".json").write_text(json.dumps(data, indent=1) + "\n", "utf-8")


def markdown(bench: Bench, absent: dict[str, str]) -> str:
    """The whole report."""
    parts = [
        "# Benchmark results",
        "",
        "Made by `make bench` (`python -m bench`); do not edit. What is measured and how: [README.md](README.md).",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}, {machine()}. {bench.rounds} rounds, servers in turns within each; figures are medians, "
        "ratios are the medians of the rounds' ratios. Load and servers share the cores."
        + (" **A quick run: small amounts, not to be cited.**" if bench.is_quick else ""),
        "",
        *(f"- {name}: {peer.version()}" for name, peer in bench.peers.items()),
        *(f"- {name}: absent: {reason}" for name, reason in absent.items()),
        "",
    ]
    registries = [row for row in bench.comparisons if MOTO not in row.samples and MOTO not in row.faults]
    aws = [row for row in bench.comparisons if row not in registries]
    if registries:
        parts += ["## Registry", "", *_table(registries, list(REGISTRIES)), ""]
    if aws:
        parts += ["## AWS operations", "", *_table(aws, [MOORAGE, MOTO]), ""]
    if bench.facts:
        parts += ["## Size and memory", "", *_facts(bench.facts), ""]
    return "\n".join([*parts, _NOTES.read_text("utf-8").rstrip(), ""])


def machine() -> str:
    """Cores, processor, system, Python."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
    return f"{os.cpu_count()} cores ({model}), {platform.system()} {platform.release()}, Python {platform.python_version()}"


def _table(rows: list[Comparison], peers: list[str]) -> list[str]:
    lines = [
        f"| part | {' | '.join(peers)} | ratio | target | verdict |",
        "|---" * (len(peers) + 4) + "|",
    ]
    for row in rows:
        cells = [_cell(row, peer) for peer in peers]
        ratios, targets, verdicts = [], [], []
        for target in row.targets:
            targets.append(_goal(target))
            ratio = row.ratio(target.peer, target.metric)
            if ratio is None:
                continue
            ratios.append(f"{_WORDS[target.metric]} {ratio:.2f}×{_against(target)}")
            verdicts.append((target.is_met(ratio), _WORDS[target.metric] + _against(target)))
        if row.floor is not None:
            targets.append(f"≥ {row.floor:,.0f} {row.unit}")
            own = row.figure(MOORAGE, "throughput")
            if own is not None:
                verdicts.append((own >= row.floor, "floor"))
        lines.append(f"| {row.title} | {' | '.join(cells)} | {', '.join(ratios)} | {', '.join(targets)} | {_verdict(verdicts)} |")
    return lines


def _against(target: Target) -> str:
    return " (v3)" if target.peer.endswith("v3") else ""


def _goal(target: Target) -> str:
    return f"{_WORDS[target.metric]} {'≥' if target.is_floor else '≤'} {target.bound:g}×{_against(target)}"


def _cell(row: Comparison, peer: str) -> str:
    if peer in row.faults:
        return f"failed: {row.faults[peer][:80]}"
    rate, cpu = row.figure(peer, "throughput"), row.figure(peer, "cpu")
    if rate is None or cpu is None:
        return "–"
    text = f"{rate:,.0f} {row.unit}; {cpu:.3g} CPU s per {row.cpu_unit}"
    if row.unit == "requests/s":
        text += f"; p50 {row.figure(peer, 'p50') or 0:.2f}, p99 {row.figure(peer, 'p99') or 0:.2f} ms"
    return text


def _verdict(verdicts: list[tuple[bool, str]]) -> str:
    if not verdicts:
        return "–"
    missed = [word for met, word in verdicts if not met]
    return f"**missed**: {', '.join(missed)}" if missed else "met"


def _facts(facts: list[Fact]) -> list[str]:
    lines = ["| part | Moorage | peers | target | verdict |", "|---|---|---|---|---|"]
    for fact in facts:
        others = ", ".join(f"{name} {value:.0f} {fact.unit}" for name, value in fact.others.items()) or "–"
        value = f"{fact.value:.2f} {fact.unit}" if fact.value < 10 else f"{fact.value:.0f} {fact.unit}"
        shown = f"{value} ({fact.remark})" if fact.remark else value
        bound = f"≤ {fact.bound:g} {fact.unit}" if fact.bound is not None else "–"
        verdict = {True: "met", False: "**missed**", None: "–"}[fact.is_met]
        lines.append(f"| {fact.title} | {shown} | {others} | {bound} | {verdict} |")
    return lines
