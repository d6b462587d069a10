"""What is measured, and what it must come to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Inputs:
    """Files to make: how many, with how many records each.

    Every `broken_every`-th record breaks the contract in one of five ways; 0: none.
    """

    files: int
    records_each: int
    broken_every: int = 0

    @property
    def records(self) -> int:
        return self.files * self.records_each

    def scaled(self, scale: float) -> Inputs:
        """Return a share of the files or, of a single file, of its records."""
        if self.files > 1:
            files = max(round(self.files * scale), 2)
            return Inputs(files, self.records_each, self.broken_every)
        records = max(round(self.records_each * scale), 1)
        return Inputs(1, records, self.broken_every)


@dataclass(frozen=True)
class Target:
    """A bound for the ratio raw/ours, or for our median in the scenario's unit."""

    of: Literal["ratio", "ours"]
    bound: float

    def met(self, value: float) -> bool:
        return value >= self.bound if self.of == "ratio" else value <= self.bound

    @property
    def text(self) -> str:
        if self.of == "ratio":
            return f"raw/ours >= {self.bound:g}"
        return f"ours <= {self.bound:g}"


@dataclass(frozen=True)
class Scenario:
    """One thing to measure. Without inputs it is the start of a program.

    `clock` is the wall for loads; programs are judged by the CPU they use.
    """

    name: str
    caption: str
    raw_is: str
    clock: Literal["seconds", "cpu_seconds"]
    unit: Literal["s", "ms/file"]
    target: Target
    inputs: Inputs | None = None
    rounds_per_pair: int = 1


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario(
            name="big",
            caption="one CSV file of about 1 GB, with about 1000 broken records",
            raw_is="INSERT ... SELECT * FROM read_csv, typed, store_rejects",
            clock="seconds",
            unit="s",
            target=Target("ratio", 0.6),
            inputs=Inputs(files=1, records_each=9_500_000, broken_every=9_500),
        ),
        Scenario(
            name="many",
            caption="10,000 CSV files of about 2 KB",
            raw_is="one such statement over the list of files",
            clock="seconds",
            unit="ms/file",
            target=Target("ours", 0.8),
            inputs=Inputs(files=10_000, records_each=22),
        ),
        Scenario(
            name="help",
            caption="snowmelt --help, CPU of the whole program",
            raw_is="python -c pass",
            clock="cpu_seconds",
            unit="s",
            target=Target("ours", 0.15),
            rounds_per_pair=5,
        ),
    )
}
