"""The report: JSON for programs, a table for people. ``python -m bench.report`` writes the table anew, with the notes as they are
now, from the figures of the last run."""

from __future__ import annotations

import os
import platform
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from bench.measure import Bench, Comparison, Fact, Results, Target
from bench.peers import MOORAGE, MOTO, REGISTRIES

RESULTS = Path(__file__).with_name("RESULTS.md")
_NOTES = Path(__file__).with_name("notes.md")
_WORDS = {"throughput": "throughput", "cpu": "CPU", "p50": "p50", "p99": "p99"}


def results_of(bench: Bench, absent: dict[str, str]) -> Results:
    """What a run has found."""
    return Results(
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=f"{machine()}, load average {bench.load_average:.1f} before the start",
        rounds=bench.rounds,
        is_quick=bench.is_quick,
        seconds=round(time.monotonic() - bench.started),
        versions={name: peer.version() for name, peer in bench.peers.items()},
        absent=absent,
        comparisons=bench.comparisons,
        facts=bench.facts,
    )


def write(results: Results, output: Path) -> None:
    """Write the Markdown file and, beside it, the figures as JSON."""
    data = msgspec.json.format(msgspec.json.encode(results), indent=1)
    output.with_suffix(".json").write_bytes(data + b"\n")
    output.write_text(markdown(results), "utf-8")


def markdown(results: Results) -> str:
    """The whole report."""
    kind = " **A quick run: small amounts, not to be cited.**" if results.is_quick else ""
    registries = [row for row in results.comparisons if MOTO not in row.samples and MOTO not in row.faults]
    aws = [row for row in results.comparisons if row not in registries]
    parts = [
        "# Benchmark results",
        "",
        "Made by `make bench` (`python -m bench`); do not edit. What is measured and how: [README.md](README.md).",
        "",
        f"{results.date[:10]}, {results.machine}. {results.rounds} rounds with the servers in turns, {results.seconds / 60:.0f} "
        "minutes in all; figures are medians, ratios the medians of the rounds' ratios of Moorage to docker-registry (v3: to "
        f"distribution v3; AWS: to moto). Load and servers share the cores.{kind}",
        "",
        *(f"- {name}: {version}" for name, version in results.versions.items()),
        *(f"- {name}: absent: {reason}" for name, reason in results.absent.items()),
        "",
        _summary(results),
        "",
    ]
    if registries:
        parts += ["## Registry", "", *_table(registries, [name for name in REGISTRIES if _took_part(registries, name)]), ""]
    if aws:
        parts += ["## AWS operations", "", *_table(aws, [MOORAGE, MOTO]), ""]
    if results.facts:
        parts += ["## Size and memory", "", *_facts(results.facts), ""]
    return "\n".join([*parts, _NOTES.read_text("utf-8").rstrip(), ""])


def _took_part(rows: list[Comparison], name: str) -> bool:
    return any(name in row.samples or name in row.faults for row in rows)


def _summary(results: Results) -> str:
    judged = [all(met for met, _ in found) for row in results.comparisons if (found := _verdicts(row))]
    judged += [fact.is_met for fact in results.facts if fact.is_met is not None]
    return f"Rows with targets: {len(judged)}, met: {sum(judged)}, missed: {len(judged) - sum(judged)}."


def machine() -> str:
    """Cores, processor, system, Python."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
    return f"{os.cpu_count()} cores ({model}), {platform.system()} {platform.release()}, Python {platform.python_version()}"


def _table(rows: list[Comparison], peers: list[str]) -> list[str]:
    lines = [f"| part | {' | '.join(peers)} | ratio | target | verdict |", "|---" * (len(peers) + 4) + "|"]
    for row in rows:
        cells = [_cell(row, peer) for peer in peers]
        found = [(target, row.ratio(target.peer, target.metric)) for target in row.targets]
        ratios = [f"{_words(target)} {ratio:.2f}x" for target, ratio in found if ratio is not None]
        goals = [f"{_words(target)} {'≥' if target.is_floor else '≤'} {target.bound:g}x" for target in row.targets]
        if row.floor is not None:
            goals.append(f"≥ {row.floor:,.0f} {row.unit}")
        verdict = _verdict(_verdicts(row))
        lines.append(f"| {row.title} | {' | '.join(cells)} | {', '.join(ratios)} | {', '.join(goals)} | {verdict} |")
    return lines


def _words(target: Target) -> str:
    return _WORDS[target.metric] + (" (v3)" if target.peer.endswith("v3") else "")


def _verdicts(row: Comparison) -> list[tuple[bool, str]]:
    """Which targets of a row are met; those whose peer is absent do not count."""
    found = [
        (target.is_met(ratio), _words(target))
        for target in row.targets
        if (ratio := row.ratio(target.peer, target.metric)) is not None
    ]
    own = row.figure(MOORAGE, "throughput")
    if row.floor is not None and own is not None:
        found.append((own >= row.floor, "floor"))
    return found


def _cell(row: Comparison, peer: str) -> str:
    if peer in row.faults:
        return f"failed: {row.faults[peer][:80]}"
    rate, cpu = row.figure(peer, "throughput"), row.figure(peer, "cpu")
    if rate is None or cpu is None:
        return "-"
    text = f"{rate:,.0f} {row.unit}; {cpu:.3g} CPU s per {row.cpu_unit}"
    if row.unit == "requests/s":
        text += f"; p50 {row.figure(peer, 'p50') or 0:.2f}, p99 {row.figure(peer, 'p99') or 0:.2f} ms"
    return text


def _verdict(verdicts: list[tuple[bool, str]]) -> str:
    if not verdicts:
        return "-"
    missed = [word for met, word in verdicts if not met]
    return f"**missed**: {', '.join(missed)}" if missed else "met"


def _facts(facts: list[Fact]) -> list[str]:
    lines = ["| part | Moorage | peers | target | verdict |", "|---|---|---|---|---|"]
    for fact in facts:
        others = ", ".join(f"{name} {value:.0f} {fact.unit}" for name, value in fact.others.items()) or "-"
        value = f"{fact.value:.2f} {fact.unit}" if fact.value < 10 else f"{fact.value:.0f} {fact.unit}"
        shown = f"{value} ({fact.remark})" if fact.remark else value
        bound = f"≤ {fact.bound:g} {fact.unit}" if fact.bound is not None else "-"
        verdict = {True: "met", False: "**missed**", None: "-"}[fact.is_met]
        lines.append(f"| {fact.title} | {shown} | {others} | {bound} | {verdict} |")
    return lines


if __name__ == "__main__":
    write(msgspec.json.decode(RESULTS.with_suffix(".json").read_bytes(), type=Results), RESULTS)
