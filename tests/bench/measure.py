"""What benchmarks are made of: a registry, paired runs, and the row that each one yields."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

RUNS = 5

Step = Callable[[], None]


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        median: in `unit`.
        beside: what was measured in the same run for comparison.
        ratio: the median of the ratios of each pair of runs.
        limit: for the ratio where there is something beside, else for the median; None
            where there is none, and the row is only for comparison.
    """

    name: str
    median: float
    limit: float | None
    unit: str = "s"
    beside: str | None = None
    beside_median: float | None = None
    ratio: float | None = None

    @property
    def holds(self) -> bool:
        """Whether the limit is kept."""
        return self.limit is None or (self.median if self.ratio is None else self.ratio) <= self.limit


class PeerError(Exception):
    """A program to compare with is not installed, or does not work on this machine."""


# Group and name -> what measures it; it is given a folder of its own, and returns None
# where a program that it compares with is not installed.
BENCHMARKS: dict[tuple[str, str], Callable[[Path], Row | None]] = {}


def benchmark(group: str, name: str) -> Callable[[Callable[[Path], Row | None]], Callable[[Path], Row | None]]:
    """Register a function that measures one thing."""

    def register(function: Callable[[Path], Row | None]) -> Callable[[Path], Row | None]:
        BENCHMARKS[group, name] = function
        return function

    return register


def seconds(step: Step) -> float:
    """Return how long a step takes."""
    begin = time.perf_counter()
    step()
    return time.perf_counter() - begin


def repeated(work: Step, *, prepare: Step = lambda: None) -> float:
    """Return the median time of `work`, after one run that does not count."""
    times = []
    for _run in range(RUNS + 1):
        prepare()
        times.append(seconds(work))
    return statistics.median(times[1:])


def paired(work: Step, beside: Step, *, prepare: Step = lambda: None, runs: int = RUNS) -> tuple[float, float, float]:
    """Run two things in turn, so that both meet the same weather.

    Args:
        prepare: is called before each run, and not timed.
        runs: how many pairs count.

    Returns:
        The median of `work`, that of `beside`, and the median of their ratios,
        without the first pair.
    """
    pairs = []
    for _run in range(runs + 1):
        prepare()
        first = seconds(work)
        prepare()
        pairs.append((first, seconds(beside)))
    del pairs[0]
    ratios = [ours / theirs for ours, theirs in pairs]
    return (*(statistics.median(times) for times in zip(*pairs)), statistics.median(ratios))
