"""Measurements: interleaved rounds, medians of ratios, targets."""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Literal

from bench.load import Outcome
from bench.peers import MOORAGE, REGISTRY_2, Peer

Metric = Literal["throughput", "cpu", "p50", "p99"]


@dataclass(frozen=True, slots=True)
class Sample:
    """One server, one round. CPU seconds are per unit of work, latencies in milliseconds."""

    throughput: float
    cpu: float
    p50: float
    p99: float
    client_share: float
    """The load's own CPU, as a share of one core."""

    def value(self, metric: Metric) -> float:
        """One of its figures."""
        return float(getattr(self, metric))


@dataclass(frozen=True, slots=True)
class Target:
    """A bound on the ratio of a figure of Moorage to that of a peer."""

    metric: Metric
    bound: float
    peer: str = REGISTRY_2

    @property
    def is_floor(self) -> bool:
        """True where more is better."""
        return self.metric == "throughput"

    def is_met(self, ratio: float) -> bool:
        """Judge a ratio."""
        return ratio >= self.bound if self.is_floor else ratio <= self.bound


@dataclass(slots=True)
class Comparison:
    """A row of the table: what each server did in each round.

    `unit` is what throughput counts per second, `cpu_unit` the amount of work that CPU time is given for.
    """

    key: str
    title: str
    unit: str
    cpu_unit: str
    cpu_scale: float
    targets: tuple[Target, ...]
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)
    floor: float | None = None
    """A bound on Moorage's own throughput."""

    def figure(self, peer: str, metric: Metric) -> float | None:
        """The median over the rounds."""
        found = self.samples.get(peer)
        return median(sample.value(metric) for sample in found) if found else None

    def ratio(self, peer: str, metric: Metric) -> float | None:
        """The median of the rounds' ratios of Moorage to a peer."""
        ours, theirs = self.samples.get(MOORAGE, []), self.samples.get(peer, [])
        pairs = [(a.value(metric), b.value(metric)) for a, b in zip(ours, theirs, strict=False)]
        ratios = [a / b for a, b in pairs if b > 0]
        return median(ratios) if ratios else None


@dataclass(frozen=True, slots=True)
class Fact:
    """A figure of Moorage alone with its bound, and what the peers have for comparison."""

    key: str
    title: str
    value: float
    unit: str
    bound: float | None
    others: dict[str, float] = field(default_factory=dict)
    remark: str = ""

    @property
    def is_met(self) -> bool | None:
        """None without a bound."""
        return None if self.bound is None else self.value <= self.bound


@dataclass(frozen=True, slots=True)
class Results:
    """A finished run, as it is kept in RESULTS.json. `versions` and `absent` are by server."""

    date: str
    machine: str
    rounds: int
    is_quick: bool
    seconds: float
    versions: dict[str, str]
    absent: dict[str, str]
    comparisons: list[Comparison]
    facts: list[Fact]


@dataclass(slots=True)
class Bench:
    """One run: the servers that are up, and how much is done."""

    peers: dict[str, Peer]
    folder: Path
    rounds: int
    is_quick: bool
    comparisons: list[Comparison] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)
    load_average: float = field(default_factory=lambda: os.getloadavg()[0])

    def pick(self, full: float, quick: float) -> float:
        """The amount for this kind of run."""
        return quick if self.is_quick else full

    @property
    def seconds(self) -> float:
        """How long a load of small requests lasts in one round."""
        return self.pick(1.0, 0.5)

    def compare(
        self,
        key: str,
        title: str,
        unit: str,
        work: Callable[[Peer], tuple[float, Outcome]],
        targets: Sequence[Target] = (),
        *,
        peers: Sequence[str],
        cpu: tuple[str, float],
        floor: float | None = None,
        rounds: int | None = None,
    ) -> Comparison:
        """Measure a row: in each round every server once, in an order that rotates.

        Args:
            work: does the work and returns its amount in `unit`s with the load's own figures.
            cpu: the amount that CPU time is shown for: its name, and how many `unit`s it is.

        A peer whose answers are wrong is left out of the row, and the report says why.
        """
        row = Comparison(key, title, unit, cpu[0], cpu[1], tuple(targets), floor=floor)
        self.comparisons.append(row)
        names = [name for name in peers if name in self.peers]
        for number in range(rounds or self.rounds):
            for name in names[number % len(names) :] + names[: number % len(names)]:
                if name not in row.faults:
                    self._sample(row, self.peers[name], work)
        self._say(row)
        return row

    def _sample(self, row: Comparison, peer: Peer, work: Callable[[Peer], tuple[float, Outcome]]) -> None:
        gc.collect()
        before = peer.process.cpu_seconds()
        try:
            amount, outcome = work(peer)
        except Exception as error:  # one server's fault must not end the run: it becomes part of the report
            row.faults[peer.name] = f"{type(error).__name__}: {error}"[:300]
            row.samples.pop(peer.name, None)
            print(f"    {peer.name}: {row.faults[peer.name]}", file=sys.stderr)
            return
        spent = peer.process.cpu_seconds() - before
        row.samples.setdefault(peer.name, []).append(
            Sample(
                amount / outcome.seconds,
                spent / amount * row.cpu_scale,
                percentile(outcome.latencies, 0.50) * 1000,
                percentile(outcome.latencies, 0.99) * 1000,
                outcome.client_cpu_seconds / outcome.seconds,
            )
        )

    def fact(
        self,
        key: str,
        title: str,
        value: float,
        unit: str,
        bound: float | None,
        others: dict[str, float] | None = None,
        remark: str = "",
    ) -> None:
        """Note a figure."""
        self.facts.append(Fact(key, title, value, unit, bound, others or {}, remark))
        print(f"[{time.monotonic() - self.started:5.0f} s] {title}: {value:.2f} {unit}", file=sys.stderr, flush=True)

    def _say(self, row: Comparison) -> None:
        shown = []
        for name in row.samples:
            rate, spent, late = (row.figure(name, metric) or 0.0 for metric in ("throughput", "cpu", "p99"))
            shown.append(f"{name} {rate:,.0f} {row.unit}, {spent:.3g} CPU s, p99 {late:.2f} ms")
        print(f"[{time.monotonic() - self.started:5.0f} s] {row.title}: {' | '.join(shown)}", file=sys.stderr, flush=True)


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which this share lies; 0 of nothing."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
